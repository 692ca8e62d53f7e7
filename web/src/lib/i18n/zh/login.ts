import type { login as english } from '../en/login';

export const login: typeof english = {
	title: '登录',
	lead: '登录以管理此网关。',
	password: '密码',
	submit: '登录',
	missing: '请输入密码。',
	wrong: '密码不正确。',
	throttled: (wait) => `尝试次数过多，请在 ${wait}后重试。`,
	firstPassword: '首次启动时，网关会在日志中输出密码。'
};
