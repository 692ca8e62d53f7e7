import { redirect } from '@sveltejs/kit';
import { api, call } from '$lib/api/client';
import { ApiError } from '$lib/api/error';
import { orPage } from '$lib/api/load';
import { loginUrl } from '$lib/return-to';
import type { LayoutLoad } from './$types';

/** The gate: no session, no page. Pages load beside it, so it costs them no time. */
export const load: LayoutLoad = async ({ url, untrack }) => {
	const calling = call(api.GET('/api/auth/me')).catch((failure) => {
		if (failure instanceof ApiError && failure.status === 401) {
			redirect(307, untrack(() => loginUrl(url)));
		}
		throw failure;
	});
	return { me: await orPage(calling) };
};
