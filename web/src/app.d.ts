import type { AppFailure } from '$lib/api/error';

declare global {
	namespace App {
		/** What an error page is given. */
		// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the name is Kit's
		interface Error extends AppFailure {}
	}
}
