import { api, call } from '$lib/api/client';
import { before, hasLatencies, type Asked } from './range';

/** Everything that the page shows, for one range, zone and step. */
export async function readStats(asked: Asked) {
	const { from, to, step, timezone, by } = asked;
	const range = { from, to };
	const periods = { ...range, step, timezone };
	const [overview, timeline, latencies, lines, errors, week, year, log, then, timelineThen] =
		await Promise.all([
			call(api.GET('/api/stats/overview', { params: { query: range } })),
			call(api.GET('/api/stats/timeline', { params: { query: periods } })),
			hasLatencies(asked) ? call(api.GET('/api/stats/latencies', { params: { query: periods } })) : [],
			call(api.GET('/api/stats/chart', { params: { query: { ...periods, by } } })),
			call(api.GET('/api/stats/chart', { params: { query: { ...periods, by: 'error_kind' } } })),
			call(api.GET('/api/stats/week_hours', { params: { query: { ...range, timezone } } })),
			call(
				api.GET('/api/stats/daily_usage_heatmap', {
					params: { query: { type: 'requests', timezone_str: timezone } }
				})
			),
			call(api.GET('/api/request_logs', { params: { query: { limit: 1 } } })),
			asked.isCompared
				? call(api.GET('/api/stats/overview', { params: { query: before(asked) } }))
				: undefined,
			asked.isCompared
				? call(
						api.GET('/api/stats/timeline', {
							params: { query: { ...before(asked), step, timezone } }
						})
					)
				: undefined
		]);
	return {
		asked,
		overview,
		timeline,
		latencies,
		lines,
		errors,
		week,
		year,
		then,
		timelineThen,
		/** When the log begins and ends. */
		bounds: log.request_time_range ?? []
	};
}

export type Reading = Awaited<ReturnType<typeof readStats>>;
