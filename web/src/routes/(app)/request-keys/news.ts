/** News of the pool come in bursts; the list is read anew at most this often. */
const REST_MS = 1_500;

/** Calls `onnews` when keys stand otherwise than before; returns the way to stop. */
export function watchKeys(onnews: () => void): () => void {
	const source = new EventSource('/api/events');
	let timer: ReturnType<typeof setTimeout> | undefined;
	const note = () => {
		timer ??= setTimeout(() => {
			timer = undefined;
			onnews();
		}, REST_MS);
	};
	for (const name of ['pool', 'keys', 'lagged']) source.addEventListener(name, note);
	return () => {
		clearTimeout(timer);
		source.close();
	};
}
