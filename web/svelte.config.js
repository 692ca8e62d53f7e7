import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import adapter from '@sveltejs/adapter-static';

/** A name for the build that is the same for the same source, so that it can be repeated bit for bit. */
function version() {
	const folders = ['src', 'static'].flatMap((folder) =>
		readdirSync(folder, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map((entry) => join(entry.parentPath ?? entry.path, entry.name))
	);
	const hash = createHash('sha256');
	for (const file of [...folders, 'package-lock.json', 'vite.config.ts'].sort()) {
		hash.update(`${file}\0`).update(readFileSync(file));
	}
	return hash.digest('hex').slice(0, 16);
}

/** @type {import('@sveltejs/kit').Config} */
export default {
	compilerOptions: { runes: true },
	kit: {
		// One page for every path; the server sends it with a policy that names its scripts by hash.
		adapter: adapter({ fallback: 'index.html', precompress: true }),
		output: { bundleStrategy: 'split' },
		version: { name: version() },
		// Every link of a page is an address below the root, wherever the page is.
		paths: { relative: false },
		alias: { $lib: 'src/lib' }
	}
};
