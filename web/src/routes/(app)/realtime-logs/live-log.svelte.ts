import { kept, readLine, streamAddress, type KeptLine, type Wanted } from './lines';

/** How the stream stands. `waiting`: cut off, tried again soon. `paused`: by the reader. */
export type Connection = 'connecting' | 'open' | 'waiting' | 'paused';

/** More lines would make the page slow; the server keeps no more for those who come later. */
export const LINES_MAX = 2_000;
/** Lines are shown in batches, so that a flood costs no more than this many paints. */
const BATCH_MS = 100;
const FIRST_WAIT_MS = 1_000;
const LAST_WAIT_MS = 15_000;

/**
 * The live log while somebody watches it: connects, and goes on behind the last line after a break
 * or a pause. Keeps a bounded number of lines.
 */
export class LiveLog {
	lines: readonly KeptLine[] = $state.raw([]);
	connection: Connection = $state('connecting');
	/** How many lines this reader was too slow for. */
	missed = $state(0);
	#wanted: Wanted = { level: 'TRACE', text: '' };
	#source: EventSource | undefined;
	#lastId: number | undefined;
	#arrived: KeptLine[] = [];
	#missedBefore = 0;
	#batch: ReturnType<typeof setTimeout> | undefined;
	#retry: ReturnType<typeof setTimeout> | undefined;
	#waitMs = FIRST_WAIT_MS;
	/** Counts what was begun and ended: who waited in the meantime can tell. */
	#turn = 0;

	/** `onbroken` is called when the server refuses the stream, to find out why: the session may be over. */
	constructor(private readonly onbroken: () => Promise<unknown>) {}

	/** Watches from now on something else, from its beginning. */
	watch(wanted: Wanted): void {
		this.close();
		this.#wanted = wanted;
		this.#lastId = undefined;
		this.lines = [];
		this.missed = 0;
		this.#connect();
	}

	pause(): void {
		this.close();
		this.#show();
		this.connection = 'paused';
	}

	/** Goes on behind the last line. */
	resume(): void {
		this.close();
		this.#connect();
	}

	/** Forgets the lines; what comes next is shown. */
	clear(): void {
		this.#arrived = [];
		this.lines = [];
		this.missed = 0;
	}

	close(): void {
		this.#turn += 1;
		clearTimeout(this.#retry);
		this.#source?.close();
		this.#source = undefined;
	}

	#connect(): void {
		this.connection = 'connecting';
		const source = new EventSource(streamAddress(this.#wanted, this.#lastId));
		this.#source = source;
		source.onopen = () => {
			this.connection = 'open';
			this.#waitMs = FIRST_WAIT_MS;
		};
		source.onmessage = (event: MessageEvent<string>) => this.#take(event);
		source.addEventListener('lagged', (event) => this.#lag(event.data));
		// The browser tries again by itself, with the header; only a refusal ends the stream.
		source.onerror = () => {
			this.connection = 'waiting';
			if (source.readyState === EventSource.CLOSED) this.#connectLater();
		};
	}

	#connectLater(): void {
		this.close();
		const turn = this.#turn;
		this.#retry = setTimeout(async () => {
			await this.onbroken().catch(() => undefined);
			if (this.#turn === turn) this.#connect();
		}, this.#waitMs);
		this.#waitMs = Math.min(this.#waitMs * 2, LAST_WAIT_MS);
	}

	#take(event: MessageEvent<string>): void {
		const line = readLine(event.data, this.#missedBefore);
		if (!line) return;
		this.#missedBefore = 0;
		// After a restart of the stream the server may send a line again.
		if (this.#lastId !== undefined && line.id <= this.#lastId) return;
		this.#lastId = line.id;
		this.#arrived.push(line);
		if (this.#arrived.length > LINES_MAX) this.#arrived.shift();
		this.#batch ??= setTimeout(() => this.#show(), BATCH_MS);
	}

	#lag(data: string): void {
		const { missed } = JSON.parse(data) as { missed: number };
		this.#missedBefore += missed;
		this.missed += missed;
	}

	#show(): void {
		clearTimeout(this.#batch);
		this.#batch = undefined;
		if (this.#arrived.length === 0) return;
		this.lines = kept(this.lines, this.#arrived, LINES_MAX);
		this.#arrived = [];
	}
}
