import { describe, expect, it } from 'vitest';
import { listed, queryOf, stateOf, type UserKey } from './list';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const key = (id: number, more: Partial<UserKey> = {}): UserKey => ({
	id,
	alias: `app ${id}`,
	api_key: `sk-${id}`,
	note: '',
	enabled: true,
	call_count: 0,
	tokens: 0,
	created_at: `2026-01-0${id}T00:00:00Z`,
	...more
});
const read = (text: string) => queryOf(new URLSearchParams(text));
const ids = (keys: UserKey[]) => keys.map(({ id }) => id);

describe('stateOf', () => {
	it('says disabled before expired, and expired from the very moment on', () => {
		const expires_at = '2026-06-01T00:00:00Z';
		expect(stateOf(key(1, { expires_at }), NOW - 1)).toBe('usable');
		expect(stateOf(key(1, { expires_at }), NOW)).toBe('expired');
		expect(stateOf(key(1, { expires_at, enabled: false }), NOW)).toBe('disabled');
	});
});

describe('listed', () => {
	const keys = [
		key(1, { note: 'Phone', expires_at: '2026-07-01T00:00:00Z', tokens: 5 }),
		key(2, { expires_at: '2026-05-01T00:00:00Z', last_used_at: '2026-05-01T00:00:00Z' }),
		key(3, { enabled: false, tokens: 9 })
	];

	it('finds words in name, key and note', () => {
		expect(ids(listed(keys, read('q=phONE'), NOW))).toEqual([1]);
		expect(ids(listed(keys, read('q=sk-2'), NOW))).toEqual([2]);
	});

	it('filters by state', () => {
		expect(ids(listed(keys, read('state=expired'), NOW))).toEqual([2]);
		expect(ids(listed(keys, read('state=nonsense'), NOW))).toEqual([3, 2, 1]);
	});

	it('sorts; what never expires comes last', () => {
		expect(ids(listed(keys, read('sort=expires_at'), NOW))).toEqual([2, 1, 3]);
		expect(ids(listed(keys, read('sort=tokens'), NOW))).toEqual([3, 1, 2]);
		expect(ids(listed(keys, read('sort=last_used_at'), NOW))).toEqual([2, 3, 1]);
	});
});
