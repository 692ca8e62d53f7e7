import createClient, { type Client } from 'openapi-fetch';
import type { paths } from '../../src/lib/api/schema';
import { PASSWORD } from './programs';

/** What a test arranges before it looks: the API, as an admin, without a browser. */
export type Admin = Client<paths>;

/** Logs in; fails if that does not work. */
export async function adminOf(url: string, password = PASSWORD): Promise<Admin> {
	const stranger = createClient<paths>({ baseUrl: url });
	const { data } = await stranger.POST('/api/auth/login', { body: { password } });
	if (!data) throw new Error('the login did not work');
	return createClient<paths>({
		baseUrl: url,
		headers: { authorization: `Bearer ${data.access_token}` }
	});
}

/** A service key that the scripted upstream treats by the word in it: `good`, `invalid`, `429m`, … */
export function serviceKey(word: string, number = 0): string {
	return `AIzaSy-${word}-${String(number).padStart(6, '0')}-for-tests-only`;
}
