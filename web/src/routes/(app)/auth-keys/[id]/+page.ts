import { api, call } from '$lib/api/client';
import { orPage } from '$lib/api/load';
import { beginOf, spanOf } from './span';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ params, url }) => {
	const span = spanOf(url.searchParams.get('span'));
	const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	const from = beginOf(span, Date.now());
	const key = await orPage(call(api.GET('/api/auth_keys/{id}', { params: { path: params } })));
	const query = { from, user_key_id: key.id };
	const [overview, models, timeline] = await orPage(
		Promise.all([
			call(api.GET('/api/stats/overview', { params: { query } })),
			call(api.GET('/api/stats/by_model', { params: { query } })),
			call(
				api.GET('/api/stats/timeline', { params: { query: { ...query, step: span.step, timezone } } })
			)
		])
	);
	return { key, span, from, overview, models, timeline };
};
