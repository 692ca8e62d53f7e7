import { serviceKey } from './support/admin';
import { expect, expectAccessible, expectNoSidewaysScroll, test } from './support/test';

test.use({ fresh: true });

test('the guide leads from nothing to the first answered request @phone', async ({
	adminPage: page
}) => {
	await page.goto('/');
	await expect(page.getByRole('heading', { name: 'First steps' })).toBeVisible();

	const keys = page.getByRole('textbox', { name: 'Service keys' });
	await keys.fill(`${serviceKey('good', 1)}\n${serviceKey('invalid', 2)}\nnot a key`);
	await page.getByRole('button', { name: 'Add and test' }).click();
	const tests = page.getByRole('list', { name: 'Tests of the added keys' });
	await expect(tests.getByText(/^works, /)).toHaveCount(1);
	await expect(tests.getByText('The test failed')).not.toHaveCount(0);
	await expect(keys).toHaveValue('');

	await page.getByRole('button', { name: 'Make a user key' }).click();
	const shown = page.getByText(/^gb-/).first();
	const userKey = (await shown.textContent()) ?? '';
	for (const client of ['curl', 'openai', 'google-genai', 'gemini-cli', 'Open WebUI']) {
		await page.getByRole('tab', { name: client, exact: true }).click();
		const panel = page.getByRole('tabpanel');
		await expect(panel).toContainText(userKey);
		await expect(panel).toContainText(new URL(page.url()).origin);
	}

	await page.getByRole('button', { name: 'Send a test request' }).click();
	await expect(page.getByText(/^Answered in /)).toBeVisible();
	const attempts = page.getByRole('list', { name: 'Attempts of the test request' });
	await expect(attempts).toContainText('200');
	await expectAccessible(page);
	await expectNoSidewaysScroll(page);

	await page.reload();
	await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
	await expect(page.getByRole('heading', { name: 'First steps' })).toBeHidden();
	await expect(page.getByText(userKey)).toBeHidden();
});
