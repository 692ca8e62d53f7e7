import { api, call } from '$lib/api/client';
import type { PageLoad } from './$types';

/** So long the page before stays while this one loads; after that, this one shows that it loads. */
const PATIENCE_MS = 250;

export const load: PageLoad = async ({ depends }) => {
	depends('app:user-keys');
	const keys = call(api.GET('/api/auth_keys'));
	// Who shows them says what went wrong.
	const settled = Promise.allSettled([keys]);
	await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
	return { keys };
};
