import { expect, test } from 'vitest';
import { pastedKeys, recipes } from './recipes';

test('each client is told the base address that it completes by itself', () => {
	const all = recipes('http://192.168.1.5:8090', 'gb-key', 'a-model');
	const textOf = (value: string) => JSON.stringify(all.find((it) => it.value === value));

	for (const client of ['openai', 'open-webui', 'sillytavern']) {
		expect(textOf(client)).toContain('http://192.168.1.5:8090/v1');
	}
	for (const client of ['google-genai', 'gemini-cli', 'cherry-studio']) {
		expect(textOf(client)).toContain('http://192.168.1.5:8090');
		expect(textOf(client)).not.toContain('8090/v1');
	}
	expect(textOf('curl')).toContain('/v1beta/models/a-model:generateContent');
	for (const { value } of all) expect(textOf(value)).toContain('gb-key');
});

test('keys are taken out of what was pasted, each once', () => {
	expect(pastedKeys(' a,b\r\n\n b;c\t')).toEqual(['a', 'b', 'c']);
	expect(pastedKeys(' \n')).toEqual([]);
});
