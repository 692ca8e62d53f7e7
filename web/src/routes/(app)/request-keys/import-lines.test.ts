import { describe, expect, it } from 'vitest';
import { linesOf } from './import-lines';

const A = 'AIzaSy-first-key-of-the-tests';
const B = 'AIzaSy-second-key-of-the-tests';

describe('linesOf', () => {
	it('takes one key from each line, whatever ends it', () => {
		expect(linesOf(`\uFEFF${A}\r\n\n  ${B}  \r`)).toEqual({ keys: [A, B], repeated: 0, malformed: [] });
	});

	it('counts what stands there again, and keeps what can be no key', () => {
		const lines = linesOf([A, 'short', A, 'with a space in it', 'schlüssel-mit-umlaut', B, A].join('\n'));
		expect(lines.keys).toEqual([A, B]);
		expect(lines.repeated).toBe(2);
		expect(lines.malformed).toEqual(['short', 'with a space in it', 'schlüssel-mit-umlaut']);
	});

	it('finds the column of the keys in CSV, and takes every cell where none is named', () => {
		expect(linesOf(`name,api_key,note\nmine,"${A}","a, b"\nyours,${B},`).keys).toEqual([A, B]);
		expect(linesOf(`${A},${B}`).keys).toEqual([A, B]);
	});

	it('reads the values of an .env file and passes over its remarks', () => {
		const text = `# keys\nexport GEMINI_API_KEY="${A}"\nAPI_KEYS='["${B}"]'\n`;
		expect(linesOf(text)).toEqual({ keys: [A, B], repeated: 0, malformed: [] });
	});

	it('reads JSON lists, objects and what this gateway exports', () => {
		expect(linesOf(JSON.stringify([A, B])).keys).toEqual([A, B]);
		const exported = { keys: [{ api_key: A, note: 'a note that is no key', tags: [] }], missing: [] };
		expect(linesOf(JSON.stringify(exported))).toEqual({ keys: [A], repeated: 0, malformed: [] });
	});

	it('takes broken JSON for lines instead of losing it', () => {
		expect(linesOf(`[${A}`).keys).toEqual([`[${A}`]);
	});

	it('reads ten thousand lines at once', () => {
		const text = Array.from({ length: 10_000 }, (_, n) => `AIzaSy-key-${n % 9_000}`).join('\n');
		const { keys, repeated } = linesOf(text);
		expect([keys.length, repeated]).toEqual([9_000, 1_000]);
	});
});
