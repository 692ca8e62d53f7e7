import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LINES_MAX, LiveLog } from './live-log.svelte';

/** The browser's stream, steered by a test. */
class FakeSource extends EventTarget {
	static readonly CLOSED = 2;
	static opened: FakeSource[] = [];
	readyState = 1;
	onopen: (() => void) | undefined;
	onmessage: ((event: { data: string }) => void) | undefined;
	onerror: (() => void) | undefined;

	constructor(readonly address: string) {
		super();
		FakeSource.opened.push(this);
	}

	close() {
		this.readyState = FakeSource.CLOSED;
	}

	send(id: number) {
		const line = { id, time_ms: 0, level: 'INFO', target: 't', message: `line ${id}`, fields: {} };
		this.onmessage?.({ data: JSON.stringify(line) });
	}

	refuse() {
		this.close();
		this.onerror?.();
	}
}

const ALL = { level: 'TRACE', text: '' } as const;
const source = () => FakeSource.opened.at(-1) as FakeSource;

beforeEach(() => {
	vi.useFakeTimers();
	FakeSource.opened = [];
	vi.stubGlobal('EventSource', FakeSource);
});
afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

test('lines are shown in batches, each once', () => {
	const live = new LiveLog(async () => undefined);
	live.watch(ALL);
	source().onopen?.();
	source().send(1);
	source().send(2);
	source().send(2);
	expect([live.connection, live.lines.length]).toEqual(['open', 0]);
	vi.runAllTimers();
	expect(live.lines.map(({ id }) => id)).toEqual([1, 2]);
});

test('a pause shows what has come, and goes on behind it', () => {
	const live = new LiveLog(async () => undefined);
	live.watch(ALL);
	source().send(7);
	live.pause();
	expect([live.connection, live.lines.length]).toEqual(['paused', 1]);
	expect(source().readyState).toBe(FakeSource.CLOSED);
	live.resume();
	expect(source().address).toMatch(/last_event_id=7$/);
});

test('the buffer is bounded', () => {
	const live = new LiveLog(async () => undefined);
	live.watch(ALL);
	for (let id = 1; id <= 3 * LINES_MAX; id++) source().send(id);
	vi.runAllTimers();
	expect([live.lines.length, live.lines[0]?.id]).toEqual([LINES_MAX, 2 * LINES_MAX + 1]);
});

test('lines that were missed are told where they are missing', () => {
	const live = new LiveLog(async () => undefined);
	live.watch(ALL);
	source().send(1);
	source().dispatchEvent(new MessageEvent('lagged', { data: '{"missed":24}' }));
	source().send(26);
	vi.runAllTimers();
	expect([live.missed, live.lines.map(({ missed }) => missed)]).toEqual([24, [0, 24]]);
});

test('a refusal is looked into, then the stream goes on behind the last line', async () => {
	const onbroken = vi.fn(async () => undefined);
	const live = new LiveLog(onbroken);
	live.watch(ALL);
	source().send(3);
	source().refuse();
	expect(live.connection).toBe('waiting');
	await vi.runAllTimersAsync();
	expect(onbroken).toHaveBeenCalledOnce();
	expect(FakeSource.opened).toHaveLength(2);
	expect(source().address).toMatch(/last_event_id=3$/);
});

test('a page that is left does not come back by itself', async () => {
	let renewed: () => void = () => undefined;
	const live = new LiveLog(() => new Promise<void>((resolve) => (renewed = resolve)));
	live.watch(ALL);
	source().refuse();
	await vi.advanceTimersByTimeAsync(5_000);
	live.close();
	renewed();
	await vi.runAllTimersAsync();
	expect(FakeSource.opened).toHaveLength(1);
});
