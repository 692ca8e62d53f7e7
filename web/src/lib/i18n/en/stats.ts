/** Texts of the page /stats. */
export const stats = {
	title: 'Statistics'
};
