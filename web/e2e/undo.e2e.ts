import type { Page } from '@playwright/test';
import { serviceKey, type Admin } from './support/admin';
import { expect, expectAccessible, test } from './support/test';

test.use({ fresh: true });

const job = (page: Page, name: string) => page.getByRole('region', { name });
const undo = (page: Page) => page.getByRole('button', { name: 'Undo' });
const rows = (page: Page) => page.getByRole('link', { name: /^Details of/ });

async function threeKeys(admin: Admin) {
	const api_keys = [1, 2, 3].map((number) => serviceKey('good', number));
	await admin.POST('/api/keys', { body: { api_keys, tags: ['blue'], note: 'mine' } });
}

async function act(page: Page, name: string) {
	await page.getByRole('button', { name: /^Actions for/ }).first().click();
	await page.getByRole('menuitem', { name }).click();
}

/** All that is said of the keys, but for what time alone changes. */
async function standing(admin: Admin) {
	const { data } = await admin.GET('/api/keys', { params: { query: { sort: 'created_at' } } });
	return data?.keys.map(({ key_identifier, state, enabled, tags, note, tier, project }) =>
		JSON.stringify({ key_identifier, state, enabled, tags, note, tier, project })
	).sort();
}

test('one key is deleted by its menu and comes back as it was @phone', async ({
	adminPage: page,
	admin
}) => {
	await threeKeys(admin);
	const before = await standing(admin);
	await page.goto('/request-keys');
	await expect(rows(page)).toHaveCount(3);
	await act(page, 'Delete');
	await expect(rows(page)).toHaveCount(2);
	await expect(page.getByText('2 keys', { exact: true })).toBeVisible();
	await expectAccessible(page);
	await undo(page).click();

	await expect(job(page, 'Bringing keys back').getByText('1 done')).toBeVisible();
	await expect(rows(page)).toHaveCount(3);
	expect(await standing(admin)).toEqual(before);
	await expect(undo(page), 'an undoing is not undone').toHaveCount(0);
});

test('all keys are deleted at once, the list is empty, and all come back', async ({
	adminPage: page,
	admin
}) => {
	await threeKeys(admin);
	const before = await standing(admin);
	await page.goto('/request-keys');
	await page.getByRole('checkbox', { name: 'Select the rows that are loaded here' }).check();
	await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click();
	await expect(page.getByText('No service keys yet')).toBeVisible();
	await undo(page).click();
	await expect(rows(page)).toHaveCount(3);
	expect(await standing(admin)).toEqual(before);
});

test('switching off by the menu, and tags of several keys, are undone', async ({
	adminPage: page,
	admin
}) => {
	await threeKeys(admin);
	const before = await standing(admin);
	await page.goto('/request-keys');
	await act(page, 'Disable');
	await expect(page.getByRole('row').nth(1).getByText('disabled')).toBeVisible();
	await undo(page).click();
	await expect(page.getByRole('row').nth(1).getByText('active')).toBeVisible();
	expect(await standing(admin)).toEqual(before);

	await page.getByRole('checkbox', { name: 'Select the rows that are loaded here' }).check();
	await page.getByRole('button', { name: 'Tags …' }).click();
	const dialog = page.getByRole('dialog', { name: 'Tags of 3 keys' });
	await dialog.getByLabel('Tags to add').fill('red');
	await dialog.getByLabel('Tags to take away').fill('blue');
	await dialog.getByLabel('Tags to add').press('Enter');
	await expect(page.getByRole('cell', { name: 'red' })).toHaveCount(3);
	await undo(page).click();
	await expect(page.getByRole('cell', { name: 'blue' })).toHaveCount(3);
	expect(await standing(admin)).toEqual(before);
});

test('what was written into the form of a key is taken back', async ({ adminPage: page, admin }) => {
	await threeKeys(admin);
	const before = await standing(admin);
	await page.goto('/request-keys');
	await rows(page).first().click();
	const drawer = page.getByRole('dialog');
	await drawer.getByLabel('Note').fill('another note');
	await drawer.getByLabel('Note').press('Enter');
	await expect(page.getByText('Saved.')).toBeVisible();
	expect(await standing(admin)).not.toEqual(before);
	// It stands above the drawer and is reached while that is open.
	await undo(page).click();
	await expect.poll(() => standing(admin)).toEqual(before);
	await expect(drawer).toBeVisible();
});

test('the time to bring deleted keys back runs out, and the button goes with it', async ({
	adminPage: page,
	admin
}) => {
	await page.clock.install();
	await threeKeys(admin);
	await page.goto('/request-keys');
	await expect(rows(page)).toHaveCount(3);
	await act(page, 'Delete');
	await expect(undo(page)).toBeVisible();
	await page.clock.fastForward('09:30');
	await expect(undo(page)).toBeVisible();
	await page.clock.fastForward('01:00');
	await expect(undo(page)).toHaveCount(0);
	await expect(job(page, 'Deleting keys').getByText('1 done')).toBeVisible();
});

test('a notice with an undo goes by itself, but not while one points at it or is in it', async ({
	adminPage: page,
	admin
}) => {
	await page.clock.install();
	await admin.POST('/api/auth_keys', { body: { alias: 'App' } });
	await page.goto('/auth-keys');
	const state = page.getByRole('row', { name: /App/ });
	await act(page, 'Disable');
	await expect(state.getByText('disabled')).toBeVisible();
	const notice = page.getByRole('region', { name: 'Notices' });
	await expect(notice.getByText('App may no longer use the gateway.')).toBeVisible();
	await notice.getByRole('button', { name: 'Undo' }).hover();
	await page.clock.runFor(30_000);
	await expect(undo(page)).toBeVisible();
	await page.mouse.move(10, 10);
	await undo(page).focus();
	await page.clock.runFor(30_000);
	await expect(undo(page)).toBeFocused();
	await undo(page).blur();
	await page.clock.runFor(15_000);
	await expect(undo(page)).toHaveCount(0);
	await expect(state.getByText('disabled')).toBeVisible();
});
