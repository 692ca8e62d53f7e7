import { get } from 'node:http';
import type { Socket } from 'node:net';
import { expect, test as base } from './test';
import { serviceKey, type Admin } from './admin';
import type { Gateway } from './programs';

/** What {@link traffic} comes to: the numbers that the pages must show. */
export const KNOWN = {
	requests: 5,
	attempts: 6,
	successes: 4,
	/** By model: attempts. */
	models: { 'gemini-2.5-flash': 3, 'gemini-2.5-pro': 2, 'gemini-2.0-flash': 1 }
};

/**
 * Two service keys, a user key and five requests: three that are answered at once, one that is
 * answered by the second key after the first was refused, and one that no key can answer.
 * Returns the user key.
 */
async function traffic(gateway: Gateway, admin: Admin): Promise<string> {
	await admin.POST('/api/keys', {
		body: { api_keys: [serviceKey('good', 1), serviceKey('good', 2)] }
	});
	const { data: caller } = await admin.POST('/api/auth_keys', { body: { alias: 'caller' } });
	const key = caller?.api_key ?? '';
	await rules(gateway, [
		{
			when: { model: 'gemini-2.5-pro', times: 1 },
			answer: { refusal: { quota_per_minute: { seconds: 30 } } }
		},
		{ when: { model: 'gemini-2.0-flash' }, answer: { refusal: { bad_request: { message: 'No.' } } } }
	]);
	for (let count = 0; count < 3; count++) {
		expect(await ask(gateway, key, 'gemini-2.5-flash')).toBe(200);
	}
	expect(await ask(gateway, key, 'gemini-2.5-pro')).toBe(200);
	expect(await ask(gateway, key, 'gemini-2.0-flash')).toBe(400);
	await expect
		.poll(async () => (await admin.GET('/api/request_logs')).data?.total, { timeout: 10_000 })
		.toBe(KNOWN.attempts);
	return key;
}

/** Asks a model one thing; answers the status. */
export async function ask(gateway: Gateway, key: string, model: string, text = 'Hello'): Promise<number> {
	const answer = await fetch(`${gateway.url}/v1beta/models/${model}:generateContent`, {
		method: 'POST',
		headers: { 'x-goog-api-key': key, 'content-type': 'application/json' },
		body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text }] }] })
	});
	await answer.arrayBuffer();
	return answer.status;
}

/** Tells the scripted upstream what to answer. */
export async function rules(gateway: Gateway, rules: unknown[]): Promise<void> {
	const answer = await fetch(`${gateway.upstreamUrl}/__fake/rules`, {
		method: 'POST',
		body: JSON.stringify(rules)
	});
	expect(answer.status, await answer.text()).toBe(200);
}

/** Has the upstream keep something; answers its name. */
export async function make(gateway: Gateway, key: string, kind: string, body: unknown): Promise<string> {
	const answer = await fetch(`${gateway.url}/v1beta/${kind}`, {
		method: 'POST',
		headers: { 'x-goog-api-key': key, 'content-type': 'application/json' },
		body: JSON.stringify(body)
	});
	const made = (await answer.json()) as { name?: string };
	expect(answer.status, JSON.stringify(made)).toBe(200);
	return made.name ?? '';
}

const LIVE = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';
/** The nonce of a handshake, any one (RFC 6455, 1.3). */
const NONCE = 'dGhlIHNhbXBsZSBub25jZQ==';

/** Opens a Live session and says what it is about; destroying the socket ends it. */
export async function openLive(gateway: Gateway, key: string, model: string): Promise<Socket> {
	const headers = {
		'x-goog-api-key': key,
		connection: 'Upgrade',
		upgrade: 'websocket',
		'sec-websocket-version': '13',
		'sec-websocket-key': NONCE
	};
	const socket = await new Promise<Socket>((resolve, reject) => {
		get(`${gateway.url}${LIVE}`, { headers })
			.once('upgrade', (_, socket: Socket) => resolve(socket))
			.once('response', ({ statusCode }) => reject(new Error(`no session: ${statusCode}`)))
			.once('error', reject);
	});
	const message = Buffer.from(JSON.stringify({ setup: { model: `models/${model}` } }));
	// One whole text message, short enough for one byte of length; masked with noughts.
	const begin = Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0]);
	socket.on('error', () => undefined).write(Buffer.concat([begin, message]));
	await new Promise((resolve) => socket.once('data', resolve));
	return socket;
}

interface Busy {
	/** The user key of a gateway of the test's own, in which {@link traffic} has been. */
	userKey: string;
}

/** As `test`, in front of a gateway with {@link traffic}. */
export const test = base.extend<Busy>({
	fresh: true,
	userKey: [
		async ({ gateway, admin }, use) => await use(await traffic(gateway, admin)),
		{ auto: true }
	]
});
