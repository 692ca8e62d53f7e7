import { api, call } from '$lib/api/client';

const DAY_MS = 86_400_000;

/** Everything that the overview shows, as it is now. */
export async function readOverview() {
	const from = new Date(Date.now() - DAY_MS).toISOString();
	const query = { from };
	const [system, usage, errors] = await Promise.all([
		call(api.GET('/api/system')),
		call(api.GET('/api/stats/overview', { params: { query } })),
		call(api.GET('/api/stats/errors', { params: { query } }))
	]);
	return { system, usage, errors, from };
}

export type Reading = Awaited<ReturnType<typeof readOverview>>;
