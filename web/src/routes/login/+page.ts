import { redirect } from '@sveltejs/kit';
import { api } from '$lib/api/client';
import { returnTo } from '$lib/return-to';
import type { PageLoad } from './$types';

/** Who is logged in already has nothing to do here. */
export const load: PageLoad = async ({ url }) => {
	const { response } = await api.GET('/api/auth/me').catch(() => ({ response: undefined }));
	if (response?.ok) redirect(307, returnTo(url));
};
