import { api, call } from '$lib/api/client';
import { patiently } from '$lib/api/load';
import { queryOf, PAGE_SIZE } from './query';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ depends, url }) => {
	depends('app:resources');
	const { page, q, kind, user, key } = queryOf(url.searchParams);
	const query = {
		...(q && { q }),
		...(kind && { kind }),
		...(user && { user_key_id: user }),
		...(key && { service_key_id: key }),
		limit: PAGE_SIZE,
		offset: (page - 1) * PAGE_SIZE
	};
	const reading = call(api.GET('/api/resources', { params: { query } }));
	await patiently(reading);
	return { reading };
};
