import { createContext } from 'svelte';
import { api, call } from './api/client';

/**
 * Who is logged in. The token is a cookie that no script can read; nothing is kept here but whether
 * the session has ended in the middle of work.
 */
export class Session {
	/** The session has ended: the page stays as it is and asks for the password. */
	isOver = $state(false);
	#waiting: (() => void)[] = [];

	/** Resolves when the admin has logged in again. */
	renewed(): Promise<void> {
		this.isOver = true;
		return new Promise((resolve) => this.#waiting.push(resolve));
	}

	/** @throws {ApiError} */
	async login(password: string): Promise<void> {
		await call(api.POST('/api/auth/login', { body: { password } }));
		this.isOver = false;
		for (const resolve of this.#waiting.splice(0)) resolve();
	}

	/** @throws {ApiError} */
	async logout(): Promise<void> {
		await call(api.POST('/api/auth/logout'));
	}
}

export const [getSession, setSession] = createContext<Session>();
