import { expect, test } from 'vitest';
import { DRAWN, drawn, fileOf, furtherUp, kept, matching, readLine, streamAddress } from './lines';

function line(id: number, message: string, fields: Record<string, unknown> = {}) {
	const data = { id, time_ms: Date.UTC(2026, 4, 17), level: 'INFO', target: 't', message, fields };
	const read = readLine(JSON.stringify(data));
	if (!read) throw new Error('no line');
	return read;
}

test('a line is read with its request, and what is none is not', () => {
	const read = line(7, 'key rests', { request_id: 'ab12', model: 'a b', attempt: 2 });
	expect(read).toMatchObject({ id: 7, request: 'ab12', missed: 0 });
	expect(read.text).toBe('key rests request_id=ab12 model="a b" attempt=2');
	for (const data of ['', 'no json', 'null', '{"id":"7"}', '{"message":"x"}']) {
		expect(readLine(data), data).toBeUndefined();
	}
});

test('the buffer keeps the newest', () => {
	expect(kept([1, 2, 3], [4, 5], 4)).toEqual([2, 3, 4, 5]);
	expect(kept([1, 2], [3], 4)).toEqual([1, 2, 3]);
	expect(kept([1, 2], [3, 4, 5, 6, 7], 4)).toEqual([4, 5, 6, 7]);
	expect(kept([1, 2, 3, 4], [], 4)).toEqual([1, 2, 3, 4]);
});

test('the filter finds words in message and fields, whatever their case', () => {
	const lines = [line(1, 'Key rests', { model: 'gemini' }), line(2, 'started')];
	expect(matching(lines, 'GEMINI').map(({ id }) => id)).toEqual([1]);
	expect(matching(lines, ' ')).toBe(lines);
});

test('of many lines the last are drawn, and for one who reads further up the same ones stay', () => {
	const many = (first: number, last: number) =>
		Array.from({ length: last - first + 1 }, (_, at) => line(first + at, 'x'));
	const ends = (lines: readonly { id: number }[]) => [lines[0]?.id, lines.at(-1)?.id];
	const lines = many(1, 400);
	expect(ends(drawn(lines, undefined))).toEqual([251, 400]);
	expect(drawn(many(1, 3), undefined)).toHaveLength(3);

	const excerpt = { from: 251, count: DRAWN };
	expect(ends(drawn(many(1, 900), excerpt))).toEqual([251, 400]);
	const further = furtherUp(lines, excerpt);
	expect(ends(drawn(lines, further))).toEqual([101, 400]);
	expect(ends(drawn(lines, furtherUp(lines, further)))).toEqual([1, 400]);
	// Its first line was given up, or all of them, or does not match.
	expect(ends(drawn(many(300, 900), excerpt))).toEqual([300, 449]);
	expect(ends(drawn(many(1, 200), excerpt))).toEqual([51, 200]);
	expect(drawn([], excerpt)).toEqual([]);
	expect(furtherUp([], excerpt)).toEqual(excerpt);
});

test('the file has a line for each, with the exact time', () => {
	expect(fileOf([line(1, 'started')])).toBe('2026-05-17T00:00:00.000Z INFO started\n');
});

test('the stream is asked for what is wanted, and goes on behind the last line', () => {
	const wanted = { level: 'WARNING', text: 'a&b' } as const;
	expect(streamAddress(wanted)).toBe('/api/logs/sse?format=json&level=warning&q=a%26b');
	expect(streamAddress({ ...wanted, text: '' }, 7)).toBe(
		'/api/logs/sse?format=json&level=warning&last_event_id=7'
	);
});
