import { expect, PASSWORD, test } from './support/test';

// The gateway as another machine sees it: by a name, over plain HTTP.
const NAME = 'gateway.test';

test.use({ fresh: true });

test('over plain HTTP from another host keys are copied all the same', async ({
	gateway,
	playwright
}, { project }) => {
	const { launchOptions } = project.use;
	const args = [...(launchOptions?.args ?? []), `--host-resolver-rules=MAP ${NAME} 127.0.0.1`];
	const browser = await playwright.chromium.launch({ ...launchOptions, args });
	try {
		const page = await browser.newPage({ locale: 'en' });
		await page.goto(gateway.url.replace('127.0.0.1', NAME));
		expect(await page.evaluate(() => window.isSecureContext)).toBe(false);
		await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
		await page.getByRole('button', { name: 'Log in' }).click();
		await page.getByRole('button', { name: 'Make a user key' }).click();
		const copy = page.getByRole('button', { name: 'Copy: User key' });
		await copy.click();
		await expect(page.getByRole('button', { name: 'Copied: User key' })).toBeFocused();

		const key = (await page.getByText(/^gb-/).first().textContent()) ?? '';
		const field = page.getByRole('textbox', { name: 'Service keys' });
		await field.focus();
		await page.keyboard.press('Control+v');
		await expect(field).toHaveValue(key);

		// In a dialog, too, which holds the focus.
		await page.getByRole('link', { name: 'User keys' }).first().click();
		const make = page.getByRole('button', { name: 'Make a user key' }).first();
		await make.click();
		await page.getByLabel('Name', { exact: true }).fill('My phone');
		await page.getByRole('button', { name: 'Make the key' }).click();
		const made = page.getByRole('dialog', { name: 'The key of My phone' });
		const another = (await made.locator('code').textContent()) ?? '';
		await made.getByRole('button', { name: /^Copy/ }).click();
		await expect(made.getByRole('button', { name: /^Copied/ })).toBeFocused();
		await made.getByRole('button', { name: 'Done' }).click();
		await make.click();
		const note = page.getByLabel('Note', { exact: true });
		await note.focus();
		await page.keyboard.press('Control+v');
		await expect(note).toHaveValue(another);
	} finally {
		await browser.close();
	}
});
