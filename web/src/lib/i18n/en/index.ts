
import { common, format, ui } from './common';
import { shell } from './shell';
import { login } from './login';
import { overview } from './overview';
import { requestKeys } from './request-keys';
import { authKeys } from './auth-keys';

/** Every text of the app, by area. A language that lacks one, or has one too many, does not compile. */
const texts = {
	common,
	format,
	ui,
	shell,
	login,
	overview,
	requestKeys,
	authKeys
};

export type Dictionary = typeof texts;
export default texts;
