/** What a number counts, and thereby how it is written. */
export type Unit = 'count' | 'percent' | 'duration';

/** Values over the labels of a figure; `null` where nothing is known. */
export interface Values {
	name: string;
	values: readonly (number | null)[];
	/** Bars are piled up on one another; lines are not. */
	shape: 'bar' | 'line';
	/** Belongs to another time: drawn faintly. */
	isBefore?: boolean;
	/** What it is coloured as; by its place if absent. */
	colour?: 'ok' | 'bad' | 'rest';
}

/** What a chart over time shows, and the table behind it. */
export interface Figure {
	/** The periods, as they are written in full. */
	labels: readonly string[];
	unit: Unit;
	series: readonly Values[];
}

/** A table of plain values. */
export interface Table {
	head: readonly string[];
	rows: readonly (readonly (string | number | null)[])[];
}

/** The numbers of a figure: a row for each period. */
export function tableOf(figure: Figure, period: string): Table {
	return {
		head: [period, ...figure.series.map(({ name }) => name)],
		rows: figure.labels.map((label, index) => [
			label,
			...figure.series.map(({ values }) => values[index] ?? null)
		])
	};
}

/** A table as a file for spreadsheets; no cell can become a formula there. */
export function csvOf({ head, rows }: Table): string {
	return [head, ...rows].map((row) => row.map(cell).join(',') + '\r\n').join('');
}

function cell(value: string | number | null): string {
	if (value === null) return '';
	if (typeof value === 'number') return String(value);
	const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Whether there is anything to draw. */
export function isEmpty(figure: Figure): boolean {
	return figure.series.every(({ values }) => values.every((value) => value === null));
}

/** A field of numbers: a heat map, and the table behind it. */
export interface Field {
	/** What stands above the columns; empty where there is no room. */
	columns: readonly string[];
	rows: readonly string[];
	/** By row, then by column; `undefined` where the field has a corner cut out. */
	cells: readonly (readonly (Cell | undefined)[])[];
}

/** A cell, by its name; `null` where nothing was. */
export interface Cell {
	name: string;
	value: number | null;
}

/** How strongly a cell is coloured, from 0 to 1: at least so that it can be told from nothing. */
export function strength(value: number | null, most: number): number {
	return value === null || value === 0 || most === 0 ? 0 : 0.2 + 0.8 * (value / most);
}
