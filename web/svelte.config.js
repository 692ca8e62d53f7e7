import adapter from '@sveltejs/adapter-static';

/** @type {import('@sveltejs/kit').Config} */
export default {
	compilerOptions: { runes: true },
	kit: {
		// One page for every path; the server sends it with a policy that names its scripts by hash.
		adapter: adapter({ fallback: 'index.html', precompress: true }),
		output: { bundleStrategy: 'split' },
		// Every link of a page is an address below the root, wherever the page is.
		paths: { relative: false },
		alias: { $lib: 'src/lib' }
	}
};
