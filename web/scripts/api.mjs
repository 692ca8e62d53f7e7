// Writes src/lib/api/schema.d.ts from the API document that the server's own test keeps true.
// With --check nothing is written; the script fails if the file is out of step.
import { readFile, writeFile } from 'node:fs/promises';
import openapi, { astToString } from 'openapi-typescript';

const DOCUMENT = new URL(
	'../../crates/gemini-balance/src/admin/snapshots/gemini_balance__admin__openapi__tests__openapi.snap',
	import.meta.url
);
const SCHEMA = new URL('../src/lib/api/schema.d.ts', import.meta.url);
const HEAD = '// Made by `npm run api` from the API document of the server. Never edited.\n\n';

// A snapshot has a head of its own between two lines of dashes.
const snapshot = await readFile(DOCUMENT, 'utf8');
const document = withoutEmptyObjects(JSON.parse(snapshot.slice(snapshot.indexOf('---\n', 4) + 4)));
const schema = HEAD + astToString(await openapi(document, { alphabetize: true }));

if (process.argv.includes('--check')) {
	const written = await readFile(SCHEMA, 'utf8').catch(() => '');
	if (written !== schema) {
		console.error('src/lib/api/schema.d.ts is out of step with the API: run `npm run api`');
		process.exit(1);
	}
} else {
	await writeFile(SCHEMA, schema);
}

/**
 * The document says of some texts that they are a text and an object, where the object is only there
 * for its description. No value is both.
 */
function withoutEmptyObjects(value) {
	if (Array.isArray(value)) return value.map(withoutEmptyObjects);
	if (typeof value !== 'object' || value === null) return value;
	const entries = Object.entries(value).map(([key, inner]) => [key, withoutEmptyObjects(inner)]);
	const copy = Object.fromEntries(entries);
	if (!Array.isArray(copy.allOf)) return copy;
	const isEmpty = (part) => Object.keys(part).sort().join() === 'description,type' && part.type === 'object';
	const description = copy.allOf.find(isEmpty)?.description;
	const [only, ...others] = copy.allOf.filter((part) => !isEmpty(part));
	return description && others.length === 0 ? { ...only, description } : copy;
}
