import { api, call } from '$lib/api/client';
import { countedRange, filtersOf } from './filters';
import { firstPage } from './log-list.svelte';
import type { LayoutLoad } from './$types';

/** The list. What is opened in it is the business of the page, and costs no second reading. */
export const load: LayoutLoad = ({ url }) => {
	const filters = filtersOf(url.searchParams);
	const query = countedRange(filters, Date.now());
	const page = firstPage(filters);
	const counts = call(api.GET('/api/request_logs/counts', { params: { query } }));
	const known = call(api.GET('/api/request_logs/values'));
	const choices = Promise.all([counts, known]);
	// What fails is shown in its place, which may be drawn after it has failed.
	for (const promise of [page, choices]) promise.catch(() => undefined);
	return { filters, page, choices };
};
