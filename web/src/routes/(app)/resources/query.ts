import type { Schemas } from '$lib/api/client';

export type Resource = Schemas['Resource'];

/** Resources on one page of the list. */
export const PAGE_SIZE = 100;

/** What the address says of the list. */
export interface ResourceQuery {
	q: string;
	kind: string;
	/** The id of a user key; 0 for all. */
	user: number;
	/** The id of a service key; 0 for all. */
	key: number;
	/** From 1 on. */
	page: number;
}

/** Reads the address; what makes no sense there counts for nothing. */
export function queryOf(parameters: { get: (name: string) => string | null }): ResourceQuery {
	const number = (name: string) => {
		const value = Number(parameters.get(name));
		return Number.isSafeInteger(value) && value > 0 ? value : 0;
	};
	return {
		q: parameters.get('q')?.trim() ?? '',
		kind: parameters.get('kind') ?? '',
		user: number('user'),
		key: number('key'),
		page: number('page') || 1
	};
}

/** How many pages there are; one at least. */
export function pagesOf(total: number): number {
	return Math.max(1, Math.ceil(total / PAGE_SIZE));
}
