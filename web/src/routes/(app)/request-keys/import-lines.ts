/** What was pasted or read, sorted out before the server sees it. */
export interface Lines {
	/** What may be keys, each once, in their order. */
	keys: string[];
	/** How many stood there more than once. */
	repeated: number;
	/** What can be no key, as it stood there. */
	malformed: string[];
}

/** As the server: shorter or longer is no key. */
const BYTES_MIN = 8;
const BYTES_MAX = 512;
const PRINTABLE = /^[\x21-\x7e]+$/;
/** Columns and fields that hold keys, where there are others beside them. */
const KEY_FIELDS = ['api_key', 'apikey', 'key', 'keys', 'api_keys', 'secret', 'token', 'value'];
const ASSIGNMENT = /^(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=\s*(.*)$/;
const QUOTES = /^(["'])(.*)\1$/;

/** Finds the keys in a text: one in each line, CSV, JSON, or what stands behind `NAME=`. */
export function linesOf(text: string): Lines {
	const seen = new Set<string>();
	const malformed: string[] = [];
	let repeated = 0;
	for (const found of candidatesOf(text.replace(/^\uFEFF/, ''))) {
		const key = found.trim();
		if (key === '') continue;
		if (!isPlausible(key)) malformed.push(key);
		else if (seen.has(key)) repeated += 1;
		else seen.add(key);
	}
	return { keys: [...seen], repeated, malformed };
}

function isPlausible(key: string): boolean {
	return BYTES_MIN <= key.length && key.length <= BYTES_MAX && PRINTABLE.test(key);
}

function candidatesOf(text: string): string[] {
	const trimmed = text.trim();
	if (trimmed.startsWith('[') || trimmed.startsWith('{')) {
		const read = jsonOf(trimmed);
		if (read !== undefined) return inJson(read);
	}
	const lines = trimmed.split(/\r\n|\r|\n/);
	const columns = cellsOf(lines[0] ?? '').map((cell) => cell.toLowerCase());
	const column = columns.findIndex((name) => KEY_FIELDS.includes(name));
	if (0 <= column) return lines.slice(1).map((line) => cellsOf(line)[column] ?? '');
	return lines.flatMap(inLine);
}

function jsonOf(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** Texts in lists are keys; of objects, the fields that are named like keys, or hold further lists. */
function inJson(value: unknown): string[] {
	if (typeof value === 'string') return value.split(/\r\n|\r|\n/);
	if (Array.isArray(value)) return value.flatMap(inJson);
	if (typeof value !== 'object' || value === null) return [];
	return Object.entries(value).flatMap(([name, inner]) => {
		const isKey = KEY_FIELDS.includes(name.toLowerCase());
		return isKey || typeof inner === 'object' ? inJson(inner) : [];
	});
}

/** One line: a remark, an assignment of one or more keys, cells, or a key. */
function inLine(line: string): string[] {
	const trimmed = line.trim();
	if (trimmed === '' || trimmed.startsWith('#')) return [];
	const assigned = ASSIGNMENT.exec(trimmed)?.[1];
	const value = (assigned ?? trimmed).trim();
	const bare = QUOTES.exec(value)?.[2] ?? value;
	const read = bare.startsWith('[') ? jsonOf(bare) : undefined;
	if (read !== undefined) return inJson(read);
	return cellsOf(bare.replace(/[,;]+$/, ''));
}

/** The cells of a line of CSV; a quote in a quoted cell is doubled. */
function cellsOf(line: string): string[] {
	if (!/[,;\t"]/.test(line)) return [line.trim()];
	const cells: string[] = [];
	let cell = '';
	let isQuoted = false;
	for (let at = 0; at < line.length; at += 1) {
		const char = line[at] ?? '';
		if (char === '"' && isQuoted && line[at + 1] === '"') {
			cell += '"';
			at += 1;
		} else if (char === '"') isQuoted = !isQuoted;
		else if (!isQuoted && /[,;\t]/.test(char)) {
			cells.push(cell.trim());
			cell = '';
		} else cell += char;
	}
	return [...cells, cell.trim()];
}
