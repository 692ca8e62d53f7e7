import { readFile } from 'node:fs/promises';
import { expect, expectAccessible, expectNoSidewaysScroll } from './support/test';
import { KNOWN, test } from './support/traffic';

test('every chart shows the numbers that are known @phone', async ({ adminPage: page }) => {
	test.slow();
	await page.goto('/stats?step=day&zone=UTC');
	const facts = page.locator('dl').first();
	await expect(facts).toContainText(`Requests ${KNOWN.requests}`);
	await expect(facts).toContainText('Success by request 80%');
	await expect(facts).toContainText('Success by attempt 66.7%');
	await expect(page.getByRole('img', { name: /^Chart/ })).toHaveCount(9);
	await expect(page.locator('svg[role=img]')).toHaveCount(7);
	await expectNoSidewaysScroll(page);
	await expectAccessible(page);

	const tables: [string, string[]][] = [
		['Requests', ['4', '1']],
		['Success', ['80%', '66.7%']],
		['By model', ['3', '2', '1']]
	];
	for (const [title, values] of tables) {
		await page.getByRole('button', { name: `Show the table: ${title}`, exact: true }).click();
		const row = page.getByRole('region', { name: title, exact: true }).getByRole('table').first().getByRole('row').last();
		await expect(row.getByRole('cell'), title).toHaveText(values);
	}
	await page.getByRole('button', { name: 'Show the table: Errors by kind' }).click();
	const errors = page.getByRole('table', { name: 'Errors by kind' }).getByRole('row').last();
	await expect(errors.getByRole('cell')).toHaveText(['1', '1']);
	await expectAccessible(page);
});

test('a chart is a file, too', async ({ adminPage: page }) => {
	await page.goto('/stats?step=day&zone=UTC');
	const download = page.waitForEvent('download');
	await page.getByRole('button', { name: 'Download as CSV: Requests', exact: true }).click();
	const text = await readFile(await (await download).path(), 'utf8');
	const lines = text.trimEnd().split('\r\n');
	expect(lines[0]).toBe('Period,answered,failed');
	expect(lines.at(-1)).toMatch(/^\d{4}-\d\d-\d\d,4,1$/);
});

test('range, length of periods, zone and comparison stand in the address and hold for everything', async ({
	adminPage: page
}) => {
	await page.goto('/stats');
	await page.getByRole('combobox', { name: 'Length of a period' }).selectOption('By hour');
	await expect(page).toHaveURL(/step=hour/);
	await page.getByRole('combobox', { name: 'Time zone' }).selectOption('Asia/Tokyo');
	await expect(page).toHaveURL(/zone=Asia%2FTokyo/);
	await page.getByRole('checkbox', { name: 'Compare with the period before' }).check();
	await expect(page.getByText('before: 0')).toHaveCount(2);
	await page.getByRole('button', { name: /^Time range/ }).click();
	await page.getByRole('button', { name: 'Last 7 days' }).click();
	await expect(page).toHaveURL(/from=.*compare=1/);
	// With a range comes the length that suits it; another one can be chosen again.
	await page.getByRole('combobox', { name: 'Length of a period' }).selectOption('By hour');
	await expect(page).toHaveURL(/from=.*step=hour/);
	await page.reload();
	await expect(page.getByRole('checkbox', { name: 'Compare with the period before' })).toBeChecked();
	await page.getByRole('button', { name: 'Show the table: Requests', exact: true }).click();
	const rows = page.getByRole('table', { name: 'Requests', exact: true }).getByRole('row');
	await expect.poll(() => rows.count()).toBeGreaterThan(150);
});

test('the legend takes what it names out of a chart and puts it back, by mouse and by keyboard @phone', async ({
	adminPage: page
}) => {
	await page.goto('/stats?step=day&zone=UTC');
	const panel = page.getByRole('region', { name: 'Requests', exact: true });
	const legend = panel.getByRole('list', { name: 'What the chart shows: Requests' });
	const answered = legend.getByRole('button', { name: 'answered' });
	const failed = legend.getByRole('button', { name: 'failed' });
	// What is drawn with a colour, and up to where the axis reaches.
	const bars = (name: string) => panel.locator(`svg path[style*="--${name}"]`);
	const top = panel.locator('svg text[text-anchor=end]').last();
	await expect(answered).toHaveAttribute('aria-pressed', 'true');
	await expect(bars('ok')).toHaveCount(1);
	await expect(bars('bad')).toHaveCount(1);
	const whole = Number(await top.textContent());
	expect(whole).toBeGreaterThanOrEqual(KNOWN.requests);

	await answered.click();
	await expect(answered).toHaveAttribute('aria-pressed', 'false');
	await expect(bars('ok')).toHaveCount(0);
	await expect(bars('bad')).toHaveCount(1);
	// The axis fits what is left, which keeps its colour.
	await expect(top).toHaveText('1');
	await expectAccessible(page);

	await answered.press('Tab');
	await expect(failed).toBeFocused();
	await page.keyboard.press('Space');
	await expect(failed).toHaveAttribute('aria-pressed', 'false');
	await expect(bars('bad')).toHaveCount(0);
	await page.keyboard.press('Enter');
	await expect(bars('bad')).toHaveCount(1);
	await answered.click();
	await expect(bars('ok')).toHaveCount(1);
	await expect(top).toHaveText(String(whole));
	// The table behind it always has everything.
	await failed.click();
	await panel.getByRole('button', { name: 'Show the table: Requests', exact: true }).click();
	await expect(panel.getByRole('table').getByRole('row').last().getByRole('cell')).toHaveText(['4', '1']);
});

test('the lines stand for what is chosen, and lead to the attempts', async ({ adminPage: page }) => {
	await page.goto('/stats');
	await page.getByRole('combobox', { name: 'What each colour stands for' }).selectOption('User keys');
	await expect(page).toHaveURL(/by=user_key/);
	await page.getByRole('link', { name: 'caller' }).click();
	await expect(page).toHaveURL(/\/request-logs\?.*user_key_id=\d+/);
	await expect(page.locator('[data-row]')).toHaveCount(KNOWN.attempts);
});

test('marking a part of a chart zooms all of them', async ({ adminPage: page }) => {
	await page.goto('/stats?step=hour');
	const box = await page.locator('svg[role=img]').first().boundingBox();
	if (!box) throw new Error('no chart');
	const y = box.y + box.height / 2;
	await expect(async () => {
		await page.mouse.move(box.x + box.width * 0.3, y);
		await page.mouse.down();
		await page.mouse.move(box.x + box.width * 0.5, y, { steps: 5 });
		await page.mouse.up();
		await expect(page).toHaveURL(/from=.*to=/, { timeout: 1_000 });
	}).toPass();
	const asked = new URL(page.url()).searchParams;
	const hours = (Date.parse(asked.get('to') ?? '') - Date.parse(asked.get('from') ?? '')) / 3_600_000;
	expect(hours).toBeGreaterThan(2);
	expect(hours).toBeLessThan(10);
	await page.getByRole('button', { name: 'Back to the last 24 hours' }).click();
	await expect(page).toHaveURL(/\/stats$/);
});
