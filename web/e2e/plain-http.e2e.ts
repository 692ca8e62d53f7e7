import { expect, PASSWORD, test } from './support/test';

// The gateway as another machine sees it: by a name, over plain HTTP.
const NAME = 'gateway.test';

test.use({ fresh: true });

test('over plain HTTP from another host a key is copied all the same', async ({
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
	} finally {
		await browser.close();
	}
});
