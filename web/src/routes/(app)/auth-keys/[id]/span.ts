import type { Schemas } from '$lib/api/client';

/** How far back a use is looked at, and the length of the periods in which it is shown. */
export const SPANS = [
	{ name: 'day', days: 1, step: 'hour' },
	{ name: 'week', days: 7, step: 'day' },
	{ name: 'month', days: 30, step: 'day' }
] as const;

export type Span = (typeof SPANS)[number];

const DAY_MS = 86_400_000;
const USUAL = SPANS[1];

/** What the address asks for; what makes no sense in it is replaced by what is usual. */
export function spanOf(name: string | null): Span {
	return SPANS.find((span) => span.name === name) ?? USUAL;
}

/** The moment at which a span that ends now begins. */
export function beginOf(span: Span, nowMs: number): string {
	return new Date(nowMs - span.days * DAY_MS).toISOString();
}

/** A period as a row, the latest first; a period without a request is left out. */
export function periodsOf(points: readonly Schemas['Point'][]) {
	const used = points.flatMap(({ start_ms, usage }) =>
		usage && 0 < usage.attempts ? [{ start_ms, usage }] : []
	);
	return used.reverse();
}
