import { describe, expect, it } from 'vitest';
import { filterOf, isFiltered, nextSort, queryOf, withChanges } from './query';

const read = (text: string) => queryOf(new URLSearchParams(text));

describe('queryOf', () => {
	it('reads filters and order, and leaves out what makes no sense', () => {
		expect(read('q=%20abc%20&state=resting&project=&tag=x&tier=2&sort=tier')).toEqual({
			q: 'abc',
			state: 'resting',
			project: '',
			tag: 'x',
			tier: 2,
			sort: 'tier'
		});
		expect(read('state=nonsense&tier=-1&sort=magic&q=')).toEqual({ sort: '-created_at' });
	});

	it('tells a filter from none; keys that are alone are a filter', () => {
		expect(isFiltered(read('sort=state'))).toBe(false);
		expect(isFiltered(read('project='))).toBe(true);
		expect(filterOf(read('tag=x&sort=state'))).not.toHaveProperty('sort');
	});
});

describe('nextSort', () => {
	it('turns a column round when it is chosen again', () => {
		expect(nextSort('-created_at', 'state')).toBe('state');
		expect(nextSort('state', 'state')).toBe('-state');
		expect(nextSort('-state', 'state')).toBe('state');
	});
});

describe('withChanges', () => {
	it('changes and takes away parameters, and keeps the others', () => {
		expect(withChanges('?q=a&key=k', { q: undefined, tag: 'x & y' })).toBe('?key=k&tag=x+%26+y');
	});
});
