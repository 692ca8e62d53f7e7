import createClient from 'openapi-fetch';
import { ApiError, apiError } from './error';
import type { components, paths } from './schema';

/** The types of the API by their names. */
export type Schemas = components['schemas'];

/** Lets the session be renewed; resolves when it is, so that the call can be made again. */
type Renew = () => Promise<void>;

let renew: Renew | undefined;

/** Says what happens when the session has ended in the middle of work; returns the way back. */
export function onSessionEnd(handler: Renew): () => void {
	renew = handler;
	return () => {
		renew = undefined;
	};
}

/** Calls that ask whether there is a session, or begin one: a 401 is their answer. */
const AT_THE_DOOR = ['/api/auth/login', '/api/auth/me', '/api/auth/logout'];

/**
 * The one fetch of the app. A call for which the session has ended waits until the admin has logged
 * in again and is then made once more, so that nobody loses what they were doing.
 */
async function send(request: Request): Promise<Response> {
	const again = request.clone();
	const response = await sendOnce(request);
	const isAtTheDoor = AT_THE_DOOR.includes(new URL(request.url).pathname);
	if (response.status !== 401 || isAtTheDoor || !renew) return response;
	await renew();
	return await sendOnce(again);
}

async function sendOnce(request: Request): Promise<Response> {
	try {
		// eslint-disable-next-line no-restricted-globals -- this is the only one
		return await fetch(request);
	} catch (cause) {
		if (request.signal.aborted) throw cause;
		throw new ApiError(0, 'network', 'The gateway cannot be reached.');
	}
}

/** The typed client. Use {@link call} around it. */
export const api = createClient<paths>({ baseUrl: location.origin, fetch: send });

/** What the client's methods come to. */
interface Outcome<T> {
	data?: T;
	error?: unknown;
	response: Response;
}

/**
 * Returns what a call brought, or throws what went wrong:
 * `const keys = await call(api.GET('/api/keys', { params: { query } }))`.
 *
 * @throws {ApiError}
 */
export async function call<T>(calling: Promise<Outcome<T>>): Promise<T> {
	const { data, error, response } = await calling;
	if (!response.ok) throw apiError(response, error);
	return data as T;
}
