import type { liveSessions as english } from '../en/live-sessions';

export const liveSessions: typeof english = {
	title: 'Live 会话',
	of: (open, max) => `已打开 ${open} 个，上限 ${max} 个`,
	full: '已满',
	none: '当前没有打开的 Live 会话。',
	newest: (count) => `仅显示最新的 ${count} 个。`,
	model: '模型',
	noModel: '尚未说明',
	user: '用户密钥',
	key: '服务密钥',
	noKey: '尚未选定',
	deleted: '已删除',
	since: '打开于',
	frames: '帧数',
	bytesIn: '接收',
	bytesOut: '发送'
};
