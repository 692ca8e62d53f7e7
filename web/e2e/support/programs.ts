import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TARGET = join(import.meta.dirname, '../../../target/debug');
const GATEWAY = process.env['GATEWAY_BIN'] ?? join(TARGET, 'gemini-balance');
const UPSTREAM = process.env['FAKE_UPSTREAM_BIN'] ?? join(TARGET, 'fake-upstream');
const LONG_LOG = process.env['LONG_LOG_BIN'] ?? join(TARGET, 'examples/long_log');
const READY_WAIT_MS = 20_000;

/** The admin's password of the gateways in the tests, unless they make one of their own. */
export const PASSWORD = 'a-password-for-tests';

/** A gateway with a data directory of its own, in front of a scripted upstream. */
export interface Gateway {
	readonly url: string;
	/** Where the scripted upstream listens; `/__fake/…` steers it. */
	readonly upstreamUrl: string;
	/** The admin's password at first: {@link PASSWORD}, or the one that was made and printed. */
	readonly password: string;
	/** What the gateway has written so far. */
	log(): string;
	/** Ends the gateway and starts it again on the same data and port; `meanwhile` is given the data. */
	restart(meanwhile?: (dataFolder: string) => Promise<void>): Promise<void>;
	stop(): Promise<void>;
}

/** Further settings of a gateway; `undefined` takes one away that it has in the tests. */
export type Variables = Record<string, string | undefined>;

/** What a gateway prints that was given no password. */
const PRINTED = /Admin password: (\S+)/;

/** Starts both programs; with `PASSWORD: undefined` the gateway makes a password of its own. */
export async function startGateway(variables: Variables = {}): Promise<Gateway> {
	const folder = await mkdtemp(join(tmpdir(), 'gemini-balance-e2e-'));
	const dataFolder = join(folder, 'data');
	const [port, upstreamPort] = [await freePort(), await freePort()];
	const url = `http://127.0.0.1:${port}`;
	const upstreamUrl = `http://127.0.0.1:${upstreamPort}`;
	let log = '';
	const write = (text: Buffer) => (log += text.toString());

	const upstream = start(UPSTREAM, ['--resources', '--listen', `127.0.0.1:${upstreamPort}`], {}, folder, write);
	await answers(`${upstreamUrl}/__fake/state`, upstream, () => log);
	const settings: Variables = {
		HOST: '127.0.0.1',
		PORT: String(port),
		PASSWORD,
		DATA_DIR: dataFolder,
		GEMINI_API_BASE_URL: upstreamUrl,
		OPENAI_API_BASE_URL: `${upstreamUrl}/v1beta/openai`,
		UPSTREAM_ALLOW_PRIVATE: 'true',
		WORKERS: '1',
		...variables
	};
	let gateway: ChildProcess;
	const open = async () => {
		gateway = start(GATEWAY, [], settings, folder, write);
		await answers(`${url}/health`, gateway, () => log);
	};
	await open();
	const password = settings['PASSWORD'] ?? (await printed(() => log));
	return {
		url,
		upstreamUrl,
		password,
		log: () => log,
		restart: async (meanwhile) => {
			await end(gateway);
			await meanwhile?.(dataFolder);
			await open();
		},
		stop: async () => {
			await Promise.all([end(gateway), end(upstream)]);
			await rm(folder, { recursive: true, force: true });
		}
	};
}

/** What a log looks like after a while. */
export interface Past {
	rows: number;
	days: number;
	userKeys: number;
	serviceKeys: number;
}

/** Gives a gateway that does not run a past. */
export async function fillLog(dataFolder: string, past: Past): Promise<void> {
	const words = [past.rows, past.days, past.userKeys, past.serviceKeys].map(String);
	let log = '';
	const program = start(LONG_LOG, [dataFolder, ...words], {}, dataFolder, (text) => (log += text.toString()));
	const code = await new Promise((resolve, reject) => {
		program.once('exit', resolve);
		program.once('error', reject);
	});
	if (code !== 0) throw new Error(`the log was not filled:\n${log}`);
}

function start(
	program: string,
	words: string[],
	settings: Variables,
	cwd: string,
	write: (text: Buffer) => void
): ChildProcess {
	const env = { PATH: process.env['PATH'] ?? '', ...settings };
	const child = spawn(program, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
	child.stdout?.on('data', write);
	child.stderr?.on('data', write);
	return child;
}

/** Waits until an address answers; fails as soon as the program has ended. */
async function answers(url: string, program: ChildProcess, log: () => string): Promise<void> {
	const deadline = Date.now() + READY_WAIT_MS;
	let failure: Error | undefined;
	program.once('error', (error) => (failure = error));
	while (Date.now() < deadline) {
		if (failure) throw failure;
		if (program.exitCode !== null) throw new Error(`it ended at once:\n${log()}`);
		const isThere = await fetch(url).then(
			(answer) => answer.ok,
			() => false
		);
		if (isThere) return;
		await new Promise((resolve) => setTimeout(resolve, 25));
	}
	throw new Error(`it does not answer:\n${log()}`);
}

/** The password that a gateway has made; it is printed about when the first answer is given. */
async function printed(log: () => string): Promise<string> {
	const deadline = Date.now() + READY_WAIT_MS;
	while (Date.now() < deadline) {
		const password = PRINTED.exec(log())?.[1];
		if (password) return password;
		await new Promise((resolve) => setTimeout(resolve, 25));
	}
	throw new Error(`it prints no password:\n${log()}`);
}

async function end(program: ChildProcess): Promise<void> {
	if (program.exitCode !== null) return;
	const ended = new Promise((resolve) => program.once('exit', resolve));
	program.kill('SIGINT');
	await ended;
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	if (typeof address !== 'object' || address === null) throw new Error('no port');
	return address.port;
}
