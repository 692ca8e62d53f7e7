import { expect, PASSWORD, test } from './support/test';

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
