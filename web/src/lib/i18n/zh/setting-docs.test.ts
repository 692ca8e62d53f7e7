import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { settingDocs } from './setting-docs';

/** The page that the server writes from its table of settings. */
const page = readFileSync('../docs/configuration.md', 'utf8');

test('every setting of the server is described in Chinese, and no other', () => {
	const names = Array.from(page.matchAll(/^\| `([A-Z_]+)`/gm), (found) => found[1]);
	expect(names.length).toBeGreaterThan(50);
	expect(Object.keys(settingDocs).sort()).toEqual(names.sort());
});

test('a description in Chinese is written in Chinese, with its names between backticks', () => {
	for (const [name, doc] of Object.entries(settingDocs)) {
		expect(doc, name).toMatch(/[\u4e00-\u9fff]/);
		expect(doc.split('`').length % 2, name).toBe(1);
	}
});
