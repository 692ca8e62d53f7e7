import type { Page } from '@playwright/test';
import { serviceKey } from './support/admin';
import { test as full } from './support/full';
import { PAGES } from './support/pages';
import { shoot } from './support/shoot';
import { expect, PASSWORD, test, useLanguage } from './support/test';

/** What pages show; who is logged in is none of it. */
const DATA = /\/api\/(?!auth\/(?:login|me)|events)/;

async function settled(page: Page) {
	await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
	await page.waitForLoadState('networkidle');
	await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
}

async function logIn(page: Page) {
	await page.request.post('/api/auth/login', { data: { password: PASSWORD } });
}

// In a gateway that has just started: the empty face of each page.
test.describe('empty', () => {
	test.use({ fresh: true });
	for (const { name, path, isPublic } of PAGES) {
		test(`${name}, empty`, async ({ page }) => {
			test.slow();
			if (!isPublic) await logIn(page);
			await shoot(page, `${name}-empty`, async () => {
				await page.goto(path);
				await settled(page);
			});
		});
	}
});

for (const { name, path, isPublic } of PAGES) {
	if (isPublic || name === 'not-found') continue;
	// One page has nothing to load.
	if (name !== 'moving-in') test.describe('without an answer', () => {
		test.use({ expectedErrors: [/Failed to load resource/] });

		test(`${name}, loading and failed`, async ({ adminPage: page }) => {
			test.slow();
			await page.route(DATA, () => undefined);
			await shoot(page, `${name}-loading`, async () => {
				await page.goto(path);
				await expect(page.locator('[aria-busy=true]').first()).toBeVisible();
			});
			await page.unroute(DATA);
			await page.route(DATA, async (route) => await route.abort());
			await shoot(page, `${name}-failed`, async () => {
				await page.goto(path);
				const disconnected = page.getByText('Disconnected; trying again');
				await expect(page.getByRole('alert').first().or(disconnected)).toBeVisible();
			});
		});
	});

	full.describe('full', () => {
		full(`${name}, full`, async ({ adminPage: page }) => {
			full.slow();
			const address = name === 'stats' ? '/stats?compare=1' : path;
			await shoot(page, `${name}-full`, async () => {
				await page.goto(address);
				await settled(page);
			});
			await useLanguage(page, 'zh-CN');
			const prepare = async () => {
				await page.goto(address);
				await settled(page);
			};
			await shoot(page, `${name}-zh`, prepare, { themes: ['light'] });
		});
	});
}

/** What opens over a page. */
const SCENES: [name: string, path: string, open: (page: Page) => Promise<void>][] = [
	['palette', '/', async (page) => await page.keyboard.press('Control+k')],
	[
		'key-drawer',
		'/request-keys?state=resting',
		async (page) => await page.getByRole('link', { name: /^Details of/ }).first().click()
	],
	[
		'keys-import',
		'/request-keys',
		async (page) => {
			await page.getByRole('button', { name: 'Add keys' }).click();
			const lines = [serviceKey('new', 1), serviceKey('new', 2), serviceKey('new', 1), 'not a key'];
			await page.getByLabel('Keys', { exact: true }).fill(lines.join('\n'));
			await expect(page.getByText('2 new')).toBeVisible();
		}
	],
	[
		'keys-chosen',
		'/request-keys',
		async (page) => {
			const boxes = page.getByRole('checkbox', { name: /^Select AIza/ });
			await boxes.nth(1).click();
			await boxes.nth(4).click({ modifiers: ['Shift'] });
			await expect(page.getByRole('toolbar')).toBeVisible();
		}
	],
	[
		'keys-export',
		'/request-keys',
		async (page) => await page.getByRole('button', { name: 'Export' }).click()
	],
	[
		'user-key-form',
		'/auth-keys',
		async (page) => await page.getByRole('button', { name: 'Make a user key' }).click()
	],
	[
		'user-key-menu',
		'/auth-keys',
		async (page) => await page.getByRole('button', { name: /^Actions for/ }).first().click()
	],
	[
		'request-drawer',
		'/request-logs?success=false',
		async (page) => await page.locator('[data-row="0"] a').click()
	],
	[
		'date-range',
		'/stats',
		async (page) => await page.getByRole('button', { name: /^Time range/ }).click()
	],
	[
		'stats-table',
		'/stats',
		async (page) => await page.getByRole('button', { name: 'Show the table: Requests', exact: true }).click()
	]
];

for (const [name, path, open] of SCENES) {
	full(name, async ({ adminPage: page }) => {
		full.slow();
		const prepare = async () => {
			await page.goto(path);
			await settled(page);
			await open(page);
			await page.waitForLoadState('networkidle');
		};
		await shoot(page, name, prepare, { isWindow: true });
	});
}
