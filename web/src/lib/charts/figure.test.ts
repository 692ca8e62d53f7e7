import { expect, test } from 'vitest';
import { csvOf, isEmpty, strength, tableOf, type Figure } from './figure';

const figure: Figure = {
	labels: ['2026-05-17 10:00', '2026-05-17 11:00'],
	unit: 'count',
	series: [
		{ name: 'a', shape: 'bar', values: [3, null] },
		{ name: 'b', shape: 'line', values: [0, 5] }
	]
};

test('the table has a row for each period and leaves open what is not known', () => {
	expect(tableOf(figure, 'Period')).toEqual({
		head: ['Period', 'a', 'b'],
		rows: [
			['2026-05-17 10:00', 3, 0],
			['2026-05-17 11:00', null, 5]
		]
	});
});

test('a spreadsheet gets cells: no commas that divide, no formulas', () => {
	const table = { head: ['n', 'x'], rows: [['=HYPERLINK("evil")', 1.5], ['a,b', null], ['-1', -1]] };
	expect(csvOf(table)).toBe('n,x\r\n"\'=HYPERLINK(""evil"")",1.5\r\n"a,b",\r\n\'-1,-1\r\n');
});

test('nothing known is empty, a nought is not', () => {
	expect(isEmpty(figure)).toBe(false);
	expect(isEmpty({ ...figure, series: [{ name: 'a', shape: 'bar', values: [null, null] }] })).toBe(true);
	expect(isEmpty({ ...figure, series: [{ name: 'a', shape: 'bar', values: [null, 0] }] })).toBe(false);
	expect(isEmpty({ ...figure, series: [] })).toBe(true);
});

test('the most is the strongest, and one can be told from none', () => {
	expect([strength(null, 9), strength(0, 9), strength(9, 9), strength(0, 0)]).toEqual([0, 0, 1, 0]);
	expect(strength(1, 1_000)).toBeGreaterThan(0.2);
});
