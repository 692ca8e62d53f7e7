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
const document = JSON.parse(snapshot.slice(snapshot.indexOf('---\n', 4) + 4));
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
