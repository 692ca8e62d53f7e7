import { createHash } from 'node:crypto';
import { adminOf, serviceKey, type Admin } from './admin';
import { fillLog, type Gateway, startGateway } from './programs';
import { expect, test as base } from './test';
import { ask, make, openLive } from './traffic';

/** Service keys by the word that says how the scripted upstream treats them. */
const KEYS: [word: string, count: number, more: { tags?: string[]; project?: string; tier?: number; note?: string }][] = [
	['good', 26, { tags: ['free'] }],
	['ok', 12, { tags: ['paid', 'eu'], project: 'production', tier: 1 }],
	['fine', 7, { tags: ['paid'], project: 'research', tier: 2, note: 'Ask Mei before use' }],
	['429m', 5, { tags: ['free'] }],
	['429d', 3, { tags: ['free', 'spare'] }],
	['invalid', 2, {}],
	['suspended', 1, { note: 'Appeal sent' }],
	['nocredit', 2, { project: 'research', tier: 2 }]
];
const USER_KEYS = [
	['open-webui', 'The family'],
	['cherry-studio', ''],
	['nightly batch', 'Summaries, 2 to 4 o’clock'],
	['phone', ''],
	['a colleague whose name is rather long', 'Until the end of the project']
] as const;
const PAST = { rows: 200_000, days: 84, userKeys: USER_KEYS.length, serviceKeys: 45 };

const CACHE = ['cachedContents', { model: 'models/gemini-2.5-flash', ttl: '7200s' }] as const;
const STORE = ['fileSearchStores', { displayName: 'Handbooks' }] as const;

/** A gateway that has been in use for three months. */
async function fullGateway(): Promise<Gateway> {
	const gateway = await startGateway();
	const admin = await adminOf(gateway.url);
	for (const [word, count, more] of KEYS) {
		// Keys end otherwise in life, too.
		const api_keys = Array.from({ length: count }, (_, number) => {
			const end = createHash('sha256').update(`${word} ${number}`).digest('base64url').slice(0, 6);
			return `${serviceKey(word, number)}-${end}`;
		});
		await admin.POST('/api/keys', { body: { api_keys, ...more } });
	}
	const keys: string[] = [];
	for (const [alias, note] of USER_KEYS) {
		const { data } = await admin.POST('/api/auth_keys', { body: { alias, note } });
		keys.push(data?.api_key ?? '');
	}
	await gateway.restart((folder) => fillLog(folder, PAST));
	const again = await adminOf(gateway.url);
	await tested(again);
	for (let count = 0; count < 40; count += 1) {
		const model = ['gemini-2.5-flash', 'gemini-2.5-pro'][count % 2] ?? '';
		expect(await ask(gateway, keys[count % keys.length] ?? '', model)).toBe(200);
	}
	for (let count = 0; count < 24; count += 1) {
		const [kind, body] = count % 3 ? CACHE : STORE;
		await make(gateway, keys[count % keys.length] ?? '', kind, body);
	}
	const { data: users } = await again.GET('/api/auth_keys');
	const phone = users?.find(({ alias }) => alias === 'phone');
	if (!phone) throw new Error('a user key is missing');
	await again.PUT('/api/auth_keys/{id}', { params: { path: { id: String(phone.id) } }, body: { enabled: false } });
	const models = ['gemini-live-2.5-flash-preview', 'gemini-2.5-flash-native-audio'];
	const open = models.map((model, at) => openLive(gateway, keys[at] ?? '', model));
	const sessions = await Promise.all(open);
	return {
		...gateway,
		stop: async () => {
			sessions.forEach((socket) => socket.destroy());
			await gateway.stop();
		}
	};
}

/** Tests every key, so that each stands as the upstream treats it. */
async function tested(admin: Admin): Promise<void> {
	const { data } = await admin.POST('/api/keys/jobs', { body: { action: 'test', filter: {} } });
	const id = data?.id ?? '';
	await expect
		.poll(
			async () => (await admin.GET('/api/jobs/{id}', { params: { path: { id } } })).data?.ended_at,
			{ timeout: 60_000 }
		)
		.toBeTruthy();
}

/** As `test`, in front of a gateway with a past, the same for all tests of a worker. */
export const test = base.extend<object, { sharedGateway: Gateway }>({
	sharedGateway: [
		async ({}, use) => {
			const gateway = await fullGateway();
			await use(gateway);
			await gateway.stop();
		},
		{ scope: 'worker', timeout: 180_000 }
	]
});
