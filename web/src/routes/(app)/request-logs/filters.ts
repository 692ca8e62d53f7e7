import type { paths } from '$lib/api/schema';

/** What the list is filtered by, as it stands in the address. */
const FILTER_NAMES = [
	'from',
	'to',
	'success',
	'error_type',
	'status',
	'model',
	'user_key_id',
	'service_key_id',
	'key_identifier',
	'stream',
	'final',
	'request_id'
] as const;

export type FilterName = (typeof FILTER_NAMES)[number];

/** Texts by the names of filters; what is absent does not matter. */
export type Filters = Readonly<Partial<Record<FilterName, string>>>;

/** What the API takes. */
export type LogQuery = NonNullable<paths['/api/request_logs']['get']['parameters']['query']>;

/** What the list is filtered by. Reads each parameter by its name, so that `load` depends on no other. */
export function filtersOf(parameters: { get(name: string): string | null }): Filters {
	const filters: Partial<Record<FilterName, string>> = {};
	for (const name of FILTER_NAMES) {
		const value = parameters.get(name);
		if (value) filters[name] = value;
	}
	return filters;
}

/** Filters as a question to the API. What makes no sense as a number or a choice is left out. */
export function queryOf(filters: Filters): LogQuery {
	const query: LogQuery = {
		request_time_start: filters.from,
		request_time_end: filters.to,
		is_success: choice(filters.success),
		error_type: filters.error_type,
		status: number(filters.status),
		model_name: filters.model,
		user_key_id: number(filters.user_key_id),
		service_key_id: number(filters.service_key_id),
		key_identifier: filters.key_identifier,
		is_stream: choice(filters.stream),
		is_final: choice(filters.final),
		request_id: filters.request_id
	};
	const set = Object.entries(query).filter(([, value]) => value !== undefined);
	return Object.fromEntries(set);
}

/** Before anything was logged. */
const LONG_AGO = '1970-01-01T00:00:00Z';

/** The range in which values are counted: that of the list, or everything if nothing lies in that. */
export function countedRange({ from, to }: Filters, nowMs: number): { from: string; to?: string } {
	const end = to ? Date.parse(to) : nowMs;
	const start = from ?? LONG_AGO;
	return Date.parse(start) < end ? { from: start, to } : { from: LONG_AGO };
}

/** The same list with one filter changed; an empty value takes it away. The opened request is closed. */
export function withFilters(filters: Filters, changes: Filters): string {
	return addressOf({ ...filters, ...changes });
}

/** The list, and in it a request that is opened. */
export function addressOf(filters: Filters, request?: string): string {
	const parameters = new URLSearchParams();
	for (const name of FILTER_NAMES) {
		const value = filters[name];
		if (value) parameters.set(name, value);
	}
	if (request) parameters.set('request', request);
	const text = parameters.toString();
	return text ? `/request-logs?${text}` : '/request-logs';
}

/** Where the file with everything that matches is. */
export function exportAddress(filters: Filters, format: 'csv' | 'jsonl'): string {
	const parameters = new URLSearchParams({ format });
	for (const [name, value] of Object.entries(queryOf(filters))) parameters.set(name, String(value));
	return `/api/request_logs/export?${parameters}`;
}

function choice(text: string | undefined): boolean | undefined {
	return text === 'true' ? true : text === 'false' ? false : undefined;
}

function number(text: string | undefined): number | undefined {
	return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
