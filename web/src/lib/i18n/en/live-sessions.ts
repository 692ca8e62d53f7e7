/** Texts of the Live sessions on the page /. */
export const liveSessions = {
	title: 'Live sessions',
	of: (open: string, max: string) => `${open} of ${max} open`,
	full: 'full',
	none: 'No Live session is open.',
	newest: (count: string) => `The newest ${count} are shown.`,
	model: 'Model',
	noModel: 'not told yet',
	user: 'User key',
	key: 'Service key',
	noKey: 'none yet',
	deleted: 'deleted',
	since: 'Opened',
	frames: 'Frames',
	bytesIn: 'Received',
	bytesOut: 'Sent'
};
