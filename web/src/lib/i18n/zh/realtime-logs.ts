import type { realtimeLogs as english } from '../en/realtime-logs';

export const realtimeLogs: typeof english = {
	title: '实时日志',
	lead: '网关写出的日志，即时显示。',
	filters: '筛选',
	level: '级别',
	levels: {
		ERROR: '仅错误',
		WARNING: '警告及以上',
		INFO: '信息及以上',
		DEBUG: '调试及以上',
		TRACE: '全部'
	},
	search: '包含文字…',
	list: '日志行',
	pause: '暂停',
	resume: '继续',
	clear: '清空',
	download: '下载',
	fileName: 'gemini-balance.log',
	connections: {
		connecting: '连接中…',
		open: '已连接',
		waiting: '已断开，正在重试',
		paused: '已暂停'
	},
	count: (shown, all) => (shown === all ? `${all} 行` : `${shown} / ${all} 行`),
	missed: (count) => `漏掉 ${count} 行`,
	toEnd: '到最新',
	follow: (request) => `跟踪请求 ${request}`,
	followShort: '跟踪',
	following: (request) => `请求 ${request}`,
	unfollow: (request) => `停止跟踪请求 ${request}`,
	openRequest: '查看其尝试',
	emptyTitle: '还没有日志',
	emptyText: '新的日志会自动出现。降低级别可看到更多。',
	noneTitle: '没有匹配的行',
	noneText: '匹配的新日志会自动出现。'
};
