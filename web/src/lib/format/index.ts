/** The words that numbers cannot say. */
export interface FormatTexts {
	/** For what is not known. */
	none: string;
	now: string;
	milliseconds: (value: string) => string;
	seconds: (value: string) => string;
	minutes: (value: string) => string;
	hours: (value: string) => string;
	days: (value: string) => string;
}

/** Anything that stands for a moment: the server's text, ms since 1970, a date. */
export type MomentLike = string | number | Date;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** How a reader writes numbers, durations and times. What is `null` or `undefined` shows as a dash. */
export type Format = ReturnType<typeof createFormat>;

/** Makes the functions that write for readers of a language; `timeZone` is theirs if not said. */
export function createFormat(locale: string, texts: FormatTexts, timeZone?: string) {
	const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
	const tenth = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
	const short = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
	const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone });
	const times = new Intl.DateTimeFormat(locale, {
		hour: '2-digit',
		minute: '2-digit',
		second: '2-digit',
		hourCycle: 'h23',
		timeZone
	});
	const dateTimes = new Intl.DateTimeFormat(locale, {
		year: 'numeric',
		month: 'short',
		day: 'numeric',
		hour: '2-digit',
		minute: '2-digit',
		hourCycle: 'h23',
		timeZone
	});
	const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'always', style: 'short' });

	/** Shows a dash for what is not there. */
	function known<T>(write: (value: T) => string): (value: T | null | undefined) => string {
		return (value) => (value === null || value === undefined ? texts.none : write(value));
	}

	/** A length of time in the unit in which it is read best: 12 ms, 3.4 s, 5 min, 2 h, 9 d. */
	function duration(ms: number): string {
		const size = Math.abs(ms);
		if (size < SECOND) return texts.milliseconds(whole.format(ms));
		if (size < 10 * SECOND) return texts.seconds(tenth.format(ms / SECOND));
		// The borders lie where rounding would reach the next unit.
		if (size < MINUTE - SECOND / 2) return texts.seconds(whole.format(ms / SECOND));
		if (size < HOUR - MINUTE / 2) return texts.minutes(whole.format(ms / MINUTE));
		if (size < 2 * DAY) return texts.hours(whole.format(ms / HOUR));
		return texts.days(whole.format(ms / DAY));
	}

	/** A moment from now: "in 4 min", "2 h ago". */
	function ago(moment: MomentLike, now: number = Date.now()): string {
		const ms = new Date(moment).getTime() - now;
		const size = Math.abs(ms);
		if (size < 5 * SECOND) return texts.now;
		if (size < MINUTE - SECOND / 2) return relative.format(Math.round(ms / SECOND), 'second');
		if (size < HOUR - MINUTE / 2) return relative.format(Math.round(ms / MINUTE), 'minute');
		if (size < 2 * DAY) return relative.format(Math.round(ms / HOUR), 'hour');
		return relative.format(Math.round(ms / DAY), 'day');
	}

	function bytes(count: number): string {
		const exponent = count < 1 ? 0 : Math.floor(Math.log2(count) / 10);
		const unit = Math.min(exponent, BYTE_UNITS.length - 1);
		return `${tenth.format(count / 1024 ** unit)} ${BYTE_UNITS[unit]}`;
	}

	return {
		number: known((value: number) => whole.format(value)),
		/** At most one digit behind the point. */
		decimal: known((value: number) => tenth.format(value)),
		/** 12.3K, 4M: for large numbers in small places; the exact one belongs into the title. */
		short: known((value: number) => short.format(value)),
		/** Of a share in percent, as the server gives it. */
		percent: known((value: number) => `${tenth.format(value)}%`),
		bytes: known(bytes),
		duration: known(duration),
		ago: (moment: MomentLike | null | undefined, now?: number) =>
			moment === null || moment === undefined ? texts.none : ago(moment, now),
		date: known((moment: MomentLike) => dates.format(new Date(moment))),
		time: known((moment: MomentLike) => times.format(new Date(moment))),
		dateTime: known((moment: MomentLike) => dateTimes.format(new Date(moment))),
		/** To the millisecond and with its zone, for titles. */
		exact: known((moment: MomentLike) => new Date(moment).toISOString())
	};
}
