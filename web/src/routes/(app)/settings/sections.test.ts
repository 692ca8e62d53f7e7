import { expect, test } from 'vitest';
import type { Schemas } from '$lib/api/client';
import { found, sections } from './sections';

function setting(name: string, section: string, source = 'default'): Schemas['Setting'] {
	return { name, section, source, aliases: [], default: '', doc: '', form: 'text', value: '' };
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
