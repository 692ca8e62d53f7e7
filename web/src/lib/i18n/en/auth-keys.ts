/** Texts of the page /auth-keys. */
export const authKeys = {
	title: 'User keys'
};
