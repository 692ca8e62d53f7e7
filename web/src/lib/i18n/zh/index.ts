import type { Dictionary } from '../en';
import { common, format, ui } from './common';
import { shell } from './shell';
import { login } from './login';
import { overview } from './overview';
import { requestKeys } from './request-keys';
import { authKeys } from './auth-keys';


const texts: Dictionary = {
	common,
	format,
	ui,
	shell,
	login,
	overview,
	requestKeys,
	authKeys
};


export default texts;
