import { api, call, type Schemas } from '$lib/api/client';
import { queryOf, type Filters } from './filters';

/** How many rows come at once. */
const PAGE_ROWS = 100;

/** The first page of a list. */
export async function firstPage(filters: Filters): Promise<Schemas['RequestLogs']> {
	return await readPage(filters);
}

async function readPage(filters: Filters, cursor?: string): Promise<Schemas['RequestLogs']> {
	const query = { ...queryOf(filters), limit: PAGE_ROWS, cursor };
	return await call(api.GET('/api/request_logs', { params: { query } }));
}

/** A list that grows while somebody reads it: the first page, then each further one. */
export class LogList {
	rows: readonly Schemas['RequestLog'][] = $state.raw([]);
	isLoading = $state(false);
	failure: unknown = $state.raw();
	#cursor: string | null | undefined = $state.raw();
	readonly total: number | null | undefined;
	readonly hasMore = $derived.by(() => Boolean(this.#cursor));

	constructor(
		private readonly filters: Filters,
		first: Schemas['RequestLogs']
	) {
		this.rows = first.logs;
		this.#cursor = first.next_cursor;
		this.total = first.total;
	}

	/** Reads on; rare combinations of filters bring pages without rows, then further. */
	async more(): Promise<void> {
		if (this.isLoading || !this.#cursor) return;
		this.isLoading = true;
		this.failure = undefined;
		try {
			let found = 0;
			while (this.#cursor && found === 0) {
				const page = await readPage(this.filters, this.#cursor);
				this.#cursor = page.next_cursor;
				found = page.logs.length;
				this.rows = [...this.rows, ...page.logs];
			}
		} catch (failure) {
			this.failure = failure;
		} finally {
			this.isLoading = false;
		}
	}

	/** The request that stands `step` requests after another one in the list. */
	beside(requestId: string, step: 1 | -1): string | undefined {
		const at = this.rows.findIndex((row) => row.request_id === requestId);
		for (let next = at + step; 0 <= next && next < this.rows.length; next += step) {
			const row = this.rows[next];
			if (row && row.request_id !== requestId) return row.request_id;
		}
		return undefined;
	}
}
