import { expect, expectAccessible, expectNoSidewaysScroll, test } from './support/test';

test.use({ fresh: true });

test('a user key is made, shown once, copied, and then known by its ends @phone', async ({
	adminPage: page,
	gateway
}) => {
	await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
	await page.goto('/auth-keys');
	await expect(page.getByText('No user keys yet')).toBeVisible();
	await page.getByRole('button', { name: 'Make a user key' }).first().click();
	const form = page.getByRole('dialog', { name: 'Make a user key' });
	await form.getByRole('button', { name: 'Make the key' }).click();
	await expect(form.getByRole('alert')).toHaveText('Give it a name.');
	await form.getByLabel('Name').fill('My phone');
	await form.getByLabel('Note').fill('for chats');
	await expectAccessible(page);
	await form.getByLabel('Note').press('Enter');

	const made = page.getByRole('dialog', { name: 'The key of My phone' });
	const key = (await made.locator('code').textContent()) ?? '';
	expect(key.length).toBeGreaterThan(20);
	await made.getByRole('button', { name: /^Copy/ }).click();
	expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key);
	await expectAccessible(page);
	await made.getByRole('button', { name: 'Done' }).click();

	await expect(made).toBeHidden();
	await expect(page.getByText('My phone')).toBeVisible();
	await expect(page.getByText('for chats')).toBeVisible();
	expect(await page.content()).not.toContain(key);
	await expectNoSidewaysScroll(page);
	const models = await page.request.get(`${gateway.url}/v1/models`, {
		headers: { authorization: `Bearer ${key}` }
	});
	expect(models.status()).not.toBe(401);
});

test('disabling is undone, replacing gives another key, deleting takes it away', async ({
	adminPage: page,
	admin
}) => {
	const { data } = await admin.POST('/api/auth_keys', { body: { alias: 'App' } });
	await page.goto('/auth-keys');
	const act = async (name: RegExp | string) => {
		await page.getByRole('button', { name: 'Actions for App' }).click();
		await page.getByRole('menuitem', { name }).click();
	};
	const row = page.getByRole('row', { name: /App/ });

	await act('Disable');
	await expect(row.getByText('disabled')).toBeVisible();
	await page.getByRole('button', { name: 'Undo' }).click();
	await expect(row.getByText('enabled')).toBeVisible();

	await act(/Replace the key/);
	await page.getByRole('dialog').getByRole('button', { name: 'Replace the key' }).click();
	const made = page.getByRole('dialog', { name: 'The key of App' });
	await expect(made.locator('code')).not.toHaveText(data?.api_key ?? '');
	await made.getByRole('button', { name: 'Done' }).click();

	await act(/Delete/);
	await page.getByRole('dialog', { name: 'Delete App?' }).getByRole('button', { name: 'Delete' }).click();
	await expect(page.getByText('No user keys yet')).toBeVisible();
});

test('the address holds search, state and order', async ({
	adminPage: page,
	admin
}) => {
	await admin.POST('/api/auth_keys', { body: { alias: 'Anna' } });
	await admin.POST('/api/auth_keys', { body: { alias: 'Bert', expires_at: '2020-01-01T00:00:00Z' } });
	await page.goto('/auth-keys?sort=alias');
	await expect(page.getByRole('rowheader')).toHaveText(['Anna', 'Bert']);
	await page.getByRole('combobox', { name: 'State' }).selectOption('expired');
	await expect(page.getByRole('rowheader')).toHaveText(['Bert']);
	await expect(page).toHaveURL(/state=expired/);
	await page.reload();
	await expect(page.getByRole('rowheader')).toHaveText(['Bert']);
	await page.getByRole('searchbox').fill('nobody');
	await page.getByRole('link', { name: 'Clear filters' }).click();
	await expect(page.getByRole('rowheader')).toHaveCount(2);
});

test.describe('where the browser may complain', () => {
	test.use({ expectedErrors: [/status of (409|500)/] });

	test('a name that is taken is told in the form', async ({ adminPage: page, admin }) => {
		await admin.POST('/api/auth_keys', { body: { alias: 'Anna' } });
		await page.goto('/auth-keys');
		await page.getByRole('button', { name: 'Make a user key' }).click();
		const form = page.getByRole('dialog');
		await form.getByLabel('Name').fill('Anna');
		await form.getByRole('button', { name: 'Make the key' }).click();
		await expect(form.getByRole('alert')).toHaveText('Another key has this name.');
		await expect(form.getByLabel('Name')).toHaveValue('Anna');
	});

	test('what fails to load says why, and can be tried again', async ({ adminPage: page }) => {
		await page.route('**/api/auth_keys', (route) => route.fulfill({ status: 500, body: '' }));
		await page.goto('/auth-keys');
		const retry = page.getByRole('button', { name: 'Try again' });
		await expect(retry).toBeVisible();
		await expectAccessible(page);
		await page.unroute('**/api/auth_keys');
		await retry.click();
		await expect(page.getByText('No user keys yet')).toBeVisible();
	});
});
