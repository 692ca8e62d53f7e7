import { SvelteMap } from 'svelte/reactivity';
import type { KeyQuery } from './query';
import { PAGE_SIZE, readPage, type KeyPage, type ServiceKey } from './read';

/** Pages that are read anew after news: what is farther from the window is forgotten instead. */
const PAGES_KEPT = 4;

/**
 * The list of service keys in pages, of which only those are read that somebody looks at. A row that
 * is not here yet is `undefined`.
 */
export class KeyList {
	total = $state(0);
	isLoading = $state(true);
	/** Why the first page could not be read. */
	failure: unknown = $state.raw();
	/** A page could not be read anew: what is shown is old. */
	isStale = $state(false);
	readAt = $state(Date.now());
	readonly #pages = new SvelteMap<number, readonly ServiceKey[]>();
	// eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing that is shown depends on it
	readonly #asked = new Set<number>();
	#seen = { from: 0, to: 0 };

	constructor(
		readonly query: KeyQuery,
		first: Promise<KeyPage>
	) {
		void this.#begin(first);
	}

	row(index: number): ServiceKey | undefined {
		return this.#pages.get(Math.floor(index / PAGE_SIZE))?.[index % PAGE_SIZE];
	}

	/** What is in the window: reads what is missing of it. */
	look(from: number, to: number): void {
		this.#seen = { from, to };
		for (const page of pagesOf(from, to)) void this.#read(page);
	}

	/** The names of the rows from one to another, both of them; reads those that are missing. */
	async names(from: number, to: number): Promise<string[]> {
		await Promise.all(pagesOf(from, to).map((page) => this.#read(page)));
		const rows = Array.from({ length: to - from + 1 }, (_, at) => this.row(from + at));
		return rows.flatMap((key) => (key ? [key.key_identifier] : []));
	}

	/**
	 * Reads anew what is in the window. With `isHeld`, rows keep their places: values change, but
	 * nothing moves under the pointer.
	 */
	async again(isHeld: boolean): Promise<void> {
		const seen = pagesOf(this.#seen.from, this.#seen.to).slice(0, PAGES_KEPT);
		try {
			const read = await Promise.all(seen.map((page) => readPage(this.query, page)));
			this.isStale = false;
			this.readAt = Date.now();
			if (isHeld) return this.#patch(read.flatMap(({ keys }) => keys));
			this.#pages.clear();
			for (const [at, page] of seen.entries()) this.#put(page, read[at]);
		} catch {
			this.isStale = true;
		}
	}

	async #begin(first: Promise<KeyPage>): Promise<void> {
		try {
			this.#put(0, await first);
		} catch (failure) {
			this.failure = failure;
		}
		this.isLoading = false;
	}

	async #read(page: number): Promise<void> {
		if (this.#pages.has(page) || this.#asked.has(page) || this.isLoading) return;
		this.#asked.add(page);
		try {
			this.#put(page, await readPage(this.query, page));
		} catch {
			this.isStale = true;
		} finally {
			this.#asked.delete(page);
		}
	}

	#put(page: number, read: KeyPage | undefined): void {
		if (!read) return;
		this.total = read.total;
		this.#pages.set(page, read.keys);
	}

	#patch(keys: readonly ServiceKey[]): void {
		// eslint-disable-next-line svelte/prefer-svelte-reactivity -- gone at the end of the function
		const byName = new Map(keys.map((key) => [key.key_identifier, key]));
		for (const [page, rows] of this.#pages) {
			this.#pages.set(
				page,
				rows.map((row) => byName.get(row.key_identifier) ?? row)
			);
		}
	}
}

function pagesOf(from: number, to: number): number[] {
	const first = Math.floor(from / PAGE_SIZE);
	return Array.from({ length: Math.floor(to / PAGE_SIZE) - first + 1 }, (_, at) => first + at);
}
