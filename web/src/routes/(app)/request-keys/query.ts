import type { Schemas } from '$lib/api/client';

export type StateFilter = Schemas['KeyStateFilter'];

/** How the list can be sorted, in the order of the choice. */
export const SORTS = [
	'-created_at',
	'created_at',
	'-last_used_at',
	'last_used_at',
	'state',
	'-state',
	'project',
	'-project',
	'tier',
	'-tier'
] as const;
export type Sort = (typeof SORTS)[number];

const STATES: readonly StateFilter[] = [
	'active',
	'resting',
	'in_use',
	'invalid',
	'suspended',
	'no_credit',
	'disabled',
	'unreadable'
];

/** What the address says of the list. */
export interface KeyQuery {
	q?: string;
	state?: StateFilter;
	/** Empty for the keys that are alone. */
	project?: string;
	tag?: string;
	tier?: number;
	sort: Sort;
}

/** Reads the address; what makes no sense there counts for nothing. */
export function queryOf(parameters: { get: (name: string) => string | null }): KeyQuery {
	const state = parameters.get('state');
	const sort = parameters.get('sort');
	const tier = parameters.get('tier');
	return {
		q: parameters.get('q')?.trim() || undefined,
		state: STATES.find((it) => it === state),
		project: parameters.get('project') ?? undefined,
		tag: parameters.get('tag') || undefined,
		tier: tier !== null && /^\d{1,3}$/.test(tier) ? Number(tier) : undefined,
		sort: SORTS.find((it) => it === sort) ?? '-created_at'
	};
}

/** The filter in it, as the server takes it: without the order. */
export function filterOf({ q, state, project, tag, tier }: KeyQuery): Schemas['KeyFilter'] {
	return { q, state, project, tag, tier };
}

/** Whether anything but everything is asked for. */
export function isFiltered(query: KeyQuery): boolean {
	return Object.values(filterOf(query)).some((value) => value !== undefined);
}

/** The next order when one chooses a column: upwards, downwards. */
export function nextSort(current: Sort, column: string): Sort {
	const wanted = current === column ? `-${column}` : column;
	return SORTS.find((it) => it === wanted) ?? current;
}

/** An address with other parameters; `undefined` takes one away. */
export function withChanges(search: string, changed: Record<string, string | undefined>): string {
	const parameters = new URLSearchParams(search);
	for (const [name, value] of Object.entries(changed)) {
		if (value === undefined) parameters.delete(name);
		else parameters.set(name, value);
	}
	return `?${parameters}`;
}
