import { api, call } from '$lib/api/client';
import { orPage } from '$lib/api/load';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const [settings, system, { sessions }] = await orPage(
		Promise.all([
			call(api.GET('/api/settings')),
			call(api.GET('/api/system')),
			call(api.GET('/api/auth/sessions'))
		])
	);
	return { settings, system, sessions };
};
