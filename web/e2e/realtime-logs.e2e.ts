import { readFile } from 'node:fs/promises';
import { expect, expectAccessible } from './support/test';
import { ask, test } from './support/traffic';

/** Chromium reports a stream that ends. */
test.use({ expectedErrors: [/Failed to load resource|ERR_/] });

test('lines come as they are written; a pause holds them back and loses none @phone', async ({
	adminPage: page,
	gateway,
	userKey
}) => {
	await page.goto('/realtime-logs?level=trace');
	await expect(page.getByText('Connected')).toBeVisible();
	const log = page.getByRole('log');
	await ask(gateway, userKey, 'model-before');
	await expect(log).toContainText('model-before');
	await expectAccessible(page);

	await page.getByRole('button', { name: 'Pause' }).click();
	await expect(page.getByText('Paused')).toBeVisible();
	await ask(gateway, userKey, 'model-during');
	await expect(log).not.toContainText('model-during');
	await page.getByRole('button', { name: 'Resume' }).click();
	await expect(log).toContainText('model-during');
	await expect(log.getByText('model-before').first()).toBeAttached();
});

test('level and text narrow the lines, and stand in the address', async ({ adminPage: page }) => {
	await page.goto('/realtime-logs');
	const log = page.getByRole('log');
	await expect(log).toContainText('gemini-2.5-flash');
	await page.getByRole('searchbox', { name: 'Lines that contain' }).fill('GEMINI-2.0');
	await expect(log).toContainText('gemini-2.0-flash');
	await expect(log).not.toContainText('gemini-2.5-flash');
	await expect(page).toHaveURL(/q=GEMINI-2.0/);
	await page.getByRole('searchbox').fill('no such words anywhere');
	await expect(page.getByText('No line matches')).toBeVisible();
	await page.getByRole('searchbox').fill('');
	await page.getByRole('combobox', { name: 'Level' }).selectOption('Errors only');
	await expect(page).toHaveURL(/level=error/);
	await expect(page.getByText('Nothing written yet')).toBeVisible();
});

test('one request is followed from its line, and back to its attempts', async ({
	adminPage: page
}) => {
	await page.goto('/realtime-logs?level=trace&q=gemini-2.5-pro');
	await page.getByRole('button', { name: /^Follow request/ }).last().click();
	await expect(page).toHaveURL(/request=[0-9a-f]{32}/);
	const id = new URL(page.url()).searchParams.get('request') ?? '';
	await page.getByRole('searchbox').fill('');
	const log = page.getByRole('log');
	await expect(log).toContainText(id);
	for (const text of await log.locator('> div').allTextContents()) expect(text).toContain(id);
	await page.getByRole('link', { name: 'Its attempts' }).click();
	await expect(page.getByRole('dialog', { name: 'Request' })).toContainText('Attempt 2 of 2');
	await page.getByRole('link', { name: 'Follow in the live log' }).click();
	await expect(page.getByRole('button', { name: `Stop following request ${id}` })).toBeVisible();
});

test('a stream that was cut off is taken up again, without a line twice', async ({
	adminPage: page,
	gateway,
	userKey
}) => {
	await page.goto('/realtime-logs?level=trace');
	await ask(gateway, userKey, 'model-before');
	const log = page.getByRole('log');
	await expect(log).toContainText('model-before');
	const before = await log.getByText('model-before').count();
	await gateway.restart();
	await expect(page.getByText('Connected')).toBeVisible({ timeout: 20_000 });
	await ask(gateway, userKey, 'model-after');
	await expect(log).toContainText('model-after', { timeout: 20_000 });
	expect(await log.getByText('model-before').count()).toBe(before);
});

test('what a caller sends stays text, and the lines can be downloaded', async ({
	adminPage: page,
	gateway,
	userKey
}) => {
	await page.goto('/realtime-logs?level=trace');
	await expect(page.getByText('Connected')).toBeVisible();
	await ask(gateway, userKey, encodeURIComponent('<img src=x onerror=alert(1)>'));
	await ask(gateway, userKey, 'model-last');
	const log = page.getByRole('log');
	await expect(log).toContainText('model-last');
	await expect(log.locator('img')).toHaveCount(0);
	const download = page.waitForEvent('download');
	await page.getByRole('button', { name: 'Download' }).click();
	const text = await readFile(await (await download).path(), 'utf8');
	expect(text).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z INFO .*model-last/m);
});

test('of a flood only what can be seen is drawn, and one who scrolls up reads on undisturbed', async ({
	adminPage: page,
	gateway,
	userKey
}) => {
	test.slow();
	await ask(gateway, userKey, 'model-before');
	await page.goto('/realtime-logs?level=trace');
	const log = page.getByRole('log');
	const lines = log.locator('> div');
	await expect(log).toContainText('model-before');
	const flood = async (name: string, count: number) => {
		for (let at = 0; at < count; at += 1) await ask(gateway, userKey, `${name}-${at}`);
	};
	await flood('second', 350);
	await expect(log).toContainText('second-349');
	expect(await lines.count()).toBe(150);

	// Upwards, more of what was there before is drawn: down to the first line that is kept.
	const toEnd = page.getByRole('button', { name: 'To the newest' });
	await expect(async () => {
		await log.evaluate((box) => (box.scrollTop = 0));
		expect(await lines.count()).toBeGreaterThan(300);
	}).toPass();
	await expect(toEnd).toBeVisible();
	await log.evaluate((box) => (box.scrollTop = 1_000));
	const text = async () =>
		await log.evaluate((box) => {
			const { left, top } = box.getBoundingClientRect();
			return document.elementFromPoint(left + 200, top + 20)?.closest('[role=log] > div')?.textContent;
		});
	const before = await text();
	expect(before).toBeTruthy();
	await flood('third', 20);
	await expect(log).not.toContainText('third-19');
	expect(await text()).toBe(before);
	await toEnd.click();
	await expect(log).toContainText('third-19');
	await expect(toEnd).toBeHidden();
	expect(await lines.count()).toBe(150);
});
