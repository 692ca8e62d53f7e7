import { serviceKey } from './support/admin';
import { endSession, expect, expectAccessible, logInAgain, test } from './support/test';

/** Chromium reports every 401 by itself. */
test.use({ fresh: true, expectedErrors: [/status of 401/] });

test('the session ends while service keys are typed in: they are still there, and then added @phone', async ({
	adminPage: page
}) => {
	await page.goto('/request-keys');
	await page.getByRole('button', { name: 'Add keys' }).first().click();
	const form = page.getByRole('dialog', { name: 'Add service keys' });
	const keys = form.getByLabel('Keys', { exact: true });
	const text = `${serviceKey('good', 1)}\n${serviceKey('good', 2)}`;
	await form.getByLabel('Project').fill('one');
	await form.getByLabel('Note').fill('half filled in');
	await endSession(page);
	// Typing asks the gateway which of the keys it knows already: that meets the end of the session.
	await keys.fill(text);
	const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
	await expect(dialog).toBeVisible();
	await expect(dialog.getByLabel('Password', { exact: true })).toBeFocused();
	await expectAccessible(page);
	await page.keyboard.press('Escape');
	await expect(dialog).toBeVisible();
	await logInAgain(page);

	await expect(keys).toHaveValue(text);
	await expect(form.getByLabel('Project')).toHaveValue('one');
	await expect(form.getByLabel('Note')).toHaveValue('half filled in');
	await expect(keys).toBeFocused();
	await form.getByRole('button', { name: 'Add 2 keys' }).click();
	await expect(page.getByText('2 keys', { exact: true })).toBeVisible();
});

test('the session ends while a service key is edited: what was typed is saved after the login', async ({
	adminPage: page,
	admin
}) => {
	await admin.POST('/api/keys', { body: { api_keys: [serviceKey('good', 1)] } });
	await page.goto('/request-keys');
	await page.getByRole('link', { name: /^Details of/ }).click();
	const drawer = page.getByRole('dialog');
	await drawer.getByLabel('Note').fill('a note that took long to think of');
	await drawer.getByLabel('Project').fill('one');
	await endSession(page);
	await drawer.getByLabel('Project').press('Enter');
	await logInAgain(page);

	await expect(page.getByText('Saved.')).toBeVisible();
	await expect(drawer.getByLabel('Note')).toHaveValue('a note that took long to think of');
	const { data } = await admin.GET('/api/keys', { params: { query: { limit: 1 } } });
	expect(data?.keys[0]).toMatchObject({ note: 'a note that took long to think of', project: 'one' });
});

test('the session ends while a user key is made: name and note stay, and the key is made once @phone', async ({
	adminPage: page,
	admin
}) => {
	await page.goto('/auth-keys');
	await page.getByRole('button', { name: 'Make a user key' }).first().click();
	const form = page.getByRole('dialog', { name: 'Make a user key' });
	await form.getByLabel('Name').fill('My phone');
	await form.getByLabel('Note').fill('for chats');
	await endSession(page);
	// The list is read every few seconds: the session ends although nobody has sent anything.
	const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
	await expect(dialog).toBeVisible({ timeout: 15_000 });
	await logInAgain(page);

	await expect(form.getByLabel('Name')).toHaveValue('My phone');
	await expect(form.getByLabel('Note')).toHaveValue('for chats');
	await endSession(page);
	await form.getByRole('button', { name: 'Make the key' }).click();
	await logInAgain(page);
	await expect(page.getByRole('dialog', { name: 'The key of My phone' })).toBeVisible();
	const { data } = await admin.GET('/api/auth_keys');
	expect(data?.map(({ alias, note }) => [alias, note])).toEqual([['My phone', 'for chats']]);
});

test.describe('with a gateway that starts anew', () => {
	test.use({ expectedErrors: [/status of 401|ERR_(CONNECTION|INCOMPLETE|EMPTY|NETWORK)/] });

	test('the list of keys is live again after the login', async ({ adminPage: page, gateway, admin }) => {
		await admin.POST('/api/keys', { body: { api_keys: [serviceKey('good', 1)] } });
		await page.goto('/request-keys');
		await expect(page.getByText('1 key', { exact: true })).toBeVisible();
		await endSession(page);
		await gateway.restart();
		const again = page.waitForResponse((it) => it.url().endsWith('/api/events') && it.ok());
		await logInAgain(page);
		await again;
		await admin.POST('/api/keys', { body: { api_keys: [serviceKey('good', 2)] } });
		await expect(page.getByText('2 keys', { exact: true })).toBeVisible();
	});
});
