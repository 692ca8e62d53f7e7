import { queryOf } from './query';
import { readPage, readValues } from './read';
import type { PageLoad } from './$types';

/** So long the page before stays while this one loads; after that, this one shows that it loads. */
const PATIENCE_MS = 250;

export const load: PageLoad = async ({ url, depends }) => {
	depends('app:service-keys');
	const query = queryOf(url.searchParams);
	const first = readPage(query, 0);
	const values = readValues(query);
	// Who shows them says what went wrong.
	const settled = Promise.allSettled([first, values]);
	await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
	return { query, first, values };
};
