import { expect, test } from 'vitest';
import { createFormat } from '$lib/format';
import texts from '$lib/i18n/en';
import type { Figure } from './figure';
import { axisLabel, layOut, scale } from './geometry';

const format = createFormat('en', texts.format, 'UTC');
const draw = (figure: Figure) => layOut(figure, 400, 200, format);

/** The heights that the bars of a path reach to and stand on, in the unit of the chart. */
function read(figure: Figure, index: number): number[][] {
	const { field, ticks, marks } = draw(figure);
	const most = Number(ticks.at(-1)?.text);
	const value = (y: string) => Math.round(most * (1 - (Number(y) - field.top) / field.height));
	return [...(marks[index]?.path ?? '').matchAll(/M\S+ ([\d.]+)h\S+V([\d.]+)/g)].map(
		([, high = '', low = '']) => [value(low), value(high)]
	);
}

test('bars are piled up and lines are not, so that 45 reads 45', () => {
	const figure: Figure = {
		labels: ['a', 'b'],
		unit: 'count',
		series: [
			{ name: 'answered', shape: 'bar', colour: 'ok', values: [40, 2] },
			{ name: 'failed', shape: 'bar', colour: 'bad', values: [5, 0] },
			{ name: 'before', shape: 'line', isBefore: true, values: [45, 1] }
		]
	};
	expect(draw(figure).ticks.map(({ text }) => text)).toEqual(['0', '20', '40', '60']);
	expect(read(figure, 0)).toEqual([[0, 40], [0, 2]]);
	expect(read(figure, 1)).toEqual([[40, 45]]);
	const { field, marks } = draw(figure);
	const [, y] = /^M\S+ ([\d.]+)L/.exec(marks[2]?.path ?? '') ?? [];
	expect(Number(y)).toBeCloseTo(field.top + field.height * (1 - 45 / 60), 0);
});

test('what is not known stays a gap, and a point without neighbours is seen', () => {
	const mark = (values: (number | null)[]) =>
		draw({ labels: ['a', 'b', 'c'], unit: 'percent', series: [{ name: 'x', shape: 'line', values }] }).marks[0];
	expect(mark([50, null, 70])?.path.match(/[ML]/g)).toEqual(['M', 'M']);
	expect(mark([50, null, 70])?.points.match(/h0/g)).toHaveLength(2);
	expect(mark([50, 60, null])?.path.match(/[ML]/g)).toEqual(['M', 'L']);
	expect(mark([50, 60, null])?.points).toBe('');
});

test('a scale is made of round numbers, reaches over the highest value, and a percentage to 100', () => {
	expect(scale(0, 'count')).toEqual([0, 1]);
	expect(scale(3, 'count')).toEqual([0, 1, 2, 3]);
	expect(scale(9, 'count')).toEqual([0, 5, 10]);
	expect(scale(100, 'count')).toEqual([0, 25, 50, 75, 100]);
	expect(scale(1_234_567, 'count').at(-1)).toBe(1_500_000);
	expect(scale(90_000, 'duration')).toEqual([0, 30_000, 60_000, 90_000]);
	expect(scale(7 * 60_000, 'duration').at(-1)).toBe(8 * 60_000);
	expect(scale(0.2, 'percent').at(-1)).toBe(100);
	for (let most = 1; most < 1e6; most = Math.ceil(most * 1.7)) {
		const ticks = scale(most, 'count');
		expect(ticks.at(-1)).toBeGreaterThanOrEqual(most);
		expect(ticks.length).toBeLessThanOrEqual(5);
	}
});

test('names do not touch one another, and a midnight is among them', () => {
	const labels = Array.from({ length: 96 }, (_, at) => {
		const minutes = 15 * ((at + 50) % 96);
		const time = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0'));
		return `2026-11-${at < 46 ? '22' : '23'} ${time.join(':')}`;
	});
	const { names } = draw({ labels, unit: 'count', series: [] });
	expect(names.length).toBeGreaterThan(3);
	expect(names.map(({ text }) => text)).toContain('11-23');
	const distances = names.slice(1).map(({ x }, at) => x - (names[at]?.x ?? 0));
	expect(Math.min(...distances)).toBeGreaterThan(40);
});

test('an axis is told the time, and at midnight the day', () => {
	const labels = ['2026-11-22T13:00+05:30', '2026-11-22 00:00', '2026-11-22', '2026-46', '2026-11'];
	expect(labels.map(axisLabel)).toEqual(['13:00', '11-22', '11-22', '2026-46', '2026-11']);
});
