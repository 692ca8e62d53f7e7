import type { shell as english } from '../en/shell';

export const shell: typeof english = {
	skip: '跳到正文',
	navigation: '页面',
	overview: '概览',
	resources: '存储资源',
	stats: '统计',
	bar: { requestKeys: '密钥', authKeys: '用户', requestLogs: '日志' },
	more: '更多页面',
	menu: '菜单',
	preferences: '偏好设置',
	theme: '外观',
	themeLight: '浅色',
	themeDark: '深色',
	themeAuto: '跟随系统',
	language: '语言',
	commands: '命令',
	logout: '退出登录',
	goTo: (page) => `前往${page}`,
	groupPages: '页面',
	groupActions: '操作',
	notFoundTitle: '没有这个页面',
	notFound: '地址可能有误，或页面已移动。可用的页面：',
	errorTitle: '无法加载此页面',
	sessionOver: '会话已结束',
	sessionOverHint: '重新登录后可从原处继续，本页内容不会丢失。',
	leave: '前往登录页'
};
