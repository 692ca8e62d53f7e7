/** The columns of the list, in their order. */
export const COLUMNS = [
	'time',
	'outcome',
	'model',
	'serviceKey',
	'userKey',
	'duration',
	'firstByte',
	'tokens',
	'attempt',
	'answer',
	'operation',
	'bytes'
] as const;

export type Column = (typeof COLUMNS)[number];

const KEY = 'request-logs-columns';
const USUAL: readonly Column[] = [
	'time',
	'outcome',
	'model',
	'serviceKey',
	'userKey',
	'duration',
	'firstByte',
	'tokens'
];

/** Columns of numbers stand at the right. */
export const NUMERIC: readonly Column[] = ['duration', 'firstByte', 'tokens', 'attempt', 'bytes'];

/** What was chosen, in the order of the columns; the time, which opens a request, is always there. */
export function chosenColumns(text: string | null): readonly Column[] {
	if (text === null) return USUAL;
	const names = text.split(',');
	return COLUMNS.filter((name) => name === 'time' || names.includes(name));
}

/** The choice of this browser. */
export function rememberedColumns(): readonly Column[] {
	try {
		return chosenColumns(localStorage.getItem(KEY));
	} catch {
		return USUAL;
	}
}

export function rememberColumns(columns: readonly Column[]): void {
	try {
		localStorage.setItem(KEY, columns.join(','));
	} catch {
		// Without storage the choice lasts as long as the page.
	}
}
