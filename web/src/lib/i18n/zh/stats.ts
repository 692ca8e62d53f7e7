import type { stats as english } from '../en/stats';

export const stats: typeof english = {
	title: '统计'
};
