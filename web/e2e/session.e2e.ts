import { expect, expectAccessible, PASSWORD, test } from './support/test';

/** Chromium reports every 401 by itself. */
const REFUSED = /status of 401/;

test.use({ expectedErrors: [REFUSED] });

test('who is not logged in comes to the login and from there to where they wanted', async ({
	page
}) => {
	await page.goto('/settings?section=about');
	await expect(page).toHaveURL(/\/login\?to=/);
	const password = page.getByLabel('Password', { exact: true });
	await expect(password).toBeFocused();
	await expect(password).toHaveAttribute('autocomplete', 'current-password');

	await password.fill('not the password');
	await password.press('Enter');
	await expect(page.getByRole('alert')).toHaveText('The password is not right.');
	await expect(password).toBeFocused();
	await page.getByRole('button', { name: 'Show password' }).click();
	await expect(password).toHaveAttribute('type', 'text');
	await password.fill(PASSWORD);
	await page.getByRole('button', { name: 'Log in' }).click();

	await expect(page).toHaveURL(/\/settings\?section=about$/);
	await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
});

test('the browser keeps no token that a script could read', async ({ adminPage: page }) => {
	await page.goto('/');
	await expect(page.getByRole('heading', { level: 1 })).toBeVisible();

	const kept = await page.evaluate(() =>
		JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }])
	);
	expect(kept).not.toContain('eyJ');
	const [cookie] = await page.context().cookies();
	expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
});

test('logging out ends the session', async ({ adminPage: page }) => {
	await page.goto('/');
	await page.getByRole('button', { name: 'Log out' }).click();

	await expect(page).toHaveURL(/\/login$/);
	await page.goto('/settings');
	await expect(page).toHaveURL(/\/login\?to=%2Fsettings$/);
});

test('the pages are reached by keyboard alone', async ({ adminPage: page }) => {
	await page.goto('/');
	await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();

	await page.keyboard.press('Tab');
	await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
	await page.keyboard.press('Enter');
	await expect(page.getByRole('main')).toBeFocused();
	await page.keyboard.press('Control+k');
	await page.keyboard.type('settings');
	await page.keyboard.press('Enter');
	await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
	await expect(page).toHaveTitle('Settings · Gemini Balance');
});

test('the language changes at once and stays', async ({ adminPage: page }) => {
	await page.goto('/settings');
	await page.getByRole('combobox', { name: 'Language' }).selectOption('简体中文');
	await expect(page.getByRole('heading', { level: 1 })).toHaveText('设置');
	await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');

	await page.reload();
	await expect(page.getByRole('heading', { level: 1 })).toHaveText('设置');
});

test('a session that ends does not cost the page: after the password it goes on where it was', async ({
	adminPage: page
}) => {
	await page.goto('/');
	await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
	await page.evaluate(() => document.body.setAttribute('data-kept', ''));
	await page.context().clearCookies();

	// The next refresh of the overview meets the end of the session.
	const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
	await expect(dialog).toBeVisible({ timeout: 15_000 });
	await page.keyboard.press('Escape');
	await expect(dialog).toBeVisible();
	await expectAccessible(page);
	const refreshed = page.waitForResponse((it) => it.url().includes('/api/system') && it.ok());
	await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD);
	await dialog.getByRole('button', { name: 'Log in' }).click();

	await expect(dialog).toBeHidden();
	await refreshed;
	await expect(page.locator('body[data-kept]')).toBeAttached();
	await expect(page).toHaveURL(/\/$/);
});
