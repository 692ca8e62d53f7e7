import { ApiError } from './error';

/** What came back on a request made as a caller would make it. */
export interface TestAnswer {
	status: number;
	/** What the model said, or the gateway's or upstream's words when it was refused. */
	text: string;
	requestId: string | undefined;
	durationMs: number;
}

/** The parts of an answer in the Gemini dialect that are looked at. */
interface GeminiAnswer {
	candidates?: { content?: { parts?: { text?: string }[] } }[];
	error?: { message?: string };
}

/**
 * Asks a model one short question with a user key, in the Gemini dialect. It is no call of the admin
 * API: a 401 says that the user key is wrong, not that the session has ended.
 *
 * @throws {ApiError} if the gateway cannot be reached
 */
export async function sendTestRequest(userKey: string, model: string): Promise<TestAnswer> {
	const begun = performance.now();
	const address = `/v1beta/models/${encodeURIComponent(model)}:generateContent`;
	let response: Response;
	try {
		// eslint-disable-next-line no-restricted-globals -- a caller's request, without the admin's session
		response = await fetch(address, {
			method: 'POST',
			credentials: 'omit',
			headers: { 'content-type': 'application/json', 'x-goog-api-key': userKey },
			body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Say hello.' }] }] })
		});
	} catch {
		throw new ApiError(0, 'network', 'The gateway cannot be reached.');
	}
	const body = await response.text();
	return {
		status: response.status,
		text: wordsOf(body),
		requestId: response.headers.get('x-request-id') ?? undefined,
		durationMs: performance.now() - begun
	};
}

/** What a reader wants of an answer; the whole of it if it has another form. */
export function wordsOf(body: string): string {
	try {
		const answer = JSON.parse(body) as GeminiAnswer;
		const parts = answer.candidates?.[0]?.content?.parts ?? [];
		const said = parts.map(({ text }) => text ?? '').join('');
		return said || answer.error?.message || body;
	} catch {
		return body;
	}
}
