import type { authKeys as english } from '../en/auth-keys';

export const authKeys: typeof english = {
	title: '用户密钥'
};
