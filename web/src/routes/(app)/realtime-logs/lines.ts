/** A line of the log as the server sends it. */
interface LogLine {
	id: number;
	time_ms: number;
	level: Level;
	target: string;
	message: string;
	fields: Readonly<Record<string, unknown>>;
}

export const LEVELS = ['ERROR', 'WARNING', 'INFO', 'DEBUG', 'TRACE'] as const;
export type Level = (typeof LEVELS)[number];

/** A line in the buffer, with what it is searched by. */
export interface KeptLine extends LogLine {
	/** As people read it, on one line. */
	text: string;
	/** The request it belongs to. */
	request: string | undefined;
	/** How many lines are missing before it, because this reader was too slow. */
	missed: number;
}

/** Reads what an event brought; `undefined` if that is no line. */
export function readLine(data: string, missed = 0): KeptLine | undefined {
	try {
		const line = JSON.parse(data) as LogLine;
		if (typeof line.id !== 'number' || typeof line.message !== 'string') return undefined;
		const request = line.fields['request_id'];
		return {
			...line,
			missed,
			text: textOf(line),
			request: typeof request === 'string' ? request : undefined
		};
	} catch {
		return undefined;
	}
}

/** The line as the log file has it, without the time. */
function textOf({ message, fields }: LogLine): string {
	const words = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
	return [message, ...words].join(' ');
}

function plain(value: unknown): string {
	return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

/** New lines behind the old ones, the oldest given up where there are too many. */
export function kept<T>(lines: readonly T[], more: readonly T[], max: number): readonly T[] {
	if (more.length >= max) return more.slice(more.length - max);
	return [...lines.slice(Math.max(0, lines.length + more.length - max)), ...more];
}

/** The lines that contain a text, whatever its case. */
export function matching(lines: readonly KeptLine[], query: string): readonly KeptLine[] {
	const wanted = query.trim().toLowerCase();
	return wanted === '' ? lines : lines.filter((line) => line.text.toLowerCase().includes(wanted));
}

/** How many lines are drawn of those at the end; as many more when one nears the edge of what is drawn. */
export const DRAWN = 150;

/** What somebody reads who has scrolled up: lines from one on, by its id. */
export interface Excerpt {
	from: number;
	count: number;
}

/**
 * The lines that are drawn. A flood brings hundreds at once: at the end only as many are drawn as can be
 * seen there, and to one who reads further up nothing is added.
 */
export function drawn(lines: readonly KeptLine[], excerpt: Excerpt | undefined): readonly KeptLine[] {
	if (!excerpt) return lines.slice(-DRAWN);
	const first = placeOf(lines, excerpt);
	return lines.slice(first, first + excerpt.count);
}

/** The same excerpt with more lines before it. */
export function furtherUp(lines: readonly KeptLine[], excerpt: Excerpt): Excerpt {
	const first = placeOf(lines, excerpt);
	const more = Math.min(first, DRAWN);
	return { from: lines[first - more]?.id ?? excerpt.from, count: excerpt.count + more };
}

/** Where an excerpt begins: its line may be gone. */
function placeOf(lines: readonly KeptLine[], { from }: Excerpt): number {
	const first = lines.findIndex(({ id }) => from <= id);
	return first === -1 ? Math.max(0, lines.length - DRAWN) : first;
}

/** What is downloaded: a line for each, with its exact time. */
export function fileOf(lines: readonly KeptLine[]): string {
	return lines
		.map((line) => `${new Date(line.time_ms).toISOString()} ${line.level} ${line.text}\n`)
		.join('');
}

/** What is asked of the server. */
export interface Wanted {
	level: Level;
	/** Only lines that contain this text exactly. */
	text: string;
}

/** Where the stream is; behind a line, if one was seen. */
export function streamAddress({ level, text }: Wanted, lastId?: number): string {
	const parameters = new URLSearchParams({ format: 'json', level: level.toLowerCase() });
	if (text) parameters.set('q', text);
	if (lastId !== undefined) parameters.set('last_event_id', String(lastId));
	return `/api/logs/sse?${parameters}`;
}
