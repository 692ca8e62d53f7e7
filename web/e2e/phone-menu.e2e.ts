import { expect, expectAccessible, expectNoSidewaysScroll, test } from './support/test';

/** The bar is there on narrow windows only, whatever points at them. */
test.use({ viewport: { width: 390, height: 844 } });

test('the pages that do not fit into the bar of a phone stand behind "More" @phone', async ({
	adminPage: page
}) => {
	await page.goto('/');
	const bar = page.getByRole('navigation', { name: 'Pages' }).filter({ visible: true });
	await expect(bar.getByRole('link')).toHaveText(['Overview', 'Keys', 'Users', 'Logs']);
	const more = bar.getByRole('button', { name: 'More' });
	await more.click();
	const dialog = page.getByRole('dialog', { name: 'More pages' });
	await expect(dialog.getByRole('link')).toHaveText(['Live log', 'Statistics', 'Resources', 'Settings']);
	await expectAccessible(page);
	await expectNoSidewaysScroll(page);
	for (const link of await dialog.getByRole('link').all()) {
		expect((await link.boundingBox())?.height).toBeGreaterThanOrEqual(36);
	}
	await page.keyboard.press('Escape');
	await expect(dialog).toBeHidden();
	await expect(more).toBeFocused();

	await more.click();
	await dialog.getByRole('link', { name: 'Settings' }).click();
	await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
	await expect(dialog).toBeHidden();
	await more.click();
	await expect(dialog.getByRole('link', { name: 'Settings' })).toHaveAttribute('aria-current', 'page');
	await dialog.getByRole('combobox', { name: 'Appearance' }).selectOption('Dark');
	await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
	await dialog.getByRole('combobox', { name: 'Language' }).selectOption('简体中文');
	await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
	await page.getByRole('dialog').getByRole('button').last().click();
	await expect(page).toHaveURL(/\/login$/);
});
