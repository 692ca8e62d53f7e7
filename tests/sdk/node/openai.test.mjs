// openai-node, by both paths under which the gateway speaks that dialect.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import OpenAI from "openai";

import { drain, forget, GATEWAY_URL, MODEL, on, refusal, USER_KEY } from "./stage.mjs";

const hello = { model: MODEL, messages: [{ role: "user", content: "hello" }] };

beforeEach(forget);

for (const path of ["/v1", "/v1beta/openai"]) {
  const client = new OpenAI({ apiKey: USER_KEY, baseURL: GATEWAY_URL + path, maxRetries: 0, timeout: 20_000 });
  const { completions } = client.chat;

  test(`a plain answer arrives with text and usage (${path})`, async () => {
    const answer = await completions.create(hello);

    assert.equal(answer.choices[0].message.content, "echo: hello");
    assert.equal(answer.usage.prompt_tokens, 2);
  });

  test(`a stream arrives chunk by chunk (${path})`, async () => {
    await on({ default: { chunks: 5 } });

    const { chunks, error } = await drain(await completions.create({ ...hello, stream: true }));

    assert.equal(error, null);
    const texts = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "");
    assert.equal(texts.filter(Boolean).length, 5);
    assert.equal(texts.join(""), "echo: hello");
  });

  test(`a tool call brings its signature (${path})`, async () => {
    const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];

    const answer = await completions.create({ ...hello, messages: [{ role: "user", content: "use the tool" }], tools });

    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(call.function.name, "weather");
    assert.ok(call.extra_content.google.thought_signature);
  });

  test(`embeddings are the same in base64 and as numbers (${path})`, async () => {
    const wish = { model: "gemini-embedding-001", input: "one" };

    const byDefault = await client.embeddings.create(wish);
    const asNumbers = await client.embeddings.create({ ...wish, encoding_format: "float" });

    const rounded = (answer) => answer.data[0].embedding.map((number) => number.toFixed(5));
    assert.deepEqual(rounded(byDefault), rounded(asNumbers));
  });

  test(`models are listed in the OpenAI dialect (${path})`, async () => {
    for await (const model of client.models.list()) assert.equal(model.object, "model");
  });

  test(`a bad request has its class and the words of the upstream (${path})`, async () => {
    await on(refusal(400, "INVALID_ARGUMENT", "no such field"));

    const error = await completions.create(hello).catch((error) => error);

    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.match(error.message, /no such field/);
  });

  test(`an error inside a stream is raised behind its chunks (${path})`, async () => {
    await on({ default: { chunks: 4, error: { after_events: 2, code: 503 } } });

    const { chunks, error } = await drain(await completions.create({ ...hello, stream: true }));

    assert.equal(chunks.length, 2);
    assert.ok(error instanceof OpenAI.APIError);
  });
}
