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
import { resources } from './resources';


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
	stats,
	resources
};


export default texts;
