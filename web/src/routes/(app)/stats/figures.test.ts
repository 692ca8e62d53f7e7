import { expect, test } from 'vitest';
import type { Schemas } from '$lib/api/client';
import { texts } from './texts';
import {
	change,
	latencyFigure,
	linesFigure,
	requestsFigure,
	successFigure,
	sumsOf,
	tokensFigure,
	weekField,
	yearField
} from './figures';

const t = texts.en;

function usage(requests: number, successes: number, attempts = requests): Schemas['Usage'] {
	return {
		attempts,
		requests,
		successes,
		cached_tokens: 0,
		completion_tokens: 20,
		prompt_tokens: 10,
		thinking_tokens: 5,
		total_tokens: 35,
		request_success_rate: (100 * successes) / requests,
		success_rate: (100 * successes) / attempts
	};
}

const points: Schemas['Point'][] = [
	{ label: '2026-05-17T10:00+09:00', start_ms: 0, usage: usage(4, 3, 6) },
	{ label: '2026-05-17T11:00+09:00', start_ms: 1, usage: null }
];

test('requests are answered or failed, and an empty period is a gap', () => {
	const figure = requestsFigure(t, points, points.slice(0, 1));
	expect(figure.labels).toEqual(['2026-05-17 10:00', '2026-05-17 11:00']);
	expect(figure.series.map(({ values }) => values)).toEqual([[3, null], [1, null], [4, null]]);
	expect(figure.series.map(({ isBefore }) => isBefore)).toEqual([undefined, undefined, true]);
});

test('success is told by request and by attempt', () => {
	expect(successFigure(t, points).series.map(({ values }) => values)).toEqual([[75, null], [50, null]]);
	expect(tokensFigure(t, points).series.map(({ values }) => values[0])).toEqual([35, 10, 20]);
});

test('percentiles are read from what the figure is of', () => {
	const of = (p50_ms: number) => ({ p50_ms, p90_ms: p50_ms + 1, p95_ms: null, p99_ms: null });
	const point = { label: '2026-05-17', start_ms: 0, latency: of(100), first_byte: of(10) };
	const values = (name: 'latency' | 'first_byte') =>
		latencyFigure(t, [point], name).series.map(({ values: [value] }) => value);
	expect(values('latency')).toEqual([100, 101, null, null]);
	expect(values('first_byte')).toEqual([10, 11, null, null]);
});

const chart: Schemas['Chart'] = {
	periods: [
		{ label: '2026-05-16', start_ms: 0 },
		{ label: '2026-05-17', start_ms: 1 }
	],
	series: [
		{ id: 7, name: 'a', values: [{ attempts: 40, requests: 30, successes: 20, total_tokens: 9 }, null] },
		{ id: 8, name: 'a', values: [null, { attempts: 5, requests: 5, successes: 5, total_tokens: 1 }] },
		{ id: null, name: null, values: [{ attempts: 1, requests: 1, successes: 0, total_tokens: 0 }, null] }
	],
	others: [{ attempts: 2, requests: 2, successes: 2, total_tokens: 3 }, null]
};

test('lines keep their own numbers, and two of one name can be told apart', () => {
	const figure = linesFigure(t, chart, 'attempts');
	expect(figure.series.map(({ name }) => name)).toEqual(['a', 'a (2)', 'none', 'all others']);
	expect(figure.series.map(({ values }) => values)).toEqual([[40, null], [null, 5], [1, null], [2, null]]);
	expect(linesFigure(t, { ...chart, others: null }, 'total_tokens').series).toHaveLength(3);
});

test('sums lead to their attempts', () => {
	const [first, , none] = sumsOf(t, chart, 'service_key');
	expect(first).toEqual({
		name: 'a',
		attempts: 40,
		requests: 30,
		successRate: 50,
		tokens: 9,
		filter: { service_key_id: '7' }
	});
	expect(none?.filter).toBeUndefined();
	expect(sumsOf(t, chart, 'model')[0]?.filter).toEqual({ model: 'a' });
	expect(sumsOf(t, chart, 'error_kind')[0]?.filter).toEqual({ error_type: 'a' });
});

test('the week begins on Monday', () => {
	const field = weekField(
		[
			{ weekday: 1, hour: 0, usage: usage(3, 3) },
			{ weekday: 7, hour: 23, usage: null }
		],
		'en'
	);
	expect([field.rows[0], field.rows[6], field.columns.length]).toEqual(['Mon', 'Sun', 24]);
	expect(field.cells[0]?.[0]).toEqual({ name: 'Mon 00:00', value: 3 });
	expect(field.cells[6]?.[23]).toEqual({ name: 'Sun 23:00', value: null });
});

test('the year ends today and has each of its days once, on its weekday', () => {
	const { cells } = yearField([['2026-05-17', 7]], '2026-05-17', 'en');
	const days = cells.flat().filter((cell) => cell !== undefined);
	expect(new Set(days.map(({ name }) => name)).size).toBe(365);
	expect(days.filter(({ value }) => value !== null)).toEqual([{ name: '2026-05-17', value: 7 }]);
	// A Sunday: the last row, in the last column.
	expect(cells[6]?.at(-1)?.name).toBe('2026-05-17');
	expect(cells.flat().some((cell) => cell?.name === '2025-05-18')).toBe(true);
});

test('a change needs something before', () => {
	expect([change(30, 20), change(10, 20), change(3, 0), change(3, undefined)]).toEqual([50, -50, null, null]);
});
