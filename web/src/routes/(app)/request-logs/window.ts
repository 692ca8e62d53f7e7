/** Rows of one height that are drawn: from `first` up to, and without, `end`. */
export interface Drawn {
	first: number;
	end: number;
}

/** Rows that are drawn beyond what is seen, so that scrolling meets no gap. */
const BEYOND = 12;

/** Which rows of a long list are drawn. `top` is how far its beginning lies above the window. */
export function drawnRows(top: number, height: number, rowHeight: number, count: number): Drawn {
	const first = Math.floor(top / rowHeight) - BEYOND;
	const end = Math.ceil((top + height) / rowHeight) + BEYOND;
	const bounded = (row: number) => Math.min(Math.max(row, 0), count);
	return { first: bounded(first), end: bounded(end) };
}
