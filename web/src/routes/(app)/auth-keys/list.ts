import type { Schemas } from '$lib/api/client';
import type { Tone } from '$lib/ui/Badge.svelte';

export type UserKey = Schemas['UserKey'];

export const STATES = ['usable', 'disabled', 'expired'] as const;
export type UserKeyState = (typeof STATES)[number];
export const TONES: Record<UserKeyState, Tone> = { usable: 'ok', disabled: 'off', expired: 'bad' };

export const SORTS = [
	'created_at',
	'alias',
	'last_used_at',
	'call_count',
	'tokens',
	'expires_at'
] as const;
type Sort = (typeof SORTS)[number];

/** What the address says of the list. */
export interface UserKeyQuery {
	q: string;
	state?: UserKeyState;
	sort: Sort;
}

/** Reads the address; what makes no sense there counts for nothing. */
export function queryOf(parameters: { get: (name: string) => string | null }): UserKeyQuery {
	const [state, sort] = [parameters.get('state'), parameters.get('sort')];
	return {
		q: parameters.get('q')?.trim() ?? '',
		state: STATES.find((it) => it === state),
		sort: SORTS.find((it) => it === sort) ?? 'created_at'
	};
}

/** Whether a key lets anybody in, and why not. */
export function stateOf(key: UserKey, now: number): UserKeyState {
	if (!key.enabled) return 'disabled';
	return key.expires_at && Date.parse(key.expires_at) <= now ? 'expired' : 'usable';
}

/** The keys that are asked for, in order. */
export function listed(keys: readonly UserKey[], query: UserKeyQuery, now: number): UserKey[] {
	const words = query.q.toLowerCase();
	return keys
		.filter(({ alias, api_key, note }) => `${alias}\n${api_key}\n${note}`.toLowerCase().includes(words))
		.filter((key) => !query.state || stateOf(key, now) === query.state)
		.sort((a, b) => compare(a, b, query.sort) || b.id - a.id);
}

function compare(a: UserKey, b: UserKey, sort: Sort): number {
	if (sort === 'alias') return a.alias.localeCompare(b.alias);
	if (sort === 'call_count' || sort === 'tokens') return b[sort] - a[sort];
	const [left, right] = [momentOf(a[sort]), momentOf(b[sort])];
	// What never expires comes last, what was never used as well.
	if (sort === 'expires_at') return (left ?? Infinity) < (right ?? Infinity) ? -1 : left === right ? 0 : 1;
	return (right ?? 0) - (left ?? 0);
}

function momentOf(text: string | null | undefined): number | undefined {
	return text ? Date.parse(text) : undefined;
}
