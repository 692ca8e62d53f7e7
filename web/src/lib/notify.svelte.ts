import { createContext } from 'svelte';
import { ApiError } from './api/error';
import type { I18n } from './i18n/index.svelte';

/** A short word about what was done, with a way back if there is one. */
export interface Notice {
	id: number;
	kind: 'done' | 'failed';
	text: string;
	detail?: string;
	undo?: () => unknown;
}

/** How long a notice stays; one that can be undone, or that says what failed, stays longer. */
const STAY_MS = { plain: 5_000, long: 10_000 };
/** More than this would cover the page. */
const SHOWN_MAX = 4;

/** The notices that are shown. Whoever points at one, or is in it with the keyboard, keeps it. */
export class Notify {
	notices: Notice[] = $state.raw([]);
	#next = 1;
	#held = false;
	// eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing that is shown depends on it
	#timers = new Map<number, ReturnType<typeof setTimeout>>();

	constructor(private readonly i18n: I18n) {}

	/** Says that something was done, and offers to undo it. */
	done(text: string, undo?: () => unknown): void {
		this.#show({ kind: 'done', text, undo }, undo ? STAY_MS.long : STAY_MS.plain);
	}

	/** Says what went wrong: the server's words and the name of the call, never a bare "error". */
	failed(failure: unknown, text?: string): void {
		const { t } = this.i18n;
		const api = failure instanceof ApiError ? failure : undefined;
		const cause = api?.status === 0 ? t.common.unreachable : api?.message;
		const request = api?.requestId ? t.common.requestId(api.requestId) : undefined;
		const detail = [text ? cause : undefined, request].filter(Boolean).join(' · ');
		const notice: Omit<Notice, 'id'> = {
			kind: 'failed',
			text: text ?? cause ?? t.common.failed,
			detail: detail || undefined
		};
		this.#show(notice, STAY_MS.long);
	}

	dismiss(id: number): void {
		clearTimeout(this.#timers.get(id));
		this.#timers.delete(id);
		this.notices = this.notices.filter((notice) => notice.id !== id);
	}

	/** Keeps everything that is shown until {@link release}. */
	hold(): void {
		this.#held = true;
		for (const timer of this.#timers.values()) clearTimeout(timer);
	}

	release(): void {
		this.#held = false;
		for (const { id } of this.notices) this.#dismissAfter(id, STAY_MS.plain);
	}

	#show(notice: Omit<Notice, 'id'>, stayMs: number): void {
		const id = this.#next++;
		this.notices = [...this.notices.slice(1 - SHOWN_MAX), { id, ...notice }];
		if (!this.#held) this.#dismissAfter(id, stayMs);
	}

	#dismissAfter(id: number, ms: number): void {
		this.#timers.set(
			id,
			setTimeout(() => this.dismiss(id), ms)
		);
	}
}

export const [getNotify, setNotify] = createContext<Notify>();
