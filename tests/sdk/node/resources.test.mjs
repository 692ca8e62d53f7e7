// @google/genai and what an upstream keeps for one project, with service keys of three projects. The
// base URL has a path, which this SDK takes off the address of an upload and the gateway puts back.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ApiError, createPartFromUri, GoogleGenAI } from "@google/genai";

import { forget, GATEWAY_URL, MODEL, strays, USER_KEY } from "./stage.mjs";

const httpOptions = { baseUrl: `${GATEWAY_URL}/gemini`, timeout: 60_000 };
const client = new GoogleGenAI({ apiKey: USER_KEY, httpOptions });

beforeEach(forget);

async function upload(bytes) {
  const file = new Blob([new Uint8Array(bytes).fill(120)], { type: "text/plain" });
  return client.files.upload({ file, config: { mimeType: "text/plain" } });
}

async function names(pager) {
  const names = [];
  for await (const item of pager) names.push(item.name);
  return names;
}

for (const bytes of [5, 9 << 20]) {
  test(`a file of ${bytes} bytes is uploaded, found, asked about and deleted`, async () => {
    const file = await upload(bytes);

    assert.equal(file.sizeBytes, String(bytes));
    assert.equal((await client.files.get({ name: file.name })).name, file.name);
    assert.ok((await names(await client.files.list())).includes(file.name));
    const contents = [createPartFromUri(file.uri, "text/plain"), "what is it?"];
    assert.ok((await client.models.generateContent({ model: MODEL, contents })).text);
    await client.files.delete({ name: file.name });
    await assert.rejects(client.files.get({ name: file.name }), (error) => error instanceof ApiError && error.status === 403);
    assert.deepEqual(await strays(), []);
  });
}

test("a cache and a batch are made where the file is that they are made of", async () => {
  const file = await upload(5);
  const contents = [{ role: "user", parts: [createPartFromUri(file.uri, "text/plain")] }];

  const cache = await client.caches.create({ model: MODEL, config: { contents, ttl: "3600s" } });
  const config = { cachedContent: cache.name };
  const answer = await client.models.generateContent({ model: MODEL, contents: "hello", config });
  assert.equal(answer.text, "echo: hello");
  const batch = await client.batches.create({ model: MODEL, src: file.name });
  assert.equal((await client.batches.get({ name: batch.name })).name, batch.name);
  assert.ok((await names(await client.caches.list())).includes(cache.name));
  assert.deepEqual(await strays(), []);
});

test("an interaction goes on, plain and streamed", async () => {
  const first = await client.interactions.create({ model: MODEL, input: "hello" });
  const following = { model: MODEL, input: "and?", previous_interaction_id: first.id };
  assert.notEqual((await client.interactions.create(following)).id, first.id);

  const kinds = [];
  for await (const event of await client.interactions.create({ ...following, stream: true })) {
    kinds.push(event.event_type);
  }
  assert.equal(kinds.at(0), "interaction.created");
  assert.equal(kinds.at(-1), "interaction.completed");
  assert.equal((await client.interactions.get(first.id)).id, first.id);
  assert.deepEqual(await strays(), []);
});
