/** A page that every general test looks at. */
export interface Stop {
	name: string;
	path: string;
	/** Its heading, in English. */
	heading: string | RegExp;
	isPublic?: boolean;
}

/** Every page there is. Whoever adds a page adds it here: axe, widths and pictures follow. */
export const PAGES: Stop[] = [
	{ name: 'login', path: '/login', heading: 'Log in', isPublic: true },
	{ name: 'overview', path: '/', heading: 'Overview' },
	{ name: 'request-keys', path: '/request-keys', heading: 'Service keys' },
	{ name: 'auth-keys', path: '/auth-keys', heading: 'User keys' },
	{ name: 'request-logs', path: '/request-logs', heading: 'Request logs' },
	{ name: 'realtime-logs', path: '/realtime-logs', heading: 'Live log' },
	{ name: 'stats', path: '/stats', heading: 'Statistics' },
	{ name: 'resources', path: '/resources', heading: 'Resources' },
	{ name: 'moving-in', path: '/moving-in', heading: 'Move in' },
	{ name: 'settings', path: '/settings', heading: 'Settings' },
	{ name: 'not-found', path: '/settings/nothing-here', heading: 'There is no such page' }
];
