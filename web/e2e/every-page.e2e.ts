import { PAGES } from './support/pages';
import {
	expect,
	expectAccessible,
	expectNoSidewaysScroll,
	PASSWORD,
	test,
	useLanguage,
	useTheme
} from './support/test';

for (const { name, path, heading, isPublic } of PAGES) {
	for (const theme of ['light', 'dark'] as const) {
		test(`${name} is for everyone in the ${theme} theme @phone`, async ({ page }) => {
			await useTheme(page, theme);
			if (!isPublic) await page.request.post('/api/auth/login', { data: { password: PASSWORD } });
			await page.goto(path);
			await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
			await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
			await expect(page).toHaveTitle(/.+ · Gemini Balance$/);
			await page.waitForLoadState('networkidle');

			await expectAccessible(page);
			await expectNoSidewaysScroll(page);
		});
	}

	test(`${name} speaks Chinese @phone`, async ({ page }) => {
		await useLanguage(page, 'zh-CN');
		if (!isPublic) await page.request.post('/api/auth/login', { data: { password: PASSWORD } });
		await page.goto(path);

		await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
		await expect(page.getByRole('heading', { level: 1 })).toHaveText(/\p{Script=Han}/u);
		await expectNoSidewaysScroll(page);
	});
}
