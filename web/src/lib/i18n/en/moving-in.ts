/** Texts of the page /moving-in. */
export const movingIn = {
	title: 'Move in',
	lead: 'Takes over keys, users and the log of another gateway. Nothing changes before you have seen what would.',
	sources:
		'Understood are: the database of the Python version of Gemini Balance; .env, database or MySQL dump of snailyp/gemini-balance; exports and databases of gpt-load 1 and 2; databases of one-api and new-api; a plain list of keys. Which of them it is shows in the file itself.',
	choose: 'Choose a file',
	large: 'Up to 64 MiB. Larger ones: gemini-balance import FILE.',
	paste: 'Or paste its text',
	pasteHint: 'You may drop a file here, too.',
	look: 'Look at it',
	foundTitle: (source: string) => `This is ${source}`,
	from: {
		predecessor: 'the Python version of Gemini Balance',
		snailyp: 'snailyp/gemini-balance',
		gpt_load: 'gpt-load 1.x',
		gpt_load2: 'gpt-load 2.x',
		one_api: 'one-api or new-api',
		key_list: 'a list of keys'
	},
	tally: (added: string, duplicate: string, invalid: string) =>
		`${added} new, ${duplicate} known, ${invalid} not usable`,
	logRows: 'Log rows',
	hints: 'Its settings, and what does the same here',
	keys: 'Key by key',
	kinds: { service_key: 'service key', user_key: 'user key' },
	outcomes: { added: 'new', duplicate: 'known', invalid: 'not usable' },
	more: (count: string) => `Show more (${count} left)`,
	take: 'Take it over',
	withoutLog: 'Without the log',
	failed: 'Nothing was changed.',
	doneTitle: 'Moved in',
	done: (added: string, duplicate: string, invalid: string) =>
		`${added} keys taken over, ${duplicate} were here already, ${invalid} could not be used.`,
	next: 'User keys go on to work as they are. Test the service keys, then point your clients at this gateway.',
	another: 'Another file'
};
