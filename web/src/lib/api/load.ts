import { error } from '@sveltejs/kit';
import { ApiError } from './error';

/** So long the page before stays while the next one loads; after that, the next one shows that it loads. */
const PATIENCE_MS = 250;

/**
 * For `load` that returns promises: waits a moment for them, so that a page that is there at once
 * never shows that it loads. Whoever shows them says what went wrong.
 */
export async function patiently(...promises: Promise<unknown>[]): Promise<void> {
	const settled = Promise.allSettled(promises);
	await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
}

/**
 * For `load`: as `call` in ./client, but what goes wrong is shown by the error page.
 * Pass it what `call` returns.
 */
export async function orPage<T>(calling: Promise<T>): Promise<T> {
	try {
		return await calling;
	} catch (failure) {
		if (failure instanceof ApiError) error(failure.status || 503, failure.failure);
		throw failure;
	}
}
