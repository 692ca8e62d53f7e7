import type { Page } from '@playwright/test';
import { expect, useLanguage, useTheme } from './support/test';
import { test } from './support/traffic';

const WIDTHS = [
	{ width: 1440, height: 900 },
	{ width: 390, height: 844 }
];
const DATA = /\/api\/(request_logs|stats)/;

test.use({ expectedErrors: [/Failed to load resource/] });

async function shoot(page: Page, name: string, isFullPage = true) {
	for (const viewport of WIDTHS) {
		await page.setViewportSize(viewport);
		await page.screenshot({
			path: `screenshots/${name}-${viewport.width}.png`,
			fullPage: isFullPage
		});
	}
}

// The full faces of the pages, with known numbers in them.
for (const theme of ['light', 'dark'] as const) {
	test(`logs and statistics, full, ${theme}`, async ({ adminPage: page }) => {
		await useTheme(page, theme);
		await page.goto('/request-logs');
		await expect(page.getByText('6 attempts')).toBeVisible();
		await shoot(page, `request-logs-full-${theme}`);
		await page.goto('/request-logs?model=gemini-2.5-pro&success=true');
		await page.locator('[data-row="0"] a').click();
		await expect(page.getByText('Attempt 2 of 2')).toBeVisible();
		await shoot(page, `request-logs-drawer-${theme}`, false);

		await page.goto('/realtime-logs?level=trace');
		await expect(page.getByText('Connected')).toBeVisible();
		await shoot(page, `realtime-logs-full-${theme}`);

		await page.goto('/stats?compare=1');
		await expect(page.locator('svg[role=img]')).toHaveCount(7);
		await shoot(page, `stats-full-${theme}`);
	});
}

for (const name of ['request-logs', 'stats']) {
	test(`${name}, loading and failed`, async ({ adminPage: page }) => {
		await page.route(DATA, () => undefined);
		await page.goto(`/${name}`);
		await expect(page.locator('[aria-busy=true]').first()).toBeVisible();
		await shoot(page, `${name}-loading`);
		await page.unroute(DATA);
		await page.route(DATA, async (route) => await route.abort());
		await page.goto(`/${name}`);
		await expect(page.getByRole('alert')).toBeVisible();
		await shoot(page, `${name}-failed`);
	});
}

test('logs and statistics, full, in Chinese', async ({ adminPage: page }) => {
	await useLanguage(page, 'zh-CN');
	await page.goto('/request-logs');
	await expect(page.getByText('6 次尝试')).toBeVisible();
	await shoot(page, 'request-logs-full-zh');
	await page.goto('/realtime-logs');
	await expect(page.getByText('已连接')).toBeVisible();
	await shoot(page, 'realtime-logs-full-zh');
	await page.goto('/stats');
	await expect(page.locator('svg[role=img]')).toHaveCount(7);
	await shoot(page, 'stats-full-zh');
});
