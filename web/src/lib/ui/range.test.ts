import { expect, test } from 'vitest';
import { fromLocal, presetsOf, toLocal } from './range';

test('a moment comes back from the field as it went in, whatever the zone', () => {
	const moment = '2026-05-17T09:30:00.000Z';
	expect(fromLocal(toLocal(moment))).toBe(moment);
	expect([toLocal(undefined), toLocal(null), fromLocal('')]).toEqual(['', '', undefined]);
});

test('a preset reaches back from now', () => {
	const presets = presetsOf(Date.UTC(2026, 4, 17, 12));
	expect(presets[0]).toEqual({ name: 'hour', range: { from: '2026-05-17T11:00:00.000Z' } });
	expect(presets.at(-1)).toEqual({ name: 'all', range: {} });
});
