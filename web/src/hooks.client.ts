import type { HandleClientError } from '@sveltejs/kit';
import { ApiError } from '$lib/api/error';

/** What an error page is told of a failure that no `load` has put into words. */
export const handleError: HandleClientError = ({ error, status, message }) => {
	if (error instanceof ApiError) return error.failure;
	// A defect of ours, but for a path that is no page.
	// eslint-disable-next-line no-console -- whoever reports it finds it there
	if (status !== 404) console.error(error);
	return { message };
};
