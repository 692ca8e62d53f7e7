import { api, call } from '$lib/api/client';
import { patiently } from '$lib/api/load';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const reading = Promise.all([
		call(api.GET('/api/settings')),
		call(api.GET('/api/system')),
		call(api.GET('/api/auth/sessions')),
		call(api.GET('/api/alerts')),
		call(api.GET('/api/settings/changes'))
	]);
	await patiently(reading);
	return { reading };
};
