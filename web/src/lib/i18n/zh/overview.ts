import type { overview as english } from '../en/overview';

export const overview: typeof english = {
	title: '概览',
	pool: (usable, total) => `${total} 个服务密钥中有 ${usable} 个可用`,
	allWell: '一切正常。',
	parts: {
		database: '数据库',
		service_keys: '服务密钥',
		upstream: '上游',
		journal: '请求日志'
	},
	runningNow: '正在处理',
	runningDetail: (connections, waiting) => `${connections} 个连接，${waiting} 个等待`,
	requests: '请求',
	lastDay: '最近 24 小时',
	successRate: '尝试成功率',
	successDetail: (successes, attempts) => `${attempts} 次尝试中成功 ${successes} 次`,
	firstByte: '首字节时间',
	latency: '总耗时',
	percentiles: (p90, p99) => `中位数；90% 在 ${p90}内，99% 在 ${p99}内`,
	tokens: '令牌',
	tokensDetail: (prompt, completion) => `输入 ${prompt}，输出 ${completion}`,
	poolTitle: '服务密钥状态',
	states: {
		active: '可用',
		resting: '冷却中',
		in_use: '使用中',
		invalid: '无效',
		suspended: '已停用',
		no_credit: '余额不足',
		disabled: '已禁用'
	},
	errorsTitle: '最近 24 小时的错误类型',
	errorsAttempts: (count) => `${count} 次尝试`,
	noErrorsTitle: '没有错误',
	noErrors: '最近 24 小时内的尝试全部成功，或没有尝试。'
};
