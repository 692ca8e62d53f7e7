import { expect, test } from 'vitest';
import { createFormat } from '$lib/format';
import texts from '$lib/i18n/en';
import type { Figure } from './figure';
import { axisLabel, timeOption } from './options';
import type { Palette } from './palette';

const palette: Palette = {
	ink: '#000000',
	faint: '#777777',
	line: '#dddddd',
	surface: '#ffffff',
	accent: '#0000ff',
	ok: '#00aa00',
	bad: '#aa0000',
	series: ['#111111', '#222222']
};
const format = createFormat('en', texts.format, 'UTC');

interface Drawn {
	type: string;
	data: unknown[];
	color: string;
	stack?: string;
	connectNulls?: boolean;
	showSymbol?: boolean;
}

function drawn(figure: Figure): Drawn[] {
	return timeOption(figure, palette, format)['series'] as Drawn[];
}

test('bars are piled up and lines are not, so that 45 reads 45', () => {
	const series = drawn({
		labels: ['a', 'b'],
		unit: 'count',
		series: [
			{ name: 'answered', shape: 'bar', colour: 'ok', values: [40, 2] },
			{ name: 'failed', shape: 'bar', colour: 'bad', values: [5, 0] },
			{ name: 'before', shape: 'line', isBefore: true, values: [45, 1] }
		]
	});
	expect(series.map(({ data }) => data)).toEqual([[40, 2], [5, 0], [45, 1]]);
	expect(series.map(({ stack }) => stack)).toEqual(['all', 'all', undefined]);
	expect(series.map(({ color }) => color)).toEqual(['#00aa00', '#aa0000', '#777777']);
});

test('what is not known stays a gap, and a point without neighbours is seen', () => {
	const lines = (values: (number | null)[]) =>
		drawn({ labels: ['a', 'b', 'c'], unit: 'percent', series: [{ name: 'x', shape: 'line', values }] });
	expect(lines([50, null, 70])[0]).toMatchObject({
		data: [50, null, 70],
		connectNulls: false,
		showSymbol: true
	});
	expect(lines([50, 60, null])[0]).toMatchObject({ showSymbol: false });
});

test('a percentage reaches to 100, and the text of a tooltip is drawn, never markup', () => {
	const option = timeOption({ labels: [], unit: 'percent', series: [] }, palette, format);
	expect(option['yAxis']).toMatchObject({ min: 0, max: 100 });
	expect(option['tooltip']).toMatchObject({ renderMode: 'richText' });
});

test('an axis is told the time, and at midnight the day', () => {
	const labels = ['2026-11-22T13:00+05:30', '2026-11-22 00:00', '2026-11-22', '2026-46', '2026-11'];
	expect(labels.map(axisLabel)).toEqual(['13:00', '11-22', '11-22', '2026-46', '2026-11']);
});
