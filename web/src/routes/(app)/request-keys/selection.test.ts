import { describe, expect, it } from 'vitest';
import { Selection } from './selection.svelte';

describe('Selection', () => {
	it('chooses a row and gives it up again', () => {
		const selection = new Selection();
		selection.toggle('a', 3);
		expect([selection.has('a'), selection.has('b'), selection.count(9)]).toEqual([true, false, 1]);
		selection.toggle('a', 3);
		expect(selection.count(9)).toBe(0);
	});

	it('spans a range from the row chosen last, in either direction', () => {
		const selection = new Selection();
		expect(selection.rangeTo(4)).toEqual({ from: 4, to: 4 });
		selection.toggle('a', 7);
		expect(selection.rangeTo(4)).toEqual({ from: 4, to: 7 });
		expect(selection.rangeTo(9)).toEqual({ from: 7, to: 9 });
	});

	it('holds all that match, also what was never loaded, until it is cleared', () => {
		const selection = new Selection();
		selection.addAll(['a', 'b']);
		selection.all();
		expect([selection.has('never seen'), selection.count(50_000)]).toEqual([true, 50_000]);
		selection.clear();
		expect([selection.has('a'), selection.count(50_000)]).toEqual([false, 0]);
	});
});
