// @google/genai with the API version it uses by default.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ApiError, GoogleGenAI } from "@google/genai";

import { drain, forget, GATEWAY_URL, MODEL, on, refusal, USER_KEY } from "./stage.mjs";

const client = new GoogleGenAI({ apiKey: USER_KEY, httpOptions: { baseUrl: GATEWAY_URL, timeout: 20_000 } });
const hello = { model: MODEL, contents: "hello" };

beforeEach(forget);

test("a plain answer arrives with text and usage", async () => {
  const answer = await client.models.generateContent(hello);

  assert.equal(answer.text, "echo: hello");
  assert.equal(answer.usageMetadata.promptTokenCount, 2);
});

test("a stream arrives chunk by chunk", async () => {
  await on({ default: { chunks: 5 } });

  const { chunks, error } = await drain(await client.models.generateContentStream(hello));

  assert.equal(error, null);
  assert.equal(chunks.length, 5);
  assert.equal(chunks.map((chunk) => chunk.text ?? "").join(""), "echo: hello");
});

test("a function call brings its signature", async () => {
  const parametersJsonSchema = { type: "object", properties: { city: { type: "string" } } };
  const tools = [{ functionDeclarations: [{ name: "weather", parametersJsonSchema }] }];

  const answer = await client.models.generateContent({ model: MODEL, contents: "use the tool", config: { tools } });

  const [part] = answer.candidates[0].content.parts;
  assert.equal(part.functionCall.name, "weather");
  assert.ok(part.thoughtSignature);
});

test("tokens are counted and texts embedded", async () => {
  assert.equal((await client.models.countTokens(hello)).totalTokens, 2);
  const { embeddings } = await client.models.embedContent({ model: "gemini-embedding-001", contents: ["one", "two"] });
  assert.equal(embeddings.length, 2);
});

test("models are listed in the Gemini dialect", async () => {
  for await (const model of await client.models.list()) assert.match(model.name, /^models\//);
});

test("a bad request comes back with the words of the upstream", async () => {
  await on(refusal(400, "INVALID_ARGUMENT", "no such field"));

  const error = await client.models.generateContent(hello).catch((error) => error);

  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 400);
  assert.match(error.message, /no such field/);
});

test("an error inside a stream is raised behind its chunks", async () => {
  await on({ default: { chunks: 4, error: { after_events: 2, code: 503 } } });

  const { chunks, error } = await drain(await client.models.generateContentStream(hello));

  assert.equal(chunks.length, 2);
  assert.ok(error instanceof ApiError);
});
