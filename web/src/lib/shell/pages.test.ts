import { expect, test } from 'vitest';
import en from '$lib/i18n/en';
import { isCurrent, pages } from './pages';

test('a page is current for itself and what lies below it, and for nothing else', () => {
	const current = (path: string) =>
		pages(en)
			.filter((page) => isCurrent(page, path))
			.map((page) => page.path);
	expect(current('/')).toEqual(['/']);
	expect(current('/auth-keys')).toEqual(['/auth-keys']);
	expect(current('/auth-keys/3')).toEqual(['/auth-keys']);
	expect(current('/auth-keysx')).toEqual([]);
});
