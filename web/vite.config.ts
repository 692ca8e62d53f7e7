import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds a gateway. */
const gateway = process.env['GATEWAY_URL'] ?? 'http://127.0.0.1:8090';

export default defineConfig({
	plugins: [tailwindcss(), sveltekit()],
	build: { target: 'es2022', assetsInlineLimit: 0 },
	server: {
		proxy: Object.fromEntries(
			['/api', '/v1', '/v1beta', '/health', '/ready'].map((path) => [path, { target: gateway }])
		)
	}
});
