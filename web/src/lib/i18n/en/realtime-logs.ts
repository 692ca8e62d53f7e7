/** Texts of the page /realtime-logs. */
export const realtimeLogs = {
	title: 'Live log',
	lead: 'What the gateway writes, as it writes it.',
	filters: 'Filters',
	level: 'Level',
	levels: {
		ERROR: 'Errors only',
		WARNING: 'Warnings and errors',
		INFO: 'Information and graver',
		DEBUG: 'Debugging and graver',
		TRACE: 'Everything'
	},
	search: 'Lines that contain …',
	list: 'Log lines',
	pause: 'Pause',
	resume: 'Resume',
	clear: 'Clear',
	download: 'Download',
	fileName: 'gemini-balance.log',
	connections: {
		connecting: 'Connecting …',
		open: 'Connected',
		waiting: 'Disconnected; trying again',
		paused: 'Paused'
	},
	count: (shown: string, all: string) => {
		const lines = all === '1' ? '1 line' : `${all} lines`;
		return shown === all ? lines : `${shown} of ${lines}`;
	},
	missed: (count: string) => (count === '1' ? '1 line missed' : `${count} lines missed`),
	toEnd: 'To the newest',
	follow: (request: string) => `Follow request ${request}`,
	followShort: 'follow',
	following: (request: string) => `Request ${request}`,
	unfollow: (request: string) => `Stop following request ${request}`,
	openRequest: 'Its attempts',
	emptyTitle: 'Nothing written yet',
	emptyText: 'New lines appear here by themselves. A lower level shows more.',
	noneTitle: 'No line matches',
	noneText: 'New lines that match appear here by themselves.'
};
