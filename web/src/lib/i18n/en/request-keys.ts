/** Texts of the page /request-keys. */
export const requestKeys = {
	title: 'Service keys'
};
