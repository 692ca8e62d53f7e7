import type { Page } from '@playwright/test';
import { expect, expectAccessible, expectNoSidewaysScroll } from './support/test';
import { KNOWN, test } from './support/traffic';

const HOUR_MS = 3_600_000;
const local = (ms: number) => new Date(ms).toISOString().slice(0, 16);
const open = (page: Page) => page.getByRole('button', { name: /^Time range/ }).click();
const asked = (page: Page, name: string) => new URL(page.url()).searchParams.get(name);

for (const path of ['/request-logs', '/stats']) {
	test(`a range of one's own is chosen on ${path}, and one that cannot be is told @phone`, async ({
		adminPage: page
	}) => {
		test.slow();
		const now = Date.now();
		await page.goto(path);
		await open(page);
		const form = page.getByRole('dialog', { name: 'Time range' });
		const [from, to] = [form.getByLabel('From'), form.getByLabel('To')];
		await from.fill(local(now));
		await to.fill(local(now - HOUR_MS));
		await expect(form.getByRole('alert')).toHaveText('The end lies before the start.');
		await expect(to).toHaveAttribute('aria-invalid', 'true');
		await form.getByRole('button', { name: 'Apply' }).click();
		await expect(to).toBeFocused();
		await expect(page).toHaveURL(new RegExp(`${path}$`));
		await expectAccessible(page, '[role=dialog]');
		await expectNoSidewaysScroll(page);

		// Long before anything was logged: nothing is there, and no browser says so in its own words.
		await from.fill('2020-01-01T00:00');
		await to.fill('2020-01-01T05:00');
		await expect(form.getByRole('alert')).toHaveCount(0);
		await to.press('Enter');
		await expect(form).toBeHidden();
		await expect(page).toHaveURL(/from=2020-01-01T00.*to=2020-01-01T05/);
		if (path === '/stats') await expect(page.locator('dl').first()).toContainText('Requests 0');
		else await expect(page.getByText('Nothing matches these filters')).toBeVisible();

		await open(page);
		await expect(from).toHaveValue('2020-01-01T00:00');
		await from.fill(local(now - HOUR_MS));
		await to.fill(local(now + HOUR_MS));
		await form.getByRole('button', { name: 'Apply' }).click();
		await expect.poll(() => asked(page, 'from')).toBe(`${local(now - HOUR_MS)}:00.000Z`);
		if (path === '/stats') {
			await expect(page.locator('dl').first()).toContainText(`Requests ${KNOWN.requests}`);
		} else await expect(page.locator('[data-row]')).toHaveCount(KNOWN.attempts);
		await page.reload();
		await expect(page.getByRole('button', { name: /^Time range/ })).not.toContainText('2020');
	});
}

test('a moment that is half filled in is asked for, and an empty one leaves the range open', async ({
	adminPage: page
}) => {
	await page.goto('/request-logs');
	await open(page);
	const form = page.getByRole('dialog', { name: 'Time range' });
	const from = form.getByLabel('From');
	await from.focus();
	await page.keyboard.type('11');
	await form.getByRole('button', { name: 'Apply' }).click();
	await expect(form.getByRole('alert')).toHaveText('Fill in day and time, or nothing.');
	await expect(from).toBeFocused();
	await from.fill('2020-01-01T00:00');
	await expect(form.getByRole('alert')).toHaveCount(0);
	await form.getByRole('button', { name: 'Apply' }).click();
	await expect(page).toHaveURL(/\?from=2020-01-01T00[^&]*$/);
	await expect(page.locator('[data-row]')).toHaveCount(KNOWN.attempts);

	await open(page);
	await page.keyboard.press('Escape');
	await expect(form).toBeHidden();
	await expect(page.getByRole('button', { name: /^Time range/ })).toBeFocused();
});

test.describe('a range in the address that runs backwards', () => {
	test.use({ expectedErrors: [/status of 422/] });

	test('does not cost the page, and is left again', async ({ adminPage: page }) => {
		const backwards = '?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z';
		await page.goto(`/stats${backwards}`);
		await expect(page.locator('dl').first()).toContainText('Requests');
		await page.goto(`/request-logs${backwards}`);
		await page.getByRole('button', { name: 'Clear all filters' }).first().click();
		await expect(page.locator('[data-row]')).toHaveCount(KNOWN.attempts);
	});
});
