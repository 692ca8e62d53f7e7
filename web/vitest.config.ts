import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	plugins: [svelte()],
	resolve: {
		conditions: ['browser'],
		alias: { $lib: fileURLToPath(new URL('src/lib', import.meta.url)) }
	},
	test: { include: ['src/**/*.test.ts'], environment: 'jsdom' }
});
