import { api, call } from '$lib/api/client';
import { orPage } from '$lib/api/load';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const [settings, system] = await orPage(
		Promise.all([call(api.GET('/api/settings')), call(api.GET('/api/system'))])
	);
	return { settings, system };
};
