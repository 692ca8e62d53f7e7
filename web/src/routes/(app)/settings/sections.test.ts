import { expect, test } from 'vitest';
import type { Schemas } from '$lib/api/client';
import { choices, found, isChangeable, sections } from './sections';

function setting(name: string, section: string, source = 'default'): Schemas['Setting'] {
	const written = { aliases: [], default: '', doc: '', form: 'text', value: '' };
	return { name, section, source, is_live: false, ...written };
}

const ALL = [setting('HOST', 'Server'), setting('PORT', 'Server', 'file'), setting('X', 'Other')];
const names = (settings: Schemas['Setting'][]) => settings.map(({ name }) => name);

test('settings are found by every word of the search', () => {
	expect(names(found(ALL, '', false))).toEqual(['HOST', 'PORT', 'X']);
	expect(names(found(ALL, ' server  po', false))).toEqual(['PORT']);
	expect(names(found(ALL, '', true))).toEqual(['PORT']);
});

test('settings stand under their headings in their order', () => {
	expect(sections(ALL).map(({ name, settings }) => [name, names(settings)])).toEqual([
		['Server', ['HOST', 'PORT']],
		['Other', ['X']]
	]);
});

test('a setting can be changed here if it is live and nothing goes before that', () => {
	const live = (source: string) => ({ ...setting('X', 'Other', source), is_live: true });
	expect(['default', 'stored', 'environment', 'dot_env', 'file'].filter((it) => isChangeable(live(it)))).toEqual([
		'default',
		'stored'
	]);
	expect(isChangeable(setting('X', 'Other'))).toBe(false);
});

test('one chooses among a few words and writes everything else', () => {
	expect(choices('auto, true, false')).toEqual(['auto', 'true', 'false']);
	expect(choices('true or false')).toEqual(['true', 'false']);
	for (const form of ['text', 'seconds, 0.01 to 86400', '0 to 100', 'list of origins such as https://x']) {
		expect(choices(form)).toEqual([]);
	}
});
