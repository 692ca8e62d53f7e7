import { expect, test } from 'vitest';
import type { Schemas } from '$lib/api/client';
import { beginOf, periodsOf, spanOf } from './span';

test('the address says how far back one looks, and a week is usual', () => {
	expect(spanOf('day')).toMatchObject({ days: 1, step: 'hour' });
	expect(spanOf('month').days).toBe(30);
	expect(spanOf(null).name).toBe('week');
	expect(spanOf('century').name).toBe('week');
	expect(beginOf(spanOf('day'), Date.UTC(2026, 0, 2))).toBe('2026-01-01T00:00:00.000Z');
});

test('periods without a request are left out, and the latest comes first', () => {
	const used = { attempts: 1, requests: 1 } as Schemas['Usage'];
	const points = [
		{ label: 'a', start_ms: 1, usage: used },
		{ label: 'b', start_ms: 2, usage: null },
		{ label: 'c', start_ms: 3, usage: { ...used, attempts: 0 } },
		{ label: 'd', start_ms: 4, usage: used }
	];
	expect(periodsOf(points).map(({ start_ms }) => start_ms)).toEqual([4, 1]);
});
