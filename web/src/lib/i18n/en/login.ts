/** Texts of the page /login, and of logging in again. */
export const login = {
	title: 'Log in',
	lead: 'Log in to manage this gateway.',
	password: 'Password',
	submit: 'Log in',
	missing: 'Enter the password.',
	wrong: 'The password is not right.',
	throttled: (wait: string) => `Too many attempts. Try again in ${wait}.`,
	firstPassword: 'On the first start the gateway prints a password to its log.'
};
