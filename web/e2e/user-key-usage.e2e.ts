import { expect, expectAccessible, expectNoSidewaysScroll } from './support/test';
import { KNOWN, test } from './support/traffic';

test('each user key has a page that tells how it is used @phone', async ({
	adminPage: page,
	admin
}) => {
	await admin.POST('/api/auth_keys', { body: { alias: 'idle' } });
	await page.goto('/auth-keys');
	await page.getByRole('link', { name: 'caller' }).click();
	await expect(page.getByRole('heading', { level: 1, name: 'Use of caller' })).toBeVisible();
	await expect(page).toHaveTitle('Use of caller · Gemini Balance');
	const facts = page.locator('dl').first();
	await expect(facts).toContainText(`Requests ${KNOWN.requests}`);
	await expect(facts).toContainText('Succeeded 80%');
	const models = page.getByRole('region', { name: 'By model' });
	await expect(models.getByRole('row', { name: /gemini-2.5-flash/ }).getByRole('cell').first()).toHaveText('3');
	await expect(models.getByRole('row', { name: /gemini-2.0-flash/ }).getByRole('cell').nth(1)).toHaveText('0%');
	const periods = page.getByRole('region', { name: 'Over time' });
	await expect(periods.getByRole('row')).toHaveCount(2);
	await expectAccessible(page);
	await expectNoSidewaysScroll(page);

	await page.getByRole('combobox', { name: 'How far back' }).selectOption('Last 24 hours');
	await expect(page).toHaveURL(/\?span=day$/);
	await page.reload();
	await expect(facts).toContainText(`Requests ${KNOWN.requests}`);
	await models.getByRole('link', { name: 'gemini-2.5-pro' }).click();
	await expect(page).toHaveURL(/\/request-logs\?.*model=gemini-2.5-pro/);
	await expect(page.locator('[data-row]')).toHaveCount(KNOWN.models['gemini-2.5-pro']);

	await page.goto('/auth-keys');
	await page.getByRole('link', { name: 'idle' }).click();
	await expect(page.getByText('Not used in this time')).toBeVisible();
	await expectAccessible(page);
});

test.describe('with a number that no key has', () => {
	test.use({ expectedErrors: [/status of (404|422)/] });

	test('the page says that there is nothing', async ({ adminPage: page }) => {
		await page.goto('/auth-keys/4711');
		await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
		await expectAccessible(page);
	});
});
