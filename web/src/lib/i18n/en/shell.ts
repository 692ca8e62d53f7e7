/** Texts of the frame around all pages. */
export const shell = {
	skip: 'Skip to the content',
	navigation: 'Pages',
	overview: 'Overview',
	resources: 'Resources',
	stats: 'Statistics',
	/** Short names, for the bar of a phone. */
	bar: { requestKeys: 'Keys', authKeys: 'Users', requestLogs: 'Logs' },
	more: 'More pages',
	menu: 'Menu',
	preferences: 'Preferences',
	theme: 'Appearance',
	themeLight: 'Light',
	themeDark: 'Dark',
	themeAuto: 'As the system',
	language: 'Language',
	commands: 'Commands',
	logout: 'Log out',
	goTo: (page: string) => `Go to ${page}`,
	groupPages: 'Pages',
	groupActions: 'Actions',
	notFoundTitle: 'There is no such page',
	notFound: 'The address may be mistyped, or the page may have moved. These exist:',
	errorTitle: 'This page could not be loaded',
	sessionOver: 'Your session has ended',
	sessionOverHint: 'Log in again to go on where you were; nothing on this page is lost.',
	leave: 'Go to the login page'
};
