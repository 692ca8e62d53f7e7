import type { Dictionary } from '../en';
import { common, format, ui } from './common';
import { shell } from './shell';
import { login } from './login';
import { overview } from './overview';
import { settings } from './settings';
import { requestKeys } from './request-keys';
import { authKeys } from './auth-keys';
import { requestLogs } from './request-logs';
import { realtimeLogs } from './realtime-logs';


const texts: Dictionary = {
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


export default texts;
