/** How a client is told to use the gateway. */
export interface Recipe {
	value: string;
	label: string;
	/** To be copied as a whole: a command, a program, a piece of configuration. */
	code?: string;
	/** To be filled into the client's own form, by the English names of its fields. */
	fields?: { name: string; value: string }[];
}

/** Stands for the user key where none was made yet. */
export const KEY_PLACEHOLDER = 'YOUR-USER-KEY';

/** The recipes for a gateway at an address (no slash at its end), with a user key and a model. */
export function recipes(origin: string, key: string, model: string): Recipe[] {
	const openai = `${origin}/v1`;
	return [
		{
			value: 'curl',
			label: 'curl',
			code: `curl '${origin}/v1beta/models/${model}:generateContent' \\
  -H 'x-goog-api-key: ${key}' \\
  -H 'Content-Type: application/json' \\
  -d '{"contents":[{"parts":[{"text":"Hello"}]}]}'`
		},
		{
			value: 'openai',
			label: 'openai',
			code: `from openai import OpenAI

client = OpenAI(base_url="${openai}", api_key="${key}")
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`
		},
		{
			value: 'google-genai',
			label: 'google-genai',
			code: `from google import genai
from google.genai import types

client = genai.Client(
    api_key="${key}",
    http_options=types.HttpOptions(base_url="${origin}"),
)
answer = client.models.generate_content(model="${model}", contents="Hello")
print(answer.text)`
		},
		{
			value: 'gemini-cli',
			label: 'gemini-cli',
			code: `export GOOGLE_GEMINI_BASE_URL='${origin}'
export GEMINI_API_KEY='${key}'
gemini -m '${model}'`
		},
		{
			value: 'open-webui',
			label: 'Open WebUI',
			fields: [
				{ name: 'URL', value: openai },
				{ name: 'API key', value: key }
			]
		},
		{
			value: 'cherry-studio',
			label: 'Cherry Studio',
			fields: [
				{ name: 'API Host', value: origin },
				{ name: 'API Key', value: key }
			]
		},
		{
			value: 'sillytavern',
			label: 'SillyTavern',
			fields: [
				{ name: 'Custom Endpoint (Base URL)', value: openai },
				{ name: 'Custom API Key', value: key }
			]
		}
	];
}

/** The keys in a pasted text: whatever stands between spaces, commas and line ends, each once. */
export function pastedKeys(text: string): string[] {
	return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}
