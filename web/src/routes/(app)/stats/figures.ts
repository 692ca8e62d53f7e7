import type { Schemas } from '$lib/api/client';
import type { Cell, Field, Figure, Table, Values } from '$lib/charts/figure';
import type { texts } from './texts';

type Texts = (typeof texts)['en'];
type Point = Schemas['Point'];
type Usage = Schemas['Usage'];

const DAY_MS = 86_400_000;

/** What lines by model, key or kind of error count. */
export const MEASURES = ['attempts', 'requests', 'total_tokens'] as const;
export type Measure = (typeof MEASURES)[number];

/** A period in full, without the distance to UTC: the page tells the zone. */
function labelOf({ label }: { label: string }): string {
	return label.replace('T', ' ').replace(/([+-]\d\d:\d\d|Z)$/, '');
}

function valuesOf(points: readonly Point[], read: (usage: Usage) => number | null | undefined) {
	return points.map(({ usage }) => (usage ? (read(usage) ?? null) : null));
}

/** The values of the period before, as many as there are now. */
function past(
	name: string,
	now: readonly Point[],
	points: readonly Point[] | undefined,
	read: (usage: Usage) => number | null | undefined
): Values[] {
	if (!points) return [];
	const values = valuesOf(points, read);
	return [
		{ name, values: now.map((_, at) => values[at] ?? null), shape: 'line', isBefore: true }
	];
}

/** Requests: those that were answered, and those that failed. */
export function requestsFigure(t: Texts, now: readonly Point[], then?: readonly Point[]): Figure {
	return {
		labels: now.map(labelOf),
		unit: 'count',
		series: [
			{ name: t.answered, shape: 'bar', colour: 'ok', values: valuesOf(now, (it) => it.successes) },
			{
				name: t.failed,
				shape: 'bar',
				colour: 'bad',
				values: valuesOf(now, (it) => it.requests - it.successes)
			},
			...past(t.requestsBefore, now, then, (it) => it.requests)
		]
	};
}

/** Tokens of questions and answers, and all of them. */
export function tokensFigure(t: Texts, now: readonly Point[], then?: readonly Point[]): Figure {
	return {
		labels: now.map(labelOf),
		unit: 'count',
		series: [
			{ name: t.total, shape: 'line', values: valuesOf(now, (it) => it.total_tokens) },
			{ name: t.prompt, shape: 'line', values: valuesOf(now, (it) => it.prompt_tokens) },
			{ name: t.completion, shape: 'line', values: valuesOf(now, (it) => it.completion_tokens) },
			...past(t.totalBefore, now, then, (it) => it.total_tokens)
		]
	};
}

/** Successes per request and per attempt, in percent. */
export function successFigure(t: Texts, now: readonly Point[], then?: readonly Point[]): Figure {
	return {
		labels: now.map(labelOf),
		unit: 'percent',
		series: [
			{ name: t.byRequest, shape: 'line', values: valuesOf(now, (it) => it.request_success_rate) },
			{ name: t.byAttempt, shape: 'line', values: valuesOf(now, (it) => it.success_rate) },
			...past(t.byRequestBefore, now, then, (it) => it.request_success_rate)
		]
	};
}

/** How long successful requests took. */
export function latencyFigure(
	t: Texts,
	points: readonly Schemas['LatencyPoint'][],
	of: 'latency' | 'first_byte'
): Figure {
	const series = (['p50_ms', 'p90_ms', 'p95_ms', 'p99_ms'] as const).map(
		(percentile): Values => ({
			name: t.percentiles[percentile],
			shape: 'line',
			values: points.map((point) => point[of][percentile] ?? null)
		})
	);
	return { labels: points.map(labelOf), unit: 'duration', series };
}

/** The largest models, keys or kinds of errors, and all others as one. */
export function linesFigure(t: Texts, chart: Schemas['Chart'], measure: Measure): Figure {
	const values = (amounts: readonly (Schemas['Amount'] | null)[]) =>
		amounts.map((amount) => amount?.[measure] ?? null);
	const series = chart.series.map(
		(line): Values => ({ name: nameOf(t, line), shape: 'bar', values: values(line.values) })
	);
	if (chart.others?.length) {
		series.push({ name: t.others, shape: 'bar', values: values(chart.others), colour: 'rest' });
	}
	return { labels: chart.periods.map(labelOf), unit: 'count', series: distinct(series) };
}

/** Two keys may look alike; a chart tells its lines apart by their names. */
function distinct(series: readonly Values[]): Values[] {
	return series.map((line, at) => {
		const isTwin = series.findIndex(({ name }) => name === line.name) < at;
		return isTwin ? { ...line, name: `${line.name} (${at + 1})` } : line;
	});
}

function nameOf(t: Texts, { name, id }: Schemas['Series']): string {
	// A call that has no model has an empty one.
	return name || (id === null || id === undefined ? t.without : `#${id}`);
}

/** What there was in all of something, and where its attempts are listed. */
export interface Sum {
	name: string;
	attempts: number;
	requests: number;
	/** Successes per attempt in percent. */
	successRate: number | null;
	tokens: number;
	/** What the request log is filtered by to show it. */
	filter?: Record<string, string>;
}

/** The sums of the lines of a chart, in their order. */
export function sumsOf(t: Texts, chart: Schemas['Chart'], by: string): Sum[] {
	return chart.series.map((line) => {
		const sum = (read: (amount: Schemas['Amount']) => number) =>
			line.values.reduce((all, amount) => all + (amount ? read(amount) : 0), 0);
		const attempts = sum((it) => it.attempts);
		return {
			name: nameOf(t, line),
			attempts,
			requests: sum((it) => it.requests),
			successRate: attempts === 0 ? null : (100 * sum((it) => it.successes)) / attempts,
			tokens: sum((it) => it.total_tokens),
			filter: filterOf(line, by)
		};
	});
}

function filterOf({ id, name }: Schemas['Series'], by: string): Record<string, string> | undefined {
	if (by === 'model') return name ? { model: name } : undefined;
	if (by === 'error_kind') return name ? { error_type: name } : undefined;
	return id === null || id === undefined ? undefined : { [`${by}_id`]: String(id) };
}

/** Names of the days of the week, from Monday on. */
function weekdays(language: string): string[] {
	const names = new Intl.DateTimeFormat(language, { weekday: 'short', timeZone: 'UTC' });
	// 5 January 2026 was a Monday.
	return Array.from({ length: 7 }, (_, day) => names.format(Date.UTC(2026, 0, 5 + day)));
}

/** Requests by weekday and hour. */
export function weekField(hours: readonly Schemas['WeekHour'][], language: string): Field {
	const rows = weekdays(language);
	const names = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'));
	const cells = rows.map((row) =>
		names.map((name): Cell => ({ name: `${row} ${name}:00`, value: null }))
	);
	for (const { weekday, hour, usage } of hours) {
		const cell = cells[weekday - 1]?.[hour];
		if (cell && usage) cell.value = usage.requests;
	}
	return { columns: names.map((name, hour) => (hour % 3 === 0 ? name : '')), rows, cells };
}

/** Requests of each day of the year that ends `today`, a column for each week. */
export function yearField(
	days: readonly (readonly [string, number])[],
	today: string,
	language: string
): Field {
	const counts = new Map(days);
	const end = Date.parse(`${today}T00:00:00Z`);
	const start = end - 364 * DAY_MS;
	const offset = (new Date(start).getUTCDay() + 6) % 7;
	const monday = start - offset * DAY_MS;
	const weeks = Math.ceil((365 + offset) / 7);
	const rows = weekdays(language);
	const cells = rows.map((_, row) =>
		Array.from({ length: weeks }, (_, week): Cell | undefined => {
			const at = monday + (7 * week + row) * DAY_MS;
			const name = new Date(at).toISOString().slice(0, 10);
			return at < start || end < at ? undefined : { name, value: counts.get(name) ?? null };
		})
	);
	const months = new Intl.DateTimeFormat(language, { month: 'short', timeZone: 'UTC' });
	const columns = Array.from({ length: weeks }, (_, week) => {
		const begin = new Date(monday + 7 * week * DAY_MS);
		return begin.getUTCDate() <= 7 && week < weeks - 2 ? months.format(begin) : '';
	});
	return { columns, rows: rows.map((row, at) => (at % 2 === 0 ? row : '')), cells };
}

/** Requests by day, for days with any. */
export function yearDays(pairs: readonly (readonly (string | number)[])[]): [string, number][] {
	return pairs.flatMap(([day, count]) =>
		typeof day === 'string' && typeof count === 'number' ? [[day, count] as [string, number]] : []
	);
}

/** The hours of the week as a table. */
export function weekTable({ rows, cells }: Field, corner: string): Table {
	const hours = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'));
	return {
		head: [corner, ...hours],
		rows: rows.map((row, at) => [row, ...(cells[at] ?? []).map((cell) => cell?.value ?? null)])
	};
}

/** By how many percent something became more; `null` if there was nothing before. */
export function change(now: number | null | undefined, then: number | null | undefined): number | null {
	if (now === null || now === undefined || !then) return null;
	return (100 * (now - then)) / then;
}
