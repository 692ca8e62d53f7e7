import { PAGES } from './support/pages';
import { expect, PASSWORD, test, useLanguage, useTheme } from './support/test';

const WIDTHS = [
	{ width: 1440, height: 900 },
	{ width: 390, height: 844 }
];

// Everything in one gateway that has just started: the empty face of each page. Pages with more
// faces have pictures of their own beside this file (`*.shot.ts`).
test.use({ fresh: true });

for (const { name, path, heading, isPublic } of PAGES) {
	test(name, async ({ page }) => {
		if (!isPublic) await page.request.post('/api/auth/login', { data: { password: PASSWORD } });
		for (const viewport of WIDTHS) {
			for (const theme of ['light', 'dark'] as const) {
				await page.setViewportSize(viewport);
				await useTheme(page, theme);
				await page.goto(path);
				await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
				await page.waitForLoadState('networkidle');
				const file = `screenshots/${name}-${viewport.width}-${theme}.png`;
				await page.screenshot({ path: file, fullPage: true });
			}
		}
		await useLanguage(page, 'zh-CN');
		await page.goto(path);
		await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
		await page.waitForLoadState('networkidle');
		await page.screenshot({ path: `screenshots/${name}-390-zh.png`, fullPage: true });
	});
}
