import type { requestKeys as english } from '../en/request-keys';

export const requestKeys: typeof english = {
	title: '服务密钥'
};
