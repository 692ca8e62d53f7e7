import { SvelteSet } from 'svelte/reactivity';

/** Which keys are chosen: some by name, or all that match the filter, seen or not. */
export class Selection {
	readonly names = new SvelteSet<string>();
	isAllMatching = $state(false);
	/** The row from which a range goes when one chooses with shift. */
	anchor: number | undefined;

	has(name: string): boolean {
		return this.isAllMatching || this.names.has(name);
	}

	/** How many they are, if `total` match. */
	count(total: number): number {
		return this.isAllMatching ? total : this.names.size;
	}

	/** Chooses a row, or no longer; the next range begins at it. */
	toggle(name: string, row: number): void {
		if (!this.names.delete(name)) this.names.add(name);
		this.anchor = row;
	}

	/** The rows from the anchor to this one, both of them. */
	rangeTo(row: number): { from: number; to: number } {
		const anchor = this.anchor ?? row;
		return { from: Math.min(anchor, row), to: Math.max(anchor, row) };
	}

	addAll(names: readonly string[]): void {
		for (const name of names) this.names.add(name);
	}

	/** Chooses these rows, or if all of them are chosen, none of them. */
	toggleAll(names: readonly string[]): void {
		if (!names.every((name) => this.names.has(name))) return this.addAll(names);
		for (const name of names) this.names.delete(name);
	}

	/** Chooses everything that matches, beyond what is loaded. */
	all(): void {
		this.names.clear();
		this.isAllMatching = true;
	}

	clear(): void {
		this.names.clear();
		this.isAllMatching = false;
		this.anchor = undefined;
	}
}
