import { api, call, type Schemas } from '$lib/api/client';
import { filterOf, type KeyQuery } from './query';

export type ServiceKey = Schemas['ServiceKey'];
export type KeyPage = Schemas['ServiceKeyPage'];
export type KeyValues = Schemas['KeyValues'];
export type KeyDetail = Schemas['ServiceKeyDetail'];

/** Keys that are read at once. */
export const PAGE_SIZE = 100;

/** Some keys of the list, and how many there are. */
export function readPage(query: KeyQuery, page: number): Promise<KeyPage> {
	const { sort } = query;
	const paging = { limit: PAGE_SIZE, offset: page * PAGE_SIZE, usage: true };
	// `null` stands for nothing in a filter in a body, but is no value in an address.
	const filter = filterOf(query) as Partial<Record<keyof KeyQuery, never>>;
	return call(api.GET('/api/keys', { params: { query: { ...filter, sort, ...paging } } }));
}

/** What the list can be filtered by, with the number of keys of each. */
export function readValues(query: KeyQuery): Promise<KeyValues> {
	const filter = filterOf(query) as Partial<Record<keyof KeyQuery, never>>;
	return call(api.GET('/api/keys/values', { params: { query: filter } }));
}
