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
			interval: unit === 'percent' ? 25 : undefined,
			minInterval: 1,
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
						showAllSymbol: true,
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
