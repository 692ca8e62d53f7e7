import { expect, test } from 'vitest';
import { pagesOf, queryOf } from './query';

const read = (query: string) => queryOf(new URLSearchParams(query));

test('the address says which resources, and from which page on', () => {
	expect(read('q=abc&kind=files&user=3&key=7&page=2')).toEqual({
		q: 'abc',
		kind: 'files',
		user: 3,
		key: 7,
		page: 2
	});
});

test('what makes no sense in the address counts for nothing', () => {
	const all = { q: '', kind: '', user: 0, key: 0, page: 1 };
	expect(read('')).toEqual(all);
	expect(read('user=x&key=-1&page=1.5')).toEqual(all);
	expect(read('page=0')).toEqual(all);
});

test('there is always a page to show', () => {
	expect([0, 1, 100, 101].map(pagesOf)).toEqual([1, 1, 1, 2]);
});
