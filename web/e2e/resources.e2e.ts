import { expect, expectAccessible, expectNoSidewaysScroll } from './support/test';
import { make, test } from './support/traffic';

const CACHE = { model: 'models/gemini-2.5-flash', ttl: '600s' };

test('what upstreams keep is listed with its owner, found, and deleted where it lies @phone', async ({
	adminPage: page,
	gateway,
	userKey
}) => {
	const cache = await make(gateway, userKey, 'cachedContents', CACHE);
	const store = await make(gateway, userKey, 'fileSearchStores', { displayName: 'books' });
	await page.goto('/resources');
	const main = page.getByRole('main');

	await expect(main.getByText(cache, { exact: true })).toBeVisible();
	await expect(main.getByText(store, { exact: true })).toBeVisible();
	await expect(main.getByText('caller').first()).toBeVisible();
	await expect(main.getByText('no known end')).toBeVisible();
	await expectAccessible(page);
	await expectNoSidewaysScroll(page);

	await page.getByLabel('Kind').selectOption('cachedContents');
	await expect(page).toHaveURL(/kind=cachedContents/);
	await expect(main.getByText(store, { exact: true })).toBeHidden();
	await page.getByRole('button', { name: `Delete ${cache}` }).click();
	const dialog = page.getByRole('dialog', { name: `Delete ${cache}?` });
	await expectAccessible(page);
	await dialog.getByRole('button', { name: 'Delete' }).click();
	await expect(page.getByText(`${cache} is deleted.`)).toBeVisible();
	await expect(page.getByText('No resource matches')).toBeVisible();
	const answer = await fetch(`${gateway.url}/v1beta/${cache}`, { headers: { 'x-goog-api-key': userKey } });
	expect([403, 404]).toContain(answer.status);

	await page.getByRole('link', { name: 'Clear filters' }).click();
	await page.getByLabel('Search names').fill('no such thing');
	await expect(page.getByText('No resource matches')).toBeVisible();
	await page.getByLabel('Search names').fill(store.slice(-6).toUpperCase());
	await expect(main.getByText(store, { exact: true })).toBeVisible();
});

test('a hundred resources are a page, and the next one is one step away', async ({
	adminPage: page,
	gateway,
	userKey
}) => {
	for (let count = 0; count < 103; count += 1) await make(gateway, userKey, 'cachedContents', CACHE);
	await page.goto('/resources');
	await expect(page.getByText('Page 1 of 2, 103 in all')).toBeVisible();
	await page.getByRole('button', { name: 'Next' }).click();
	await expect(page.getByText('Page 2 of 2, 103 in all')).toBeVisible();
	await expect(page.getByRole('row')).toHaveCount(1 + 3);
	await expect(page.getByRole('button', { name: 'Next' })).toBeDisabled();
});
