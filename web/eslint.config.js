import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default ts.config(
	{ ignores: ['build/', '.svelte-kit/', 'src/lib/api/schema.d.ts', 'test-results/'] },
	js.configs.recommended,
	...ts.configs.strict,
	...svelte.configs['flat/recommended'],
	{
		languageOptions: { globals: { ...globals.browser, ...globals.node } },
		rules: {
			'no-undef': 'off',
			eqeqeq: 'error',
			'no-console': 'error',
			// Text is text: nothing that comes from outside may become markup.
			'svelte/no-at-html-tags': 'error',
			'svelte/require-each-key': 'error',
			'svelte/no-inline-styles': 'off',
			// The app always lies at the root.
			'svelte/no-navigation-without-resolve': 'off',
			'no-restricted-globals': [
				'error',
				{ name: 'fetch', message: 'Call the client in lib/api; it is the only fetch there is.' }
			]
		}
	},
	{
		files: ['**/*.svelte', '**/*.svelte.ts'],
		languageOptions: {
			parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig }
		}
	},
	{
		files: ['scripts/**', 'e2e/**'],
		rules: { 'no-console': 'off', 'no-restricted-globals': 'off', 'no-empty-pattern': 'off' }
	}
);
