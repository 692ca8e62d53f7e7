/** News of the pool come in bursts; the list is read anew at most this often. */
const REST_MS = 1_500;
/** A stream that was refused is asked for again after this time. */
const AGAIN_MS = 3_000;

/** Calls `onnews` when keys stand otherwise than before; returns the way to stop. */
export function watchKeys(onnews: () => Promise<void>): () => void {
	let source = open();
	let timer: ReturnType<typeof setTimeout> | undefined;
	let isOver = false;

	function open(): EventSource {
		const opened = new EventSource('/api/events');
		for (const name of ['pool', 'keys', 'lagged']) opened.addEventListener(name, note);
		// The browser mends a connection that breaks, and leaves one alone that was refused.
		opened.addEventListener('error', () => {
			if (opened.readyState === EventSource.CLOSED) timer = setTimeout(() => void again(), AGAIN_MS);
		});
		return opened;
	}

	function note() {
		timer ??= setTimeout(() => {
			timer = undefined;
			void onnews();
		}, REST_MS);
	}

	/** Nobody may have a session any more: then the call waits until there is one. */
	async function again() {
		timer = undefined;
		await onnews();
		if (!isOver) source = open();
	}

	return () => {
		isOver = true;
		clearTimeout(timer);
		source.close();
	};
}
