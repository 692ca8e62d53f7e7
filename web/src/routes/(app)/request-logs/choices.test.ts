import { expect, test } from 'vitest';
import { createFormat } from '$lib/format';
import english from '$lib/i18n/en';
import { optionsOf } from './choices';
import { texts } from './texts';

test('no two choices of a filter are the same, also where calls had no model', () => {
	const counts = {
		error_kinds: [{ error_kind: 'timeout', attempts: 2 }],
		models: [
			{ model: 'gemini-2.5-flash', attempts: 7 },
			{ model: '', attempts: 3 }
		],
		user_keys: [{ user_key_id: 1, name: 'me', attempts: 10 }],
		service_keys: [{ service_key_id: 4, key_brief: null, attempts: 10 }]
	};
	const known = { statuses: [200, 429] } as Parameters<typeof optionsOf>[1];
	const any = { value: '', label: 'any' };
	const format = createFormat('en', english.format, 'UTC');
	const options = optionsOf(counts as Parameters<typeof optionsOf>[0], known, any, texts.en, format);
	for (const [name, choices] of Object.entries(options)) {
		const values = choices.map(({ value }) => value);
		expect(new Set(values).size, name).toBe(values.length);
		expect(values.slice(0, 1), name).toEqual(['']);
	}
	expect(options.model.map(({ value }) => value)).toEqual(['', 'gemini-2.5-flash']);
	expect(options.service_key_id.at(-1)?.label).toContain('#4');
});
