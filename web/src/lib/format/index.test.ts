import { describe, expect, test } from 'vitest';
import en from '$lib/i18n/en';
import zh from '$lib/i18n/zh';
import { createFormat } from '.';

const english = createFormat('en', en.format, 'UTC');
const chinese = createFormat('zh-CN', zh.format, 'Asia/Shanghai');
const NOW = Date.UTC(2026, 4, 17, 9, 30, 5);

describe('numbers', () => {
	test('are written as the reader writes them', () => {
		expect(english.number(1234567.8)).toBe('1,234,568');
		expect(english.decimal(12.34)).toBe('12.3');
		expect(english.percent(99.95)).toBe('100%');
		expect(english.percent(99.9)).toBe('99.9%');
		expect(english.short(12345)).toBe('12.3K');
		expect(chinese.short(123450)).toBe('12.3万');
	});

	test('that are not known are a dash and never a nought', () => {
		expect(english.number(null)).toBe('–');
		expect(english.percent(undefined)).toBe('–');
		expect(english.number(0)).toBe('0');
	});

	test.each([
		[0, '0 B'],
		[1023, '1,023 B'],
		[1024, '1 KiB'],
		[1536, '1.5 KiB'],
		[5 * 1024 ** 3, '5 GiB']
	])('%d bytes are %s', (bytes, expected) => expect(english.bytes(bytes)).toBe(expected));
});

test.each([
	[0, '0 ms'],
	[999, '999 ms'],
	[1_000, '1 s'],
	[3_440, '3.4 s'],
	[59_400, '59 s'],
	[59_600, '1 min'],
	[59 * 60_000 + 29_000, '59 min'],
	[59 * 60_000 + 31_000, '1 h'],
	[47 * 3_600_000, '47 h'],
	[9 * 86_400_000, '9 d']
])('%d ms are %s', (ms, expected) => expect(english.duration(ms)).toBe(expected));

describe('moments', () => {
	test('are told from now', () => {
		expect(english.ago(NOW + 240_000, NOW)).toBe('in 4 min.');
		expect(english.ago(NOW - 7_200_000, NOW)).toBe('2 hr. ago');
		expect(english.ago(NOW - 1_000, NOW)).toBe('now');
		expect(chinese.ago(NOW - 180_000, NOW)).toBe('3分钟前');
		expect(english.ago(null, NOW)).toBe('–');
	});

	test('are written in the zone and the way of the reader', () => {
		expect(english.time(NOW)).toBe('09:30:05');
		expect(chinese.time(NOW)).toBe('17:30:05');
		expect(english.date(NOW)).toBe('May 17, 2026');
		expect(chinese.dateTime(NOW)).toBe('2026年5月17日 17:30');
		expect(english.exact(NOW)).toBe('2026-05-17T09:30:05.000Z');
	});
});
