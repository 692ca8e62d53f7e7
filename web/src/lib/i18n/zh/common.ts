import type { common as englishCommon, format as englishFormat, ui as englishUi } from '../en/common';

export const common: typeof englishCommon = {
	appName: 'Gemini Balance',
	add: '添加',
	all: '全部',
	any: '不限',
	apply: '应用',
	back: '返回',
	cancel: '取消',
	clear: '清除',
	close: '关闭',
	copied: '已复制',
	copy: '复制',
	delete: '删除',
	done: '完成',
	edit: '编辑',
	loading: '加载中…',
	more: '更多',
	no: '否',
	off: '关',
	on: '开',
	refresh: '刷新',
	retry: '重试',
	save: '保存',
	search: '搜索',
	undo: '撤销',
	yes: '是',
	requestId: (id) => `请求 ${id}`,
	unreachable: '无法连接网关，请确认它正在运行。',
	failed: '操作未成功。'
};

export const format: typeof englishFormat = {
	none: '–',
	now: '刚刚',
	milliseconds: (value) => `${value} 毫秒`,
	seconds: (value) => `${value} 秒`,
	minutes: (value) => `${value} 分钟`,
	hours: (value) => `${value} 小时`,
	days: (value) => `${value} 天`
};

export const ui: typeof englishUi = {
	showPassword: '显示密码',
	hidePassword: '隐藏密码',
	copyFailed: '复制未成功，请选中文本后手动复制。',
	notices: '通知',
	dismiss: '关闭通知',
	stale: (when) => `数据截至 ${when}；暂时无法刷新。`,
	from: '从',
	to: '至',
	range: '时间范围',
	custom: '自定义',
	wholeRange: '全部时间',
	lastHour: '最近 1 小时',
	lastDay: '最近 24 小时',
	lastWeek: '最近 7 天',
	lastMonth: '最近 30 天',
	rangeBackwards: '结束时间早于开始时间。',
	dateUnended: '请填写完整的日期和时间，或留空。',
	noMatch: '没有匹配项。',
	palette: '命令',
	palettePlaceholder: '前往页面或执行操作…'
};
