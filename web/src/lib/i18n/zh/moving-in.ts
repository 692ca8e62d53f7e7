import type { movingIn as english } from '../en/moving-in';

export const movingIn: typeof english = {
	title: '迁入',
	lead: '从其他网关迁入密钥、用户和日志。在您看到结果之前不会有任何改动。',
	sources:
		'支持：Gemini Balance 的 Python 版本数据库；snailyp/gemini-balance 的 .env、数据库或 MySQL 转储；gpt-load 1 和 2 的导出与数据库；one-api 和 new-api 的数据库；纯密钥列表。类型由文件内容自动识别。',
	choose: '选择文件',
	large: '最大 64 MiB。更大的文件请用：gemini-balance import FILE。',
	paste: '或粘贴其内容',
	pasteHint: '也可以把文件拖到这里。',
	look: '查看',
	foundTitle: (source) => `这是${source}`,
	from: {
		predecessor: 'Gemini Balance 的 Python 版本',
		snailyp: ' snailyp/gemini-balance',
		gpt_load: ' gpt-load 1.x',
		gpt_load2: ' gpt-load 2.x',
		one_api: ' one-api 或 new-api',
		key_list: '密钥列表'
	},
	tally: (added, duplicate, invalid) => `新增 ${added}，已有 ${duplicate}，不可用 ${invalid}`,
	logRows: '日志行',
	hints: '原有设置及此处的对应做法',
	keys: '逐个密钥',
	kinds: { service_key: '服务密钥', user_key: '用户密钥' },
	outcomes: { added: '新增', duplicate: '已有', invalid: '不可用' },
	more: (count) => `显示更多（还有 ${count} 个）`,
	take: '迁入',
	withoutLog: '不迁入日志',
	failed: '没有任何改动。',
	doneTitle: '已迁入',
	done: (added, duplicate, invalid) => `已迁入 ${added} 个密钥，${duplicate} 个已存在，${invalid} 个无法使用。`,
	next: '用户密钥可以照常使用。请先测试服务密钥，然后把客户端指向本网关。',
	another: '再选一个文件'
};
