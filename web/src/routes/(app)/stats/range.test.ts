import { expect, test } from 'vitest';
import { askedOf, before, hasLatencies, stepsOf, usualStep } from './range';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 4, 17, 12);

const ask = (text: string) => askedOf(new URLSearchParams(text), NOW, 'Asia/Tokyo');

test('without a word it is the last day, in the zone of the reader', () => {
	expect(ask('')).toEqual({
		from: '2026-05-16T12:00:00.000Z',
		to: '2026-05-17T12:00:00.000Z',
		step: 'quarter',
		timezone: 'Asia/Tokyo',
		by: 'model',
		isCompared: false,
		isChosen: false
	});
});

test('what is asked for counts; what makes no sense does not', () => {
	const asked = ask('from=2026-05-01T00:00:00Z&to=2026-05-08T00:00:00Z&step=day&zone=UTC&by=user_key&compare=1');
	expect(asked).toMatchObject({ step: 'day', timezone: 'UTC', by: 'user_key', isCompared: true, isChosen: true });
	expect(before(asked)).toEqual({ from: '2026-04-24T00:00:00.000Z', to: '2026-05-01T00:00:00.000Z' });
	expect(ask('from=2027-01-01T00:00:00Z&step=fortnight&by=<b>')).toMatchObject({
		from: '2026-05-16T12:00:00.000Z',
		step: 'quarter',
		by: 'model',
		isChosen: false
	});
});

test('periods are as long as the range makes them readable', () => {
	expect([usualStep(DAY), usualStep(3 * DAY), usualStep(60 * DAY), usualStep(600 * DAY), usualStep(9_000 * DAY)]).toEqual(
		['quarter', 'hour', 'day', 'week', 'month']
	);
	expect(stepsOf(DAY)).toEqual(['quarter', 'hour', 'day']);
	expect(stepsOf(60 * DAY)).toEqual(['day', 'week', 'month']);
});

test('how long requests took is known of 100 days', () => {
	expect(hasLatencies(ask('from=2026-05-01T00:00:00Z'))).toBe(true);
	expect(hasLatencies(ask('from=2026-01-01T00:00:00Z'))).toBe(false);
});
