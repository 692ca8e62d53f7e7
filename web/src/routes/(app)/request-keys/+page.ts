import { patiently } from '$lib/api/load';
import { queryOf } from './query';
import { readPage, readValues } from './read';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url, depends }) => {
	depends('app:service-keys');
	const query = queryOf(url.searchParams);
	const first = readPage(query, 0);
	const values = readValues(query);
	await patiently(first, values);
	return { query, first, values };
};
