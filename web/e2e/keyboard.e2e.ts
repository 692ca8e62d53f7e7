import type { Locator, Page } from '@playwright/test';
import { serviceKey } from './support/admin';
import { ask, rules } from './support/traffic';
import { expect, expectVisibleFocus, PASSWORD, test } from './support/test';

/** Chromium reports the 401 of who is not logged in yet. */
test.use({ fresh: true, expectedErrors: [/status of 401/] });

/** Goes on with the Tab key until something has the focus; each stop on the way can be seen. */
async function tabTo(page: Page, target: Locator, key = 'Tab') {
	const STEPS_MAX = 80;
	for (let step = 0; step < STEPS_MAX; step += 1) {
		await page.keyboard.press(key);
		await expectVisibleFocus(page);
		if (await target.evaluate((element) => element === document.activeElement)) return;
	}
	throw new Error(`${String(target)} is not reached by ${key}`);
}

test('from the login to a request in the log without a mouse', async ({ page, gateway, admin }) => {
	test.slow();
	await page.goto('/request-keys');
	await expect(page.getByLabel('Password', { exact: true })).toBeFocused();
	await page.keyboard.type(PASSWORD);
	await page.keyboard.press('Enter');
	await expect(page.getByText('No service keys yet')).toBeVisible();

	// The first stop of a page leads past the navigation.
	await page.keyboard.press('Tab');
	await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
	await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeInViewport();
	await page.keyboard.press('Enter');
	await expect(page.getByRole('main')).toBeFocused();
	const add = page.getByRole('button', { name: 'Add keys' }).first();
	await tabTo(page, add);
	await page.keyboard.press('Enter');
	const form = page.getByRole('dialog', { name: 'Add service keys' });
	await expect(form).toBeVisible();
	const field = form.getByLabel('Keys', { exact: true });
	await tabTo(page, field);
	await page.keyboard.type(`${serviceKey('good', 1)}\n${serviceKey('good', 2)}`);
	await expect(form.getByText('2 new')).toBeVisible();
	await tabTo(page, form.getByRole('button', { name: 'Add 2 keys' }));
	await page.keyboard.press('Enter');
	await expect(form).toBeHidden();
	await expect(add, 'a dialog gives the focus back').toBeFocused();

	// A key is opened, switched off, and left again.
	const second = page.getByRole('link', { name: /^Details of/ }).nth(1);
	await expect(second).toBeVisible();
	await tabTo(page, second);
	await page.keyboard.press('Enter');
	const drawer = page.getByRole('dialog');
	await expect(drawer.getByText('Models at rest')).toBeVisible();
	await tabTo(page, drawer.getByRole('button', { name: 'Disable' }));
	await page.keyboard.press('Enter');
	await expect(drawer.getByRole('button', { name: 'Enable' })).toBeVisible();
	await page.keyboard.press('Escape');
	await expect(drawer).toBeHidden();
	await expect(second, 'the drawer gives the focus back').toBeFocused();
	await expect(page.getByRole('row').nth(2).getByText('disabled')).toBeVisible();

	// A menu is opened by its arrow keys, and gives the focus back, too.
	const menu = page.getByRole('button', { name: /^Actions for/ }).nth(1);
	await tabTo(page, menu);
	await page.keyboard.press('Enter');
	await expect(page.getByRole('menuitem', { name: 'Details' })).toBeFocused();
	await page.keyboard.press('ArrowDown');
	await expect(page.getByRole('menuitem', { name: 'Test' })).toBeFocused();
	await page.keyboard.press('Escape');
	await expect(menu).toBeFocused();

	// Something to look at: one answered request, one refused.
	const { data: caller } = await admin.POST('/api/auth_keys', { body: { alias: 'caller' } });
	const model = 'gemini-2.0-flash';
	await rules(gateway, [
		{ when: { model }, answer: { refusal: { bad_request: { message: 'No.' } } } }
	]);
	expect(await ask(gateway, caller?.api_key ?? '', 'gemini-2.5-flash')).toBe(200);
	expect(await ask(gateway, caller?.api_key ?? '', model)).toBe(400);
	await expect.poll(async () => (await admin.GET('/api/request_logs')).data?.total).toBe(2);

	await page.keyboard.press('Control+k');
	await expect(page.getByPlaceholder('Go to a page, or do something …')).toBeFocused();
	await page.keyboard.type('request logs');
	await page.keyboard.press('Enter');
	await expect(page.locator('[data-row]')).toHaveCount(2);
	const outcome = page.getByRole('combobox', { name: 'Outcome', exact: true });
	await tabTo(page, outcome);
	await page.keyboard.type('Failed');
	await expect(page).toHaveURL(/success=false/);
	await expect(page.locator('[data-row]')).toHaveCount(1);
	await expect(outcome, 'a filter keeps the focus').toBeFocused();

	const row = page.locator('[data-row="0"] a');
	await tabTo(page, row);
	await page.keyboard.press('Enter');
	const request = page.getByRole('dialog', { name: 'Request' });
	await expect(request).toContainText('Attempt 1 of 1');
	await tabTo(page, request.getByRole('button', { name: 'Close' }));
	await page.keyboard.press('Escape');
	await expect(request).toBeHidden();
	await expect(row, 'the drawer gives the focus back').toBeFocused();
	await page.keyboard.press('Shift+Tab');
	await expectVisibleFocus(page);
});

test('after J and K in the drawer the focus is on the request that was looked at last', async ({
	adminPage: page,
	gateway,
	admin
}) => {
	await admin.POST('/api/keys', { body: { api_keys: [serviceKey('good', 1)] } });
	const { data: caller } = await admin.POST('/api/auth_keys', { body: { alias: 'caller' } });
	for (const model of ['gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-2.0-flash']) {
		expect(await ask(gateway, caller?.api_key ?? '', model)).toBe(200);
	}
	await expect.poll(async () => (await admin.GET('/api/request_logs')).data?.total).toBe(3);
	await page.goto('/request-logs');
	await page.locator('[data-row="0"] a').focus();
	await page.keyboard.press('Enter');
	const request = page.getByRole('dialog', { name: 'Request' });
	await expect(request).toContainText('gemini-2.0-flash');
	await page.keyboard.press('j');
	await expect(request).toContainText('gemini-2.5-pro');
	await page.keyboard.press('Escape');
	await expect(request).toBeHidden();
	await expect(page.locator('[data-row="1"] a')).toBeFocused();
});
