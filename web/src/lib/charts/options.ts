import type { EChartsCoreOption } from 'echarts/core';
import type { Format } from '$lib/format';
import type { Figure, Unit } from './figure';
import type { Palette } from './palette';

/** What a chart is drawn by: plain data, the same for the same figure. */
export type Option = EChartsCoreOption;

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

/** Bars and lines over time. A value that is not known leaves a gap. */
export function timeOption(figure: Figure, palette: Palette, format: Format): Option {
	const { labels, unit, series } = figure;
	const shown = (value: number | null | undefined) => write(value, unit, format);
	const colourOf = (colour: 'ok' | 'bad' | number) =>
		typeof colour === 'string' ? palette[colour] : palette.series[colour % palette.series.length];
	return {
		...common(palette),
		grid: { left: 4, right: 12, top: 12, bottom: 30, containLabel: true },
		legend: {
			bottom: 0,
			type: 'scroll',
			itemWidth: 14,
			itemHeight: 8,
			textStyle: { color: palette.ink },
			pageTextStyle: { color: palette.ink },
			data: series.map(({ name }) => name)
		},
		tooltip: {
			...tooltip(palette),
			trigger: 'axis',
			axisPointer: { type: 'shadow', shadowStyle: { color: palette.line, opacity: 0.5 } },
			valueFormatter: (value: unknown) => shown(typeof value === 'number' ? value : null)
		},
		xAxis: {
			type: 'category',
			data: [...labels],
			axisLine: { lineStyle: { color: palette.line } },
			axisTick: { show: false },
			axisLabel: { color: palette.faint, hideOverlap: true, formatter: axisLabel }
		},
		yAxis: {
			type: 'value',
			min: 0,
			max: unit === 'percent' ? 100 : undefined,
			minInterval: unit === 'count' ? 1 : undefined,
			splitNumber: 4,
			splitLine: { lineStyle: { color: palette.line } },
			axisLabel: {
				color: palette.faint,
				formatter: (value: number) => (unit === 'count' ? format.short(value) : shown(value))
			}
		},
		brush: {
			xAxisIndex: 0,
			toolbox: [],
			throttleType: 'debounce',
			brushStyle: { color: palette.accent, opacity: 0.15, borderColor: palette.accent }
		},
		series: series.map(({ name, values, shape, isBefore, colour }, index) => ({
			name,
			type: shape,
			data: [...values],
			color: isBefore ? palette.faint : colourOf(colour ?? index),
			...(shape === 'bar'
				? { stack: 'all', barMaxWidth: 28, barCategoryGap: '25%' }
				: {
						connectNulls: false,
						showSymbol: hasLonePoint(values),
						symbol: 'circle',
						symbolSize: 5,
						lineStyle: { width: 2, type: isBefore ? 'dashed' : 'solid' }
					})
		}))
	};
}

/** Whether a point has no neighbour: without a mark of its own nobody would see it. */
function hasLonePoint(values: readonly (number | null)[]): boolean {
	const isKnown = (index: number) => (values[index] ?? null) !== null;
	return values.some((_, at) => isKnown(at) && !isKnown(at - 1) && !isKnown(at + 1));
}

/** A field of numbers; `null` where nothing was. */
export interface Field {
	columns: readonly string[];
	rows: readonly string[];
	/** By row, then by column. */
	values: readonly (readonly (number | null)[])[];
}

/** A heat map: the darker, the more. Where nothing was, nothing is drawn. */
export function heatOption(field: Field, palette: Palette, format: Format): Option {
	const cells = field.values.flatMap((row, y) =>
		row.flatMap((value, x) => (value === null ? [] : [[x, y, value]]))
	);
	const axis = {
		type: 'category',
		axisLine: { show: false },
		axisTick: { show: false },
		axisLabel: { color: palette.faint },
		splitArea: { show: true, areaStyle: { color: [palette.sunken] } }
	};
	return {
		...common(palette),
		grid: { left: 4, right: 8, top: 8, bottom: 40, containLabel: true },
		tooltip: {
			...tooltip(palette),
			formatter: ({ value: [x = 0, y = 0, count = 0] }: { value: number[] }) =>
				`${field.rows[y]} ${field.columns[x]}: ${format.number(count)}`
		},
		xAxis: { ...axis, data: [...field.columns] },
		yAxis: { ...axis, inverse: true, data: [...field.rows] },
		visualMap: shades(cells.map(([, , value = 0]) => value), palette, format),
		series: [{ type: 'heatmap', data: cells, itemStyle: { borderColor: palette.surface, borderWidth: 2 } }]
	};
}

/** A year of days. `end` is its last day, as `2026-05-17`. */
export function calendarOption(
	days: readonly (readonly [string, number])[],
	end: string,
	language: string,
	palette: Palette,
	format: Format
): Option {
	const start = new Date(`${end}T00:00:00Z`);
	start.setUTCDate(start.getUTCDate() - 364);
	return {
		...common(palette),
		tooltip: {
			...tooltip(palette),
			formatter: ({ value: [day, count] }: { value: [string, number] }) =>
				`${day}: ${format.number(count)}`
		},
		visualMap: shades(days.map(([, count]) => count), palette, format),
		calendar: {
			range: [start.toISOString().slice(0, 10), end],
			top: 24,
			left: 36,
			right: 8,
			bottom: 44,
			cellSize: ['auto', 'auto'],
			itemStyle: { color: palette.sunken, borderColor: palette.surface, borderWidth: 2 },
			splitLine: { show: false },
			yearLabel: { show: false },
			dayLabel: {
				firstDay: 1,
				color: palette.faint,
				nameMap: namesOf(7, language, { weekday: 'short' }, 4)
			},
			monthLabel: { color: palette.faint, nameMap: namesOf(12, language, { month: 'short' }) }
		},
		series: [{ type: 'heatmap', coordinateSystem: 'calendar', data: days.map((day) => [...day]) }]
	};
}

/** Names of days (from Sunday on) or months in a language. */
function namesOf(count: number, language: string, form: Intl.DateTimeFormatOptions, first = 1): string[] {
	const names = new Intl.DateTimeFormat(language, { ...form, timeZone: 'UTC' });
	const dateOf = (index: number) =>
		form.month ? Date.UTC(2026, index, 1) : Date.UTC(2026, 0, first + index);
	return Array.from({ length: count }, (_, index) => names.format(dateOf(index)));
}

function shades(values: readonly number[], palette: Palette, format: Format) {
	return {
		min: 0,
		max: values.reduce((most, value) => Math.max(most, value), 1),
		calculable: false,
		orient: 'horizontal',
		left: 'center',
		bottom: 0,
		itemWidth: 10,
		itemHeight: 120,
		text: [format.short(values.reduce((most, value) => Math.max(most, value), 0)), '0'],
		textStyle: { color: palette.faint },
		inRange: { color: [mix(palette.sunken, palette.accent, 0.25), palette.accent] }
	};
}

/** A colour between two, as `#rrggbb`. */
function mix(from: string, to: string, share: number): string {
	const part = (colour: string, at: number) => parseInt(colour.slice(at, at + 2), 16);
	const mixed = [1, 3, 5].map((at) =>
		Math.round(part(from, at) * (1 - share) + part(to, at) * share)
			.toString(16)
			.padStart(2, '0')
	);
	return `#${mixed.join('')}`;
}

function common(palette: Palette) {
	return { animation: false, textStyle: { color: palette.ink, fontFamily: 'inherit' } };
}

/** Drawn as text by the chart itself: no name can become markup. */
function tooltip(palette: Palette) {
	return {
		renderMode: 'richText',
		confine: true,
		backgroundColor: palette.surface,
		borderColor: palette.line,
		textStyle: { color: palette.ink, fontSize: 12 }
	};
}
