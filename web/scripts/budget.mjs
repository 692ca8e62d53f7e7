// Holds the built pages against their budgets, compressed as the gateway sends them: what a browser
// needs for a page to start, and, where a page has charts, everything that it can load later on beside
// it. Fails with the numbers when a page is too heavy.
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

/** Everything that a chunk needs before it can run; if asked for, also what it loads when it is used. */
function closure(keys, isWhole, seen = new Set()) {
	for (const key of keys) {
		if (seen.has(key)) continue;
		seen.add(key);
		const { imports = [], dynamicImports = [] } = manifest[key] ?? {};
		// The start of the app names every page, and every language, as what may be loaded.
		const later = dynamicImports.filter((it) => !/\/nodes\/|\/i18n\//.test(it));
		closure(isWhole ? [...imports, ...later] : imports, isWhole, seen);
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

function weight(keys, isWhole = false) {
	const files = new Set();
	for (const key of closure(keys, isWhole)) {
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
	const keys = [...entries.map(([key]) => key), ...used];
	const bytes = shell + texts + weight(keys);
	const whole = shell + texts + weight(keys, true);
	const hasCharts = CHART_PAGES.includes(route);
	const [counted, budget] = hasCharts ? [whole, CHART_PAGE] : [bytes, FIRST_PAGE];
	const verdict = counted <= budget ? 'ok' : 'TOO HEAVY';
	isTooHeavy ||= budget < counted;
	const told = (bytes) => (bytes / KB).toFixed(1).padStart(6);
	console.log(
		`${verdict.padEnd(9)} ${told(counted)} of ${budget / KB} kB  ${route}  (${told(bytes).trim()} at first, ${told(whole).trim()} with what is loaded later)`
	);
}
if (routes.length === 0 || isTooHeavy) process.exit(1);
