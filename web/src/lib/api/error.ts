import type { components } from './schema';

type ErrorBody = components['schemas']['ErrorBody'];

/** What can be said about a failure, as plain data: an error page is given no more. */
export interface AppFailure {
	message: string;
	/** The server's stable word for what went wrong; `network` if no answer came. */
	code?: string;
	/** Names the call in the server's log. */
	requestId?: string;
}

/** A call to the server that did not come to what was hoped for. */
export class ApiError extends Error {
	override readonly name = 'ApiError';

	constructor(
		/** HTTP status; 0 if no answer came. */
		readonly status: number,
		readonly code: string,
		message: string,
		readonly requestId?: string,
		/** After how many seconds to try again, where the server knows. */
		readonly retryAfter?: number,
		/** Mistakes by the name of the field they are in. */
		readonly fields: Readonly<Record<string, string>> = {}
	) {
		super(message);
	}

	/** What an error page is given. */
	get failure(): AppFailure {
		return { message: this.message, code: this.code, requestId: this.requestId };
	}
}

/** Makes the error of an answer out of whatever its body turned out to be. */
export function apiError(response: Response, body: unknown): ApiError {
	const retryAfter = Number(response.headers.get('retry-after')) || undefined;
	const requestId = response.headers.get('x-request-id') ?? undefined;
	if (!isErrorBody(body)) {
		const message = response.statusText || `HTTP ${response.status}`;
		return new ApiError(response.status, 'unknown', message, requestId, retryAfter);
	}
	const { detail, error } = body;
	const fields: Record<string, string> = {};
	let message = typeof detail === 'string' ? detail : '';
	if (typeof detail !== 'string') {
		for (const problem of detail) {
			fields[String(problem.loc.at(-1))] = problem.msg;
		}
		message = detail.map((problem) => problem.msg).join(' ');
	}
	return new ApiError(response.status, error.code, message, body.request_id, retryAfter, fields);
}

function isErrorBody(body: unknown): body is ErrorBody {
	return typeof body === 'object' && body !== null && 'detail' in body && 'error' in body;
}
