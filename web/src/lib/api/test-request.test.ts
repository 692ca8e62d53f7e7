import { expect, test } from 'vitest';
import { wordsOf } from './test-request';

test('what the model said is put together from its parts', () => {
	const parts = [{ text: 'Hel' }, { thought: true }, { text: 'lo' }];
	expect(wordsOf(JSON.stringify({ candidates: [{ content: { parts } }] }))).toBe('Hello');
});

test('a refusal is told in its own words, and what has another form as it is', () => {
	expect(wordsOf('{"error":{"code":429,"message":"No key is free."}}')).toBe('No key is free.');
	expect(wordsOf('<html>gateway timeout')).toBe('<html>gateway timeout');
	expect(wordsOf('{"candidates":[]}')).toBe('{"candidates":[]}');
});
