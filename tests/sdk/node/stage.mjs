// Where the gateway and the scripted upstream are; the Python side has started them.

export const MODEL = "gemini-3.8-flash";
export const GATEWAY_URL = process.env.GATEWAY_URL;
export const USER_KEY = process.env.GATEWAY_USER_KEY;

const UPSTREAM_URL = process.env.FAKE_UPSTREAM_URL;

/** The next requests that match `when` get this answer. */
export async function on(answer, when = {}) {
  const body = JSON.stringify({ when, answer });
  const said = await fetch(`${UPSTREAM_URL}/__fake/rules`, { method: "POST", body });
  if (!said.ok) throw new Error(await said.text());
}

export async function forget() {
  await fetch(`${UPSTREAM_URL}/__fake/rules`, { method: "DELETE" });
}

/** Reads a stream to its end or its error. */
export async function drain(stream) {
  const chunks = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch (error) {
    return { chunks, error };
  }
  return { chunks, error: null };
}

/** An answer of the upstream that is an error in Google's shape. */
export function refusal(code, status, message) {
  const body = JSON.stringify({ error: { code, message, status } });
  return { status: { code, headers: [["content-type", "application/json"]], body } };
}

/** Who named what another project keeps. */
export async function strays() {
  return (await fetch(`${UPSTREAM_URL}/__fake/strays`)).json();
}
