// Holds the built pages against their budgets: what a browser loads for a page the first time,
// compressed as the gateway sends it. Fails with the numbers when a page is too heavy.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { existsSync, readFileSync } from 'node:fs';

const KB = 1000;
/** The heaviest a page may be, in bytes; a page that is not named is held to the first. */
const FIRST_PAGE = 110 * KB;
const CHART_PAGE = 240 * KB;
const CHART_PAGES = ['/(app)/stats'];

const root = new URL('../', import.meta.url);
const read = async (path) => JSON.parse(await readFile(new URL(path, root), 'utf8'));
const manifest = await read('.svelte-kit/output/client/.vite/manifest.json');

/** Routes by the number of their node, as the client's manifest numbers them. */
const nodes = Object.entries(manifest).filter(([, chunk]) => chunk.src?.includes('client-optimized/nodes/'));
const entries = Object.entries(manifest).filter(
	([, chunk]) => chunk.isEntry && !chunk.src?.includes('/nodes/')
);
const appSource = readFileSync(
	new URL('.svelte-kit/generated/client-optimized/app.js', root),
	'utf8'
);
const table = /export const dictionary = (\{[\s\S]*?\});/.exec(appSource)?.[1] ?? '{}';
const routes = Object.entries(JSON.parse(table.replace(/'/g, '"').replace(/,(\s*})/g, '$1').replace(/\/\/.*$/gm, '')));

/** Everything that a chunk needs before it can run. */
function closure(keys, seen = new Set()) {
	for (const key of keys) {
		if (seen.has(key)) continue;
		seen.add(key);
		closure(manifest[key]?.imports ?? [], seen);
	}
	return seen;
}

function compressed(file) {
	const built = new URL(`build/${file}`, root);
	const gzip = new URL(`build/${file}.gz`, root);
	// Over plain HTTP, a browser takes no brotli: gzip is what has to fit.
	if (existsSync(gzip)) return readFileSync(gzip).length;
	return gzipSync(readFileSync(built)).length;
}

function weight(keys) {
	const files = new Set();
	for (const key of closure(keys)) {
		const chunk = manifest[key];
		if (chunk?.file) files.add(chunk.file);
		for (const css of chunk?.css ?? []) files.add(css);
	}
	return [...files].reduce((sum, file) => sum + compressed(file), 0);
}

const node = (number) =>
	nodes.filter(([, chunk]) => chunk.src?.endsWith(`/nodes/${number}.js`)).map(([key]) => key);
// The texts of one language are loaded by name; the heavier ones count.
const texts = Math.max(
	...['en', 'zh'].map((language) => weight([`src/lib/i18n/${language}/index.ts`]))
);
const shell = compressed('index.html');
let isTooHeavy = false;
for (const [route, [leaf, layouts = []]] of routes) {
	const used = [0, 1, ...layouts, leaf].flatMap((number) => node(number < 0 ? ~number : number));
	const bytes = shell + texts + weight([...entries.map(([key]) => key), ...used]);
	const budget = CHART_PAGES.includes(route) ? CHART_PAGE : FIRST_PAGE;
	const verdict = bytes <= budget ? 'ok' : 'TOO HEAVY';
	isTooHeavy ||= budget < bytes;
	console.log(`${verdict.padEnd(9)} ${(bytes / KB).toFixed(1).padStart(6)} of ${budget / KB} kB  ${route}`);
}
if (routes.length === 0 || isTooHeavy) process.exit(1);
