import type { Page } from '@playwright/test';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { serviceKey } from './support/admin';
import { expect, expectAccessible, expectNoSidewaysScroll, test } from './support/test';
import { openLive } from './support/traffic';

test.use({ fresh: true });

test('the guide leads from nothing to the first answered request @phone', async ({
	adminPage: page
}) => {
	await page.goto('/');
	await expect(page.getByRole('heading', { name: 'First steps' })).toBeVisible();

	const keys = page.getByRole('textbox', { name: 'Service keys' });
	await keys.fill(`${serviceKey('good', 1)}\n${serviceKey('invalid', 2)}\nnot a key`);
	await page.getByRole('button', { name: 'Add and test' }).click();
	const tests = page.getByRole('list', { name: 'Tests of the added keys' });
	await expect(tests.getByText(/^works, /)).toHaveCount(1);
	await expect(tests.getByText('The test failed')).not.toHaveCount(0);
	await expect(keys).toHaveValue('');

	await page.getByRole('button', { name: 'Make a user key' }).click();
	const shown = page.getByText(/^gb-/).first();
	const userKey = (await shown.textContent()) ?? '';
	for (const client of ['curl', 'openai', 'google-genai', 'gemini-cli', 'Open WebUI']) {
		await page.getByRole('tab', { name: client, exact: true }).click();
		const panel = page.getByRole('tabpanel');
		await expect(panel).toContainText(userKey);
		await expect(panel).toContainText(new URL(page.url()).origin);
	}

	await page.getByRole('button', { name: 'Send a test request' }).click();
	await expect(page.getByText(/^Answered in /)).toBeVisible();
	const attempts = page.getByRole('list', { name: 'Attempts of the test request' });
	await expect(attempts).toContainText('200');
	await expectAccessible(page);
	await expectNoSidewaysScroll(page);

	await page.reload();
	await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
	await expect(page.getByRole('heading', { name: 'First steps' })).toBeHidden();
	await expect(page.getByText(userKey)).toBeHidden();
});

/** What stands in the recipe of a client. */
async function recipe(page: Page, client: string): Promise<string> {
	await page.getByRole('tab', { name: client, exact: true }).click();
	await expect(page.getByRole('tab', { name: client, exact: true })).toHaveAttribute(
		'aria-selected',
		'true'
	);
	return (await page.getByRole('tabpanel').locator('pre').textContent()) ?? '';
}

function found(text: string, what: RegExp): string {
	const match = what.exec(text)?.[1];
	if (!match) throw new Error(`${what} is not in:\n${text}`);
	return match;
}

test('what the guide shows for curl, openai and google-genai works as it stands there', async ({
	adminPage: page,
	admin
}) => {
	await page.goto('/');
	await page.getByRole('textbox', { name: 'Service keys' }).fill(serviceKey('good', 1));
	await page.getByRole('button', { name: 'Add and test' }).click();
	await expect(page.getByText(/^works, /)).toBeVisible();
	await page.getByRole('button', { name: 'Make a user key' }).click();
	await expect(page.getByText(/^gb-/).first()).toBeVisible();
	await page.getByRole('textbox', { name: 'Model' }).fill('gemini-2.5-flash');

	// The command, as a shell takes it.
	const command = await recipe(page, 'curl');
	const { stdout } = await promisify(execFile)('sh', ['-c', command.replace(/^curl/, 'curl -sS')]);
	expect(JSON.parse(stdout)).toHaveProperty('candidates');

	// The programs' base URL, key and model, asked as their libraries ask.
	const openai = await recipe(page, 'openai');
	const chat = await fetch(`${found(openai, /base_url="([^"]+)"/)}/chat/completions`, {
		method: 'POST',
		headers: {
			authorization: `Bearer ${found(openai, /api_key="([^"]+)"/)}`,
			'content-type': 'application/json'
		},
		body: JSON.stringify({
			model: found(openai, /model="([^"]+)"/),
			messages: [{ role: 'user', content: 'Hello' }]
		})
	});
	expect(await chat.json()).toHaveProperty('choices');

	const genai = await recipe(page, 'google-genai');
	const model = found(genai, /model="([^"]+)"/);
	const generated = await fetch(
		`${found(genai, /base_url="([^"]+)"/)}/v1beta/models/${model}:generateContent`,
		{
			method: 'POST',
			headers: {
				'x-goog-api-key': found(genai, /api_key="([^"]+)"/),
				'content-type': 'application/json'
			},
			body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] })
		}
	);
	expect(await generated.json()).toHaveProperty('candidates');

	// All three were answered, and the guide has done its work.
	await expect.poll(async () => (await admin.GET('/api/request_logs')).data?.total).toBe(3);
	await page.goto('/request-logs?success=true&model=gemini-2.5-flash');
	await expect(page.locator('[data-row]')).toHaveCount(3);
	await page.goto('/');
	await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
	await expect(page.getByRole('heading', { name: 'First steps' })).toBeHidden();
});

test.describe('Live sessions', () => {
	test.use({ settings: { MAX_LIVE_SESSIONS: '2' } });

	test('those that are open are counted and named, and leave again @phone', async ({
		adminPage: page,
		admin,
		gateway
	}) => {
		await admin.POST('/api/keys', { body: { api_keys: [serviceKey('good', 1), serviceKey('good', 2)] } });
		const { data: caller } = await admin.POST('/api/auth_keys', { body: { alias: 'a caller' } });
		const open = () => openLive(gateway, caller?.api_key ?? '', 'gemini-live');
		await page.goto('/');
		const panel = page.getByRole('region', { name: 'Live sessions' });
		await expect(panel).toContainText('0 of 2 open');
		await expect(panel).toContainText('No Live session is open.');

		const sessions = [await open(), await open()];
		await page.reload();
		await expect(panel).toContainText('2 of 2 open');
		await expect(panel.getByText('full', { exact: true })).toBeVisible();
		// The first row has the names of the columns.
		const rows = panel.getByRole('table').getByRole('row');
		await expect(rows).toHaveCount(3);
		await expect(rows.nth(1)).toContainText('gemini-live');
		await expect(rows.nth(1).getByRole('link', { name: 'a caller' })).toBeVisible();
		await expect(rows.nth(1).getByRole('link', { name: /^AIza/ })).toBeVisible();
		await expectAccessible(page);
		await expectNoSidewaysScroll(page);

		sessions.forEach((socket) => socket.destroy());
		// Nothing is loaded anew: the page goes on by itself.
		await expect(panel).toContainText('0 of 2 open', { timeout: 15_000 });
		await expect(panel.getByRole('table')).toBeHidden();
	});
});
