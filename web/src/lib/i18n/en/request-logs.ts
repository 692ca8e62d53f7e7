/** Texts of the page /request-logs. */
export const requestLogs = {
	title: 'Request logs'
};
