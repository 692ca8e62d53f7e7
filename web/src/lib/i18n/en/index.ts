
import { common, format, ui } from './common';
import { shell } from './shell';
import { login } from './login';
import { overview } from './overview';
import { settings } from './settings';
import { requestKeys } from './request-keys';
import { authKeys } from './auth-keys';
import { requestLogs } from './request-logs';
import { realtimeLogs } from './realtime-logs';

/** Every text of the app, by area. A language that lacks one, or has one too many, does not compile. */
const texts = {
	common,
	format,
	ui,
	shell,
	login,
	overview,
	settings,
	requestKeys,
	authKeys,
	requestLogs,
	realtimeLogs
};

export type Dictionary = typeof texts;
export default texts;
