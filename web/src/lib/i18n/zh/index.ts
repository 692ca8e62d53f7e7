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
import { stats } from './stats';


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
	realtimeLogs,
	stats
};


export default texts;
