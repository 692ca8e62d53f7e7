/** What opens above the page: menus, lists of choices, pop-overs. */
export const panelClass =
	'z-40 rounded-lg border border-line bg-surface p-1 text-ink shadow-high outline-none';

/** A line in it that can be chosen. */
export const itemClass = [
	'flex min-h-8 items-center gap-2 rounded-md px-2.5 py-1 text-sm outline-none select-none',
	'data-highlighted:bg-hover data-selected:bg-hover pointer-coarse:min-h-11',
	'data-disabled:opacity-55'
].join(' ');
