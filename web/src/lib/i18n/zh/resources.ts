import type { resources as english } from '../en/resources';

export const resources: typeof english = {
	title: '存储资源',
	lead: '上游为各密钥所属项目保存的文件、缓存、批处理等。',
	find: '搜索名称',
	kind: '种类',
	anyKind: '所有种类',
	clearFilters: '清除筛选',
	name: '名称',
	user: '所有者',
	key: '创建者',
	created: '创建时间',
	expires: '有效至',
	expiresAt: (when) => `${when}到期`,
	noEnd: '无已知期限',
	deletedKey: '已删除的密钥',
	emptyTitle: '没有存储任何资源',
	emptyText: '应用经由网关创建的内容（例如上传的文件）会列在这里。',
	noneTitle: '没有匹配的资源',
	noneText: '没有资源符合筛选条件。',
	removeOf: (name) => `删除 ${name}`,
	removeTitle: (name) => `删除 ${name}？`,
	removeText: '将在上游删除。仍在使用它的请求会得到错误。',
	forgetText: '创建它的密钥已被删除。如果其项目没有其他密钥，则只清除我们的记录。',
	removeGo: '删除',
	outcomes: {
		deleted: (name) => `${name} 已删除。`,
		was_gone: (name) => `${name} 早已不存在。`,
		forgotten: (name) => `${name} 的记录已清除；没有密钥能访问它。`
	},
	pages: '分页',
	before: '上一页',
	after: '下一页',
	pageOf: (page, pages, total) => `第 ${page} 页，共 ${pages} 页，合计 ${total} 项`
};
