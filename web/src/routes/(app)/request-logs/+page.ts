import { api, call } from '$lib/api/client';
import type { PageLoad } from './$types';

/** The request that is opened. */
export const load: PageLoad = ({ url }) => {
	const id = url.searchParams.get('request');
	if (!id) return { opened: null };
	const request = call(
		api.GET('/api/request_logs/{request_id}', { params: { path: { request_id: id } } })
	);
	request.catch(() => undefined);
	return { opened: { id, request } };
};
