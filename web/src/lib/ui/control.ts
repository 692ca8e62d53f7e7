/** What every control that is filled in looks like. */
export const controlClass = [
	'w-full min-w-0 rounded-md border border-line-strong bg-surface px-2.5 text-ink',
	'placeholder:text-ink-3 disabled:opacity-55',
	'aria-invalid:border-bad'
].join(' ');

/** The height of a control of one line. */
export const lineClass = 'h-9 pointer-coarse:h-11';
