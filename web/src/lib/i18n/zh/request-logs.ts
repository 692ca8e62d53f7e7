import type { requestLogs as english } from '../en/request-logs';

export const requestLogs: typeof english = {
	title: '请求日志'
};
