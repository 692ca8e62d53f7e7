// @google/genai and Live sessions: in clear, as this SDK allows, and over the gateway's own TLS.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { GoogleGenAI } from "@google/genai";

import { forget, GATEWAY_URL, MODEL, on, USER_KEY } from "./stage.mjs";

const SECURE_URL = process.env.SECURE_URL;
const SECURE_KEY = process.env.SECURE_KEY;
const PLACES = [
  { name: "in clear", baseUrl: GATEWAY_URL, key: USER_KEY },
  { name: "over TLS", baseUrl: SECURE_URL, key: SECURE_KEY },
  { name: "behind a path", baseUrl: `${GATEWAY_URL}/gemini/`, key: USER_KEY },
];

beforeEach(forget);

/** Opens a session, says something and closes; what came back, and how it ended. */
async function talk(client, model = MODEL) {
  const messages = [];
  let over;
  let session;
  const closed = new Promise((resolve) => (over = resolve));
  // Where a session ends before its setup is done, this SDK tells of its end and never returns from here.
  const connecting = client.live.connect({
    model,
    config: { responseModalities: ["TEXT"] },
    callbacks: {
      onmessage: (message) => {
        messages.push(message);
        if (message.serverContent?.turnComplete) session.close();
      },
      onerror: (error) => over({ error }),
      onclose: (event) => over({ code: event.code, reason: event.reason }),
    },
  });
  connecting.then((connected) => {
    session = connected;
    session.sendClientContent({ turns: "hello", turnComplete: true });
  }, (error) => over({ error }));
  return { messages, ...(await closed) };
}

function textOf(messages) {
  return messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []).map((part) => part.text).join("");
}

for (const { name, baseUrl, key } of PLACES) {
  test(`a session is held ${name}`, async () => {
    const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl } });

    const { messages } = await talk(client);

    assert.equal(textOf(messages), "echo: hello");
    assert.ok(messages.at(-1).usageMetadata.totalTokenCount > 0);
  });
}

test("a bad key is not noticed, and a refusal comes as it is", async () => {
  const client = new GoogleGenAI({ apiKey: USER_KEY, httpOptions: { baseUrl: GATEWAY_URL } });
  await on({ live: { close: { at: 0, code: 1007, reason: "API key not valid." } } }, { times: 1 });

  assert.equal(textOf((await talk(client)).messages), "echo: hello");
  const { code, reason } = await talk(client, "unknown-model");
  assert.equal(code, 1008);
  assert.match(reason, /unknown-model is not found/);
});

test("a token opens a session without any key", async () => {
  const httpOptions = { baseUrl: GATEWAY_URL, apiVersion: "v1alpha" };
  const client = new GoogleGenAI({ apiKey: USER_KEY, httpOptions });

  const token = await client.authTokens.create({ config: { uses: 1 } });
  const { messages } = await talk(new GoogleGenAI({ apiKey: token.name, httpOptions }));

  assert.equal(textOf(messages), "echo: hello");
});
