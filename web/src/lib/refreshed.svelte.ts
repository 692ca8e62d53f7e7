/** How long a value may be older than its rhythm before it is called stale: two beats. */
const STALE_BEATS = 2;

/**
 * Something that is read again and again while somebody looks at it. When reading fails, the last
 * value stays and is marked as old; it is never replaced by noughts.
 */
export class Refreshed<T> {
	value: T = $state.raw() as T;
	/** When the value was read, in ms since 1970. */
	at = $state(Date.now());
	/** Ticks with every try, so that what is told "from now" goes on. */
	now = $state(Date.now());
	readonly #read: () => Promise<T>;
	readonly #everyMs: number;
	readonly isStale = $derived.by(() => this.at + STALE_BEATS * this.#everyMs < this.now);

	constructor(initial: T, read: () => Promise<T>, everyMs: number) {
		this.value = initial;
		this.#read = read;
		this.#everyMs = everyMs;
	}

	/** Reads until the returned function is called; rests while the page is not to be seen. */
	start(): () => void {
		const timer = setInterval(() => void this.again(), this.#everyMs);
		const onvisible = () => void this.again();
		document.addEventListener('visibilitychange', onvisible);
		return () => {
			clearInterval(timer);
			document.removeEventListener('visibilitychange', onvisible);
		};
	}

	/** Reads now. */
	async again(): Promise<void> {
		if (document.hidden) return;
		try {
			this.value = await this.#read();
			this.at = Date.now();
		} catch {
			// The age of the value says it.
		}
		this.now = Date.now();
	}
}
