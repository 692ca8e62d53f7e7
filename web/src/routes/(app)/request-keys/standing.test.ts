import { describe, expect, it } from 'vitest';
import type { ServiceKey } from './read';
import { standingOf, tagsOf } from './standing';

const key = { state: 'active', in_use: 0, buckets: [] } as unknown as ServiceKey;
const bucket = (state: string, until?: string) => ({ model: 'm', level: 1, failures: 0, state, until });

describe('standingOf', () => {
	it('says when the first of the resting models is back', () => {
		const buckets = [
			bucket('cooling', '2026-01-01T00:05:00Z'),
			bucket('ready', '2026-01-01T00:00:00Z'),
			bucket('exhausted_today', '2026-01-01T00:02:00Z')
		];
		expect(standingOf({ ...key, buckets })).toEqual({
			word: 'resting',
			tone: 'wait',
			until: '2026-01-01T00:02:00Z'
		});
	});

	it('puts what keeps a key from serving before everything else', () => {
		const invalid = { ...key, state: 'invalid', in_use: 2, next_probe_at: 'soon' } as ServiceKey;
		expect(standingOf(invalid)).toMatchObject({ word: 'invalid', tone: 'bad', probeAt: 'soon' });
		expect(standingOf({ ...key, in_use: 1 }).word).toBe('in_use');
		expect(standingOf({ ...key, buckets: [bucket('proving')] }).word).toBe('active');
	});
});

describe('tagsOf', () => {
	it('takes each tag once, whichever comma is between them', () => {
		expect(tagsOf(' a, b，a ,, ')).toEqual(['a', 'b']);
	});
});
