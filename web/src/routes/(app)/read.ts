import { api, call } from '$lib/api/client';

const DAY_MS = 86_400_000;
/** The minutes that rates are taken of. */
const MINUTES = 5;
/** The Live sessions that are named. */
const SESSIONS = 10;

/** Everything that the overview shows, as it is now. */
export async function readOverview() {
	const from = new Date(Date.now() - DAY_MS).toISOString();
	const query = { from };
	const [system, usage, errors, recent, setup, live] = await Promise.all([
		call(api.GET('/api/system')),
		call(api.GET('/api/stats/overview', { params: { query } })),
		call(api.GET('/api/stats/errors', { params: { query } })),
		call(api.GET('/api/stats/now', { params: { query: { minutes: MINUTES } } })),
		call(api.GET('/api/setup')),
		call(api.GET('/api/live_sessions', { params: { query: { limit: SESSIONS } } }))
	]);
	return { system, usage, errors, recent, setup, live, from };
}

export type Reading = Awaited<ReturnType<typeof readOverview>>;
