import { error } from '@sveltejs/kit';
import { ApiError } from './error';

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
