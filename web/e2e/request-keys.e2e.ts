import type { Page } from '@playwright/test';
import { serviceKey, type Admin } from './support/admin';
import { expect, expectAccessible, expectNoSidewaysScroll, PASSWORD, test } from './support/test';

test.use({ fresh: true });

async function addKeys(admin: Admin, keys: string[], more: { tags?: string[]; project?: string } = {}) {
	const { response } = await admin.POST('/api/keys', { body: { api_keys: keys, ...more } });
	expect(response.ok).toBe(true);
}

const many = (word: string, count: number) =>
	Array.from({ length: count }, (_, number) => serviceKey(word, number));
const job = (page: Page, name: string) => page.getByRole('region', { name });
const boxes = (page: Page) => page.getByRole('checkbox', { name: /^Select AIza/ });

test('ten thousand pasted lines are counted as new, duplicate and malformed, added, and taken back', async ({
	adminPage: page,
	admin
}) => {
	await addKeys(admin, many('good', 100));
	await page.goto('/request-keys');
	await page.getByRole('button', { name: 'Add keys' }).click();
	const dialog = page.getByRole('dialog', { name: 'Add service keys' });
	const lines = [...many('good', 9_000), ...many('good', 900), ...Array(100).fill('not a key')];
	await dialog.getByLabel('Keys', { exact: true }).evaluate((field, text) => {
		const clipboardData = new DataTransfer();
		clipboardData.setData('text/plain', text);
		field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true, bubbles: true }));
	}, lines.join('\n'));

	await expect(dialog.getByText('8,900 new')).toBeVisible();
	await expect(dialog.getByText('1,000 duplicate')).toBeVisible();
	await expect(dialog.getByText('100 malformed')).toBeVisible();
	await expectAccessible(page);
	await dialog.getByRole('button', { name: 'Add 8,900 keys' }).click();

	const adding = job(page, 'Adding keys');
	await expect(adding.getByText('8,900 added')).toBeVisible();
	await expect(page.getByText('9,000 keys')).toBeVisible();
	await adding.getByRole('button', { name: 'Undo' }).click();
	await expect(page.getByText('100 keys', { exact: true })).toBeVisible();
});

test('a file with columns gives its keys @phone', async ({ adminPage: page }) => {
	await page.goto('/request-keys');
	await expect(page.getByText('No service keys yet')).toBeVisible();
	await page.getByRole('button', { name: 'Add keys' }).first().click();
	const dialog = page.getByRole('dialog', { name: 'Add service keys' });
	const csv = `name,api_key\nmine,${serviceKey('good', 1)}\nyours,${serviceKey('good', 2)}\n`;
	const file = { name: 'keys.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) };
	await dialog.locator('input[type=file]').setInputFiles(file);
	await dialog.getByRole('button', { name: 'Add 2 keys' }).click();

	await expect(page.getByText('2 keys', { exact: true })).toBeVisible();
	await expectNoSidewaysScroll(page);
	await expectAccessible(page);
});

test('a range is chosen with shift, then all that match; disabling them is undone', async ({
	adminPage: page,
	admin
}) => {
	await addKeys(admin, many('good', 250));
	await page.goto('/request-keys');
	await boxes(page).nth(1).click();
	await boxes(page).nth(5).click({ modifiers: ['Shift'] });
	const toolbar = page.getByRole('toolbar');
	await expect(toolbar.getByText('5 selected')).toBeVisible();
	await toolbar.getByRole('button', { name: 'Select all 250' }).click();
	await expect(toolbar.getByText('250 selected')).toBeVisible();
	await expectAccessible(page);
	await toolbar.getByRole('button', { name: 'Disable' }).click();

	await expect(job(page, 'Disabling keys').getByText('250 done')).toBeVisible();
	await expect(page.getByRole('row').nth(1).getByText('disabled')).toBeVisible();
	await job(page, 'Disabling keys').getByRole('button', { name: 'Undo' }).click();
	await expect(page.getByRole('row').nth(1).getByText('active')).toBeVisible();
});

test('deleted keys come back with undo', async ({ adminPage: page, admin }) => {
	await addKeys(admin, many('good', 3));
	await page.goto('/request-keys');
	await boxes(page).first().click();
	await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click();
	await expect(page.getByText('2 keys', { exact: true })).toBeVisible();
	await job(page, 'Deleting keys').getByRole('button', { name: 'Undo' }).click();
	await expect(page.getByText('3 keys', { exact: true })).toBeVisible();
});

test('a test tells of each key what the upstream said', async ({ adminPage: page, admin }) => {
	await addKeys(admin, [serviceKey('good', 1), serviceKey('invalid', 2)]);
	await page.goto('/request-keys');
	await boxes(page).first().click();
	await boxes(page).nth(1).click();
	await page.getByRole('toolbar').getByRole('button', { name: 'Test' }).click();
	const testing = job(page, 'Testing keys');
	await expect(testing.getByText('1 failed')).toBeVisible();
	await testing.getByRole('button', { name: 'Results' }).click();
	const results = page.getByRole('dialog', { name: 'Testing keys: results' });
	await expect(results.getByText(/API key not valid/)).toBeVisible();
	await expectAccessible(page);
	await results.getByRole('combobox', { name: 'Results' }).selectOption({ label: '1 done' });
	await expect(results.getByRole('listitem')).toHaveCount(1);
	await page.keyboard.press('Escape');
	await expect(results).toBeHidden();
});

test('filters, order and the open key live in the address', async ({ adminPage: page, admin }) => {
	await addKeys(admin, many('good', 2), { tags: ['blue'], project: 'one' });
	await addKeys(admin, many('other', 3));
	await page.goto('/request-keys');
	await page.getByRole('combobox', { name: 'Tag' }).selectOption('blue');
	await expect(page.getByText('2 keys', { exact: true })).toBeVisible();
	await page.getByRole('link', { name: /^Details of/ }).first().click();
	const drawer = page.getByRole('dialog');
	await expect(drawer.getByText('Models at rest')).toBeVisible();
	await expectAccessible(page);
	await expect(page).toHaveURL(/tag=blue.*key=/);
	await page.reload();
	await expect(drawer.getByText('Models at rest')).toBeVisible();
	await page.keyboard.press('Escape');
	await expect(page).toHaveURL(/tag=blue$/);
	await page.getByRole('searchbox').fill('nothing like this');
	await expect(page.getByText('No key matches')).toBeVisible();
});

test('tags are given to chosen keys by keyboard alone', async ({ adminPage: page, admin }) => {
	await addKeys(admin, many('good', 2));
	await page.goto('/request-keys');
	await boxes(page).first().focus();
	await page.keyboard.press('Space');
	await page.getByRole('button', { name: 'Tags …' }).focus();
	await page.keyboard.press('Enter');
	const dialog = page.getByRole('dialog', { name: 'Tags of 1 key' });
	await expect(dialog.getByLabel('Tags to add')).toBeVisible();
	await dialog.getByLabel('Tags to add').focus();
	await page.keyboard.type('fast, free');
	await page.keyboard.press('Enter');
	await expect(page.getByRole('cell', { name: 'fast free' })).toBeVisible();
});

test('an export needs the password and holds the keys', async ({ adminPage: page, admin }) => {
	await addKeys(admin, [serviceKey('good', 7)]);
	await page.goto('/request-keys');
	await page.getByRole('button', { name: 'Export' }).click();
	const dialog = page.getByRole('dialog', { name: 'Export 1 key' });
	await dialog.getByLabel('Form').selectOption('txt');
	await dialog.getByLabel('Your password', { exact: true }).fill(PASSWORD);
	const downloading = page.waitForEvent('download');
	await dialog.getByRole('button', { name: 'Export' }).click();
	const stream = await (await downloading).createReadStream();
	const pieces = await stream.toArray();
	expect(Buffer.concat(pieces).toString()).toBe(`${serviceKey('good', 7)}\n`);
});

test('fifty thousand keys are painted at once and scrolled to the end', async ({
	adminPage: page,
	admin
}) => {
	test.slow();
	for (let part = 0; part < 5; part += 1) {
		await addKeys(admin, many(`good-${part}`, 10_000));
	}
	await page.goto('/settings');
	await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
	const link = page.getByRole('link', { name: 'Service keys' });
	// The budget of the release build is a second (`cargo xtask test e2e --large`); this one was built
	// for development, and the machine may have other things to do.
	const began = Date.now();
	await link.click();
	await expect(boxes(page).first()).toBeVisible();
	expect(Date.now() - began).toBeLessThan(3_000);
	await expect(page.getByText('50,000 keys')).toBeVisible();

	await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
	await expect(page.locator('tr[aria-rowindex="50001"]').getByRole('checkbox')).toBeVisible();
	expect(await page.getByRole('row').count()).toBeLessThan(80);
});
