import type { Tone } from '$lib/ui/Badge.svelte';
import type { StateFilter } from './query';
import type { ServiceKey } from './read';

/** How a key stands, in one word, and when that ends. */
export interface Standing {
	word: StateFilter;
	tone: Tone;
	/** When it serves again. */
	until?: string;
	/** When the gateway looks by itself whether it serves again. */
	probeAt?: string;
}

const TONES: Record<StateFilter, Tone> = {
	active: 'ok',
	resting: 'wait',
	in_use: 'info',
	invalid: 'bad',
	suspended: 'bad',
	no_credit: 'bad',
	disabled: 'off',
	unreadable: 'bad'
};
/** Standings of a bucket in which it serves. */
const SERVING = ['ready', 'proving'];

/** The buckets of a key that do not serve. */
export function restingBuckets(key: ServiceKey): ServiceKey['buckets'] {
	return key.buckets.filter(({ state }) => !SERVING.includes(state));
}

/** Says how a key stands: what keeps it from serving before what it does at this moment. */
export function standingOf(key: ServiceKey): Standing {
	if (key.state !== 'active') {
		return {
			word: key.state,
			tone: TONES[key.state],
			until: key.no_credit_until ?? undefined,
			probeAt: key.next_probe_at ?? undefined
		};
	}
	if (0 < key.in_use) return { word: 'in_use', tone: TONES.in_use };
	const resting = restingBuckets(key);
	if (resting.length === 0) return { word: 'active', tone: TONES.active };
	const ends = resting.flatMap(({ until }) => (until ? [until] : []));
	return { word: 'resting', tone: TONES.resting, until: ends.sort()[0] };
}

/** Tags in a text, separated by commas. */
export function tagsOf(text: string): string[] {
	return [...new Set(text.split(/[,，]/).map((tag) => tag.trim()))].filter(Boolean);
}
