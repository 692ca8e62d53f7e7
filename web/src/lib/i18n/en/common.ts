/** Words that every page uses. */
export const common = {
	appName: 'Gemini Balance',
	add: 'Add',
	all: 'All',
	any: 'Any',
	apply: 'Apply',
	back: 'Back',
	cancel: 'Cancel',
	clear: 'Clear',
	close: 'Close',
	copied: 'Copied',
	copy: 'Copy',
	delete: 'Delete',
	done: 'Done',
	edit: 'Edit',
	loading: 'Loading …',
	more: 'More',
	no: 'No',
	off: 'Off',
	on: 'On',
	refresh: 'Refresh',
	retry: 'Try again',
	save: 'Save',
	search: 'Search',
	undo: 'Undo',
	yes: 'Yes',
	requestId: (id: string) => `Request ${id}`,
	unreachable: 'The gateway cannot be reached. Is it running?',
	failed: 'That did not work.'
};

/** Texts of lib/format. */
export const format = {
	none: '–',
	now: 'now',
	milliseconds: (value: string) => `${value} ms`,
	seconds: (value: string) => `${value} s`,
	minutes: (value: string) => `${value} min`,
	hours: (value: string) => `${value} h`,
	days: (value: string) => `${value} d`
};

/** Texts of the primitives in lib/ui. */
export const ui = {
	showPassword: 'Show password',
	hidePassword: 'Hide password',
	copyFailed: 'Copying did not work. Select the text and copy it by hand.',
	notices: 'Notices',
	dismiss: 'Dismiss',
	stale: (when: string) => `As of ${when}; refreshing does not work at the moment.`,
	from: 'From',
	to: 'To',
	range: 'Time range',
	custom: 'Custom',
	wholeRange: 'Everything',
	lastHour: 'Last hour',
	lastDay: 'Last 24 hours',
	lastWeek: 'Last 7 days',
	lastMonth: 'Last 30 days',
	rangeBackwards: 'The end lies before the start.',
	dateUnended: 'Fill in day and time, or nothing.',
	noMatch: 'Nothing matches.',
	palette: 'Commands',
	palettePlaceholder: 'Go to a page, or do something …'
};
