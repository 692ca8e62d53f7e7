import { expect, test } from 'vitest';
import { drawnRows } from './window';

test('only rows near the window are drawn', () => {
	expect(drawnRows(0, 400, 40, 1_000)).toEqual({ first: 0, end: 22 });
	expect(drawnRows(4_000, 400, 40, 1_000)).toEqual({ first: 88, end: 122 });
});

test('nothing is drawn beyond the ends', () => {
	expect(drawnRows(-500, 400, 40, 5)).toEqual({ first: 0, end: 5 });
	expect(drawnRows(90_000, 400, 40, 5)).toEqual({ first: 5, end: 5 });
	expect(drawnRows(0, 400, 40, 0)).toEqual({ first: 0, end: 0 });
});
