import { adminOf } from './support/admin';
import { endSession, expect, expectAccessible, logInAgain, test } from './support/test';

test.describe('with sessions elsewhere', () => {
	test.use({ fresh: true });

	test('another session is ended and its token is worth nothing from then on', async ({
		adminPage: page,
		gateway
	}) => {
		const elsewhere = await adminOf(gateway.url);
		await page.goto('/settings');
		await page.getByRole('button', { name: 'End all others' }).click();
		await expect(page.getByRole('button', { name: 'End all others' })).toBeHidden();

		const { response } = await elsewhere.GET('/api/system');
		expect(response.status).toBe(401);
		await page.reload();
		await expect(page.getByText('this one')).toBeVisible();
		await expectAccessible(page);
	});
});

test('the backup is a database, against the password @phone', async ({
	adminPage: page,
	gateway
}) => {
	await page.goto('/settings');
	await page.getByRole('button', { name: 'Download a backup' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Your password', { exact: true }).fill(gateway.password);
	await expectAccessible(page);
	const download = page.waitForEvent('download');
	await dialog.getByRole('button', { name: 'Download a backup' }).click();
	const stream = await (await download).createReadStream();
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk as Buffer);
	expect(Buffer.concat(chunks).subarray(0, 15).toString()).toBe('SQLite format 3');
});

test.describe('with nobody who is told', () => {
	test.use({ fresh: true, expectedErrors: [/status of 422/] });

	test('a setting is changed while the gateway runs, and who did it is kept in mind @phone', async ({
		adminPage: page
	}) => {
		await page.goto('/settings');
		await expect(page.getByText('Nobody is told when keys run out')).toBeVisible();
		await expect(page.getByText('Nothing was changed yet')).toBeVisible();

		await page.getByRole('button', { name: 'Change HEARTBEAT_SECONDS' }).click();
		const dialog = page.getByRole('dialog');
		const value = dialog.getByLabel('Value', { exact: true });
		await expect(value).toHaveValue('15');
		await value.fill('never');
		await value.press('Enter');
		await expect(dialog.getByRole('alert')).toBeVisible();
		await expectAccessible(page);
		await value.fill('20');
		await value.press('Enter');

		await expect(dialog).toBeHidden();
		await expect(page.getByText('admin at 127.0.0.1')).toBeVisible();
		await expectAccessible(page);
		await page.getByRole('button', { name: 'Change HEARTBEAT_SECONDS' }).click();
		await dialog.getByRole('button', { name: 'Back to the default' }).click();
		await expect(dialog).toBeHidden();
		await expect(page.getByText('admin at 127.0.0.1')).toHaveCount(2);
	});
});

test.describe('with somebody who is told and does not listen', () => {
	test.use({ fresh: true, settings: { ALERT_WEBHOOK_URL: 'http://127.0.0.1:9/a-secret' } });

	test('a test of the alerts says why it does not arrive', async ({ adminPage: page }) => {
		await page.goto('/settings');
		await page.getByRole('button', { name: 'Send a test' }).click();
		await expect(page.getByText('did not arrive')).toBeVisible();
		await expect(page.getByText('a-secret')).toHaveCount(0);
		await expectAccessible(page);
	});
});

test('a password that the configuration sets is changed there, and the page says so @phone', async ({
	adminPage: page
}) => {
	await page.goto('/settings');
	await expect(page.getByText(/^The password is set by PASSWORD in the configuration/)).toBeVisible();
	await expect(page.getByRole('button', { name: 'Change password' })).toHaveCount(0);
});

test.describe('with a password that was made at the first start', () => {
	test.use({
		fresh: true,
		settings: { PASSWORD: undefined },
		expectedErrors: [/status of (401|403)/]
	});

	test('the password is changed, which ends every other session and the old password', async ({
		adminPage: page,
		gateway
	}) => {
		const chosen = 'quite another one';
		expect(gateway.password).toMatch(/^\S{20,}$/);
		const elsewhere = await adminOf(gateway.url, gateway.password);
		await page.goto('/settings');
		const current = page.getByLabel('Current password', { exact: true });
		const next = page.getByLabel('New password', { exact: true });
		await expect(current).toHaveAttribute('autocomplete', 'current-password');
		await expect(next).toHaveAttribute('autocomplete', 'new-password');

		await current.fill(gateway.password);
		await next.fill('short');
		await next.press('Enter');
		await expect(page.getByRole('alert')).toHaveText('Use at least eight characters.');
		await expect(next).toHaveAttribute('aria-invalid', 'true');
		await expectAccessible(page);

		await current.fill('not the password');
		await next.fill(chosen);
		await next.press('Enter');
		await expect(page.getByRole('alert')).toHaveText('The password is not right.');
		await expect(next).toHaveValue(chosen);

		await current.fill(gateway.password);
		await current.press('Enter');
		await expect(page.getByText('The password is changed.')).toBeVisible();
		await expect(current).toHaveValue('');
		await expect(next).toHaveValue('');
		expect((await elsewhere.GET('/api/system')).response.status).toBe(401);
		await page.reload();
		await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
		await expect(page.getByRole('button', { name: 'End all others' })).toHaveCount(0);
		await expect(adminOf(gateway.url, gateway.password)).rejects.toThrow('the login did not work');
		await adminOf(gateway.url, chosen);
	});

	test('a session that ends does not cost the passwords that were typed', async ({
		adminPage: page,
		gateway
	}) => {
		await page.goto('/settings');
		await page.getByRole('searchbox').fill('retention');
		const current = page.getByLabel('Current password', { exact: true });
		const next = page.getByLabel('New password', { exact: true });
		await current.fill('not the password');
		await next.fill('quite another one');
		await endSession(page);
		await next.press('Enter');
		await logInAgain(page, gateway.password);

		await expect(page.getByRole('alert')).toHaveText('The password is not right.');
		await expect(next).toHaveValue('quite another one');
		await expect(page.getByRole('searchbox')).toHaveValue('retention');
		await current.fill(gateway.password);
		await current.press('Enter');
		await expect(page.getByText('The password is changed.')).toBeVisible();
	});
});
