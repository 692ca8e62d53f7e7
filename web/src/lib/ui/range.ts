/** A range of time as ISO texts; an absent side is open. */
export interface Range {
	from?: string;
	to?: string;
}

const HOUR_MS = 3_600_000;
const PRESETS = [
	{ name: 'hour', hours: 1 },
	{ name: 'day', hours: 24 },
	{ name: 'week', hours: 7 * 24 },
	{ name: 'month', hours: 30 * 24 },
	{ name: 'all', hours: undefined }
] as const;

/** The ranges that are asked for most; those with a length end now and stay open at the end. */
export function presetsOf(now: number) {
	return PRESETS.map(({ name, hours }) => {
		const range: Range = hours ? { from: new Date(now - hours * HOUR_MS).toISOString() } : {};
		return { name, range };
	});
}

/** A moment as `datetime-local` wants it: in the reader's zone, to the minute. */
export function toLocal(moment: string | null | undefined): string {
	if (!moment) return '';
	const date = new Date(moment);
	const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
	return local.toISOString().slice(0, 16);
}

/** The moment that somebody meant who filled in a `datetime-local`. */
export function fromLocal(local: string): string | undefined {
	return local ? new Date(local).toISOString() : undefined;
}
