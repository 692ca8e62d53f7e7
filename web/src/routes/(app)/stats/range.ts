import type { paths } from '$lib/api/schema';

export type Step = NonNullable<
	NonNullable<paths['/api/stats/timeline']['get']['parameters']['query']>['step']
>;

/** The lengths of a period, in ms, the shortest first. */
const STEPS: readonly [Step, number][] = [
	['quarter', 900_000],
	['hour', 3_600_000],
	['day', 86_400_000],
	['week', 7 * 86_400_000],
	['month', 30 * 86_400_000]
];
/** More points than this nobody can tell apart. */
const POINTS_MAX = 800;
/** As many points as make a picture. */
const POINTS_USUAL = 100;
const DAY_MS = 86_400_000;
/** How long a range may be of which is known how long requests took. */
const LATENCY_MAX_MS = 100 * DAY_MS;

export const LINES_BY = ['model', 'user_key', 'service_key', 'error_kind'] as const;
type LinesBy = (typeof LINES_BY)[number];

/** What all charts of the page have in common. */
export interface Asked {
	from: string;
	to: string;
	step: Step;
	timezone: string;
	by: LinesBy;
	/** Whether the period before is shown beside it. */
	isCompared: boolean;
	/** Whether the range was chosen, or is the last day as it goes on. */
	isChosen: boolean;
}

/** The steps that suit a range. */
export function stepsOf(spanMs: number): Step[] {
	return STEPS.filter(([, ms]) => ms <= spanMs && spanMs / ms <= POINTS_MAX).map(([step]) => step);
}

/** The step that a range is shown in unless another one is chosen. */
export function usualStep(spanMs: number): Step {
	const found = STEPS.find(([, ms]) => spanMs / ms <= POINTS_USUAL);
	return found?.[0] ?? 'month';
}

/** What the address asks for; what makes no sense in it is replaced by what is usual. */
export function askedOf(
	parameters: { get(name: string): string | null },
	nowMs: number,
	zone: string
): Asked {
	const toMs = moment(parameters.get('to')) ?? nowMs;
	const fromMs = moment(parameters.get('from'));
	const isChosen = fromMs !== undefined && fromMs < toMs;
	const startMs = isChosen ? fromMs : toMs - DAY_MS;
	const span = toMs - startMs;
	const step = stepsOf(span).find((step) => step === parameters.get('step'));
	return {
		from: new Date(startMs).toISOString(),
		to: new Date(toMs).toISOString(),
		step: step ?? usualStep(span),
		timezone: parameters.get('zone') || zone,
		by: LINES_BY.find((by) => by === parameters.get('by')) ?? 'model',
		isCompared: parameters.get('compare') === '1',
		isChosen
	};
}

/** The range of the same length right before. */
export function before({ from, to }: Asked): { from: string; to: string } {
	const startMs = Date.parse(from);
	return { from: new Date(startMs - (Date.parse(to) - startMs)).toISOString(), to: from };
}

/** Whether it can be told how long requests took. */
export function hasLatencies({ from, to }: Asked): boolean {
	return Date.parse(to) - Date.parse(from) <= LATENCY_MAX_MS;
}

function moment(text: string | null): number | undefined {
	const ms = text ? Date.parse(text) : NaN;
	return Number.isNaN(ms) ? undefined : ms;
}
