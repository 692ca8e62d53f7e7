import { readFile } from 'node:fs/promises';
import { expect, expectAccessible, expectNoSidewaysScroll } from './support/test';
import { ask, KNOWN, test } from './support/traffic';

test('every filter narrows the list, stands in the address, and survives a reload', async ({
	adminPage: page
}) => {
	test.slow();
	await page.goto('/request-logs');
	const rows = page.locator('tbody tr[data-row]');
	await expect(rows).toHaveCount(KNOWN.attempts);
	const narrowed: [string, string | RegExp, number, RegExp][] = [
		['Outcome', 'Failed', 2, /success=false/],
		['Model', /^gemini-2.5-flash \(3\)$/, 3, /model=gemini-2.5-flash/],
		['Kind of error', /bad_request|invalid/, 1, /error_type=/],
		['Status', '429', 1, /status=429/],
		['User key', /^caller \(6\)$/, 6, /user_key_id=\d+/],
		['Answer', 'Whole', 6, /stream=false/],
		['Attempts', 'Last of each request', KNOWN.requests, /final=true/]
	];
	for (const [filter, choice, count, address] of narrowed) {
		const select = page.getByRole('combobox', { name: filter, exact: true });
		const option = select.locator('option').filter({ hasText: choice });
		await expect(option, filter).toHaveCount(1);
		await select.selectOption({ label: (await option.textContent()) ?? '' });
		await expect(page, filter).toHaveURL(address);
		await expect(rows, filter).toHaveCount(count);
		await page.reload();
		await expect(rows, filter).toHaveCount(count);
		await page.getByRole('button', { name: 'Clear all filters' }).click();
		await expect(page).toHaveURL(/\/request-logs$/);
		await expect(rows).toHaveCount(KNOWN.attempts);
	}
});

test('a range of time, and links with filters, narrow the list @phone', async ({ adminPage: page }) => {
	const hour = new Date(Date.now() + 3_600_000).toISOString();
	await page.goto(`/request-logs?from=${hour}`);
	await expect(page.getByText('Nothing matches these filters')).toBeVisible();
	await page.getByRole('button', { name: /^Time range/ }).click();
	await page.getByRole('button', { name: 'Last hour' }).click();
	await expect(page.getByRole('status').filter({ hasText: '6 attempts' })).toBeVisible();
	await page.goto('/request-logs?success=false&error_type=nothing-like-this');
	await page.getByRole('button', { name: /^Remove the filter Kind of error/ }).click();
	await expect(page.locator('[data-row]')).toHaveCount(2);
	await expectNoSidewaysScroll(page);
});

test('a request opens with its attempts as a timeline @phone', async ({ adminPage: page }) => {
	await page.goto('/request-logs?model=gemini-2.5-pro&success=true');
	await page.locator('[data-row="0"] a').click();
	const drawer = page.getByRole('dialog', { name: 'Request' });
	const steps = drawer.getByRole('listitem');
	await expect(steps).toHaveCount(2);
	await expect(steps.nth(0)).toContainText('429');
	await expect(steps.nth(1)).toContainText('200 succeeded');
	await expect(steps.nth(1)).toContainText('Attempt 2 of 2');
	await expect(page).toHaveURL(/request=[0-9a-f]{32}/);
	await expectAccessible(page);

	// The address alone shows the same.
	const id = new URL(page.url()).searchParams.get('request') ?? '';
	await page.goto(`/request-logs?request=${id}`);
	await expect(steps).toHaveCount(2);
	await drawer.getByRole('link', { name: 'Only Status 429' }).click();
	await expect(page).toHaveURL(/\/request-logs\?status=429$/);
	await expect(page.locator('[data-row]')).toHaveCount(1);
});

test.describe('with a refusal', () => {
	test.use({ expectedErrors: [/status of 404/] });

	test('a request that is not there is told, and the list stays', async ({ adminPage: page }) => {
		await page.goto(`/request-logs?request=${'0'.repeat(31)}1`);
		await expect(page.getByText('This request is not in the log, or no longer.')).toBeVisible();
		await page.keyboard.press('Escape');
		await expect(page.locator('[data-row]')).toHaveCount(KNOWN.attempts);
	});
});

test('the list is read by keyboard alone', async ({ adminPage: page }) => {
	await page.goto('/request-logs?final=true');
	await expect(page.locator('[data-row]')).toHaveCount(KNOWN.requests);
	await page.keyboard.press('j');
	await expect(page.locator('[data-row="0"] a')).toBeFocused();
	await page.keyboard.press('j');
	await page.keyboard.press('j');
	await page.keyboard.press('k');
	await expect(page.locator('[data-row="1"] a')).toBeFocused();
	await page.keyboard.press('Enter');
	const drawer = page.getByRole('dialog', { name: 'Request' });
	await expect(drawer).toContainText('Attempt 2 of 2');
	await page.keyboard.press('j');
	await expect(drawer).toContainText('Attempt 1 of 1');
	await page.keyboard.press('k');
	await expect(drawer).toContainText('Attempt 2 of 2');
	await page.keyboard.press('Escape');
	await expect(drawer).toBeHidden();
	await expect(page).toHaveURL(/\/request-logs\?final=true$/);
});

test('columns are chosen and remembered', async ({ adminPage: page }) => {
	await page.goto('/request-logs');
	await expect(page.getByRole('columnheader', { name: 'Operation' })).toHaveCount(0);
	await page.locator('summary', { hasText: 'Columns' }).click();
	await page.getByRole('checkbox', { name: 'Operation' }).check();
	await page.getByRole('checkbox', { name: 'Tokens' }).uncheck();
	await page.reload();
	await expect(page.getByRole('columnheader', { name: 'Operation' })).toBeVisible();
	await expect(page.getByRole('columnheader', { name: 'Tokens' })).toHaveCount(0);
});

test('the export holds what the filters leave', async ({ adminPage: page }) => {
	await page.goto('/request-logs?model=gemini-2.5-flash');
	for (const [kind, lines] of [['Export as CSV', 4], ['Export as JSON lines', 3]] as const) {
		const download = page.waitForEvent('download');
		await page.getByRole('link', { name: kind }).click();
		const text = await readFile(await (await download).path(), 'utf8');
		expect(text.trimEnd().split('\n'), kind).toHaveLength(lines);
		expect(text).toContain('gemini-2.5-flash');
		expect(text).not.toContain('gemini-2.5-pro');
	}
});

test('a long list is read on as one scrolls, and draws only what is near', async ({
	adminPage: page,
	gateway,
	admin,
	userKey
}) => {
	const more = 250;
	for (let sent = 0; sent < more; sent += 25) {
		await Promise.all(Array.from({ length: 25 }, () => ask(gateway, userKey, 'gemini-2.5-flash')));
	}
	const total = KNOWN.attempts + more;
	await expect
		.poll(async () => (await admin.GET('/api/request_logs')).data?.total)
		.toBeGreaterThanOrEqual(total);
	await page.goto('/request-logs');
	const end = page.getByText('That is the oldest one.');
	await expect(async () => {
		await page.mouse.wheel(0, 4_000);
		await expect(end).toBeInViewport({ timeout: 200 });
	}).toPass();
	const last = Number(await page.locator('[data-row]').last().getAttribute('data-row'));
	expect(last).toBeGreaterThanOrEqual(total - 1);
	expect(await page.locator('[data-row]').count()).toBeLessThan(80);
});
