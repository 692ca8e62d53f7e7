import type { Format } from '$lib/format';
import type { Figure, Unit, Values } from './figure';

/** Where the lines of a chart lie, and what they are called. */
export interface Geometry {
	/** The field that the values are drawn in. */
	field: { left: number; top: number; width: number; height: number };
	/** The width of a period. */
	band: number;
	/** The lines that values are read off at. */
	ticks: readonly { y: number; text: string }[];
	/** The names of as many periods as there is room for. */
	names: readonly { x: number; text: string }[];
	marks: readonly Mark[];
}

/** How a series is drawn: the path of an area or of a line. */
interface Mark {
	shape: Values['shape'];
	path: string;
	/** Known values without a neighbour: without a mark of their own nobody would see them. */
	points: string;
}

/** What a character of an axis is wide, a Chinese one too, and a line of text high. */
const CHARACTER = 7;
const WIDE_CHARACTER = 12;
const TEXT_HEIGHT = 18;
const GAP = 10;
const TICKS = 4;
/** The widest that a bar is drawn, and its share of the period. */
const BAR_MAX = 28;
const BAR_SHARE = 0.75;
const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000] as const;
/** Lengths of time that are round. */
const LONG = [
	...[10, 15, 20, 30].map((it) => it * SECOND),
	...[1, 2, 5, 10, 15, 20, 30].map((it) => it * MINUTE),
	...[1, 2, 3, 6, 12, 24].map((it) => it * HOUR)
];
/** Every how many periods a name stands. */
const STRIDES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 192, 384];

/** A number as a reader writes it. */
export function write(value: number | null | undefined, unit: Unit, format: Format): string {
	if (unit === 'percent') return format.percent(value);
	return unit === 'duration' ? format.duration(value) : format.number(value);
}

/** The name of a period, as short as an axis needs it: the time, and at midnight the day. */
export function axisLabel(label: string): string {
	const time = /^(?:\d{4}-)(\d\d-\d\d)[T ](\d\d:\d\d)/.exec(label);
	if (time) return time[2] === '00:00' ? (time[1] ?? label) : (time[2] ?? label);
	return /^\d{4}-\d\d-\d\d$/.test(label) ? label.slice(5) : label;
}

/** Round values from 0 to at least `most`, a handful of them. */
export function scale(most: number, unit: Unit): number[] {
	if (unit === 'percent') return [0, 25, 50, 75, 100];
	// Half a request there is not, and half a millisecond nobody reads.
	const rough = Math.max(1, most / TICKS);
	const power = 10 ** Math.floor(Math.log10(rough));
	const steps = unit === 'duration' && 5_000 < rough ? LONG : [1, 2, 2.5, 5, 10].map((it) => it * power);
	const size = steps.find((it) => rough <= it && it % 1 === 0) ?? DAY * Math.ceil(rough / DAY);
	const count = Math.max(1, Math.ceil(most / size));
	return Array.from({ length: count + 1 }, (_, at) => at * size);
}

function widthOf(text: string): number {
	const isWide = (character: string) => '\u2e80' <= character;
	return [...text].reduce((sum, it) => sum + (isWide(it) ? WIDE_CHARACTER : CHARACTER), 0);
}

/** Lays a figure out in a box of so many pixels. A value that is not known leaves a gap. */
export function layOut(figure: Figure, width: number, height: number, format: Format): Geometry {
	const { labels, unit, series } = figure;
	const sums = piled(series, labels.length);
	const values = scale(Math.max(0, ...sums.flat().map((it) => it?.[1] ?? 0)), unit);
	const most = values.at(-1) ?? 1;
	const texts = values.map((it) => (unit === 'count' ? format.short(it) : write(it, unit, format)));
	const left = GAP + Math.max(0, ...texts.map(widthOf));
	const field = {
		left,
		top: TEXT_HEIGHT / 2,
		width: Math.max(0, width - left - GAP),
		height: Math.max(0, height - 1.5 * TEXT_HEIGHT)
	};
	const band = field.width / Math.max(1, labels.length);
	const yOf = (value: number) => field.top + field.height * (1 - value / most);
	const xOf = (at: number) => field.left + band * (at + 0.5);
	return {
		field,
		band,
		ticks: values.map((value, at) => ({ y: yOf(value), text: texts[at] ?? '' })),
		names: namesOf(labels, band)
			.map(({ at, text }) => ({ x: xOf(at), text }))
			.filter(({ x, text }) => widthOf(text) / 2 <= width - x),
		marks: series.map(({ shape }, index) => {
			const ends = sums[index] ?? [];
			if (shape === 'line') return line(ends, xOf, yOf);
			return { shape, path: bars(ends, xOf, yOf, Math.min(BAR_MAX, Math.max(1, band * BAR_SHARE))), points: '' };
		})
	};
}

/** From where to where each value reaches: bars stand on those before them, lines on the ground. */
function piled(series: readonly Values[], length: number): ([number, number] | null)[][] {
	const tops = new Array<number>(length).fill(0);
	return series.map(({ shape, values }) =>
		tops.map((top, at) => {
			const value = values[at];
			if (value === null || value === undefined) return null;
			if (shape === 'line') return [0, value];
			tops[at] = top + value;
			return [top, top + value];
		})
	);
}

type Ends = readonly ([number, number] | null)[];
type Place = (value: number) => number;

function bars(ends: Ends, xOf: Place, yOf: Place, width: number): string {
	return ends
		.map((end, at) => {
			if (!end || end[0] === end[1]) return '';
			const [low, high] = [yOf(end[0]), yOf(end[1])];
			return `M${px(xOf(at) - width / 2)} ${px(high)}h${px(width)}V${px(low)}h${px(-width)}z`;
		})
		.join('');
}

function line(ends: Ends, xOf: Place, yOf: Place): Mark {
	let [path, points] = ['', ''];
	for (const [at, end] of ends.entries()) {
		if (!end) continue;
		const place = `${px(xOf(at))} ${px(yOf(end[1]))}`;
		const [hasBefore, hasAfter] = [Boolean(ends[at - 1]), Boolean(ends[at + 1])];
		path += `${hasBefore ? 'L' : 'M'}${place}`;
		if (!hasBefore && !hasAfter) points += `M${place}h0`;
	}
	return { shape: 'line', path, points };
}

function px(value: number): number {
	return Math.round(10 * value) / 10;
}

/** Which periods are named: as many as do not touch, and midnights before all others. */
function namesOf(labels: readonly string[], band: number): { at: number; text: string }[] {
	const texts = labels.map(axisLabel);
	const widest = Math.max(0, ...texts.map(widthOf)) + 2 * GAP;
	const stride = STRIDES.find((stride) => widest <= stride * band) ?? labels.length;
	const midnight = labels.findIndex((label) => /[T ]00:00/.test(label));
	const phase = Math.max(0, midnight) % stride;
	return texts.flatMap((text, at) => (at % stride === phase ? [{ at, text }] : []));
}
