import type { realtimeLogs as english } from '../en/realtime-logs';

export const realtimeLogs: typeof english = {
	title: '实时日志'
};
