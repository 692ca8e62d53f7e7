/** Texts of the page /realtime-logs. */
export const realtimeLogs = {
	title: 'Live log'
};
