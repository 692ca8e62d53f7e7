import { expect, expectAccessible, expectNoSidewaysScroll, test } from './support/test';

test.use({ fresh: true });

const ENV = [
	'API_KEYS=["AIzaSyA000000000000000000000000000000001","AIzaSyA000000000000000000000000000000002"]',
	'ALLOWED_TOKENS=["sk-of-an-old-friend"]',
	'AUTH_TOKEN=sk-of-the-admin-there',
	'MAX_RETRIES=3'
].join('\n');

test('the file of another gateway is looked at, changes nothing, and is then taken over @phone', async ({
	adminPage: page,
	admin,
	gateway
}) => {
	await page.goto('/settings');
	await page.getByRole('link', { name: 'Move in …' }).click();
	await expect(page.getByRole('heading', { name: 'Move in' })).toBeVisible();
	await expectAccessible(page);
	await page.getByLabel('Choose a file').setInputFiles({
		name: '.env',
		mimeType: 'text/plain',
		buffer: Buffer.from(ENV)
	});

	await expect(page.getByText('This is snailyp/gemini-balance')).toBeVisible();
	await expect(page.getByText('2 new, 0 known, 0 not usable').first()).toBeVisible();
	await expectAccessible(page);
	await expectNoSidewaysScroll(page);
	expect((await admin.GET('/api/keys')).data?.total).toBe(0);

	await page.getByRole('button', { name: 'Take it over' }).click();
	await expect(page.getByText('Moved in')).toBeVisible();
	expect((await admin.GET('/api/keys')).data?.total).toBe(2);
	const answer = await fetch(`${gateway.url}/v1beta/models`, {
		headers: { 'x-goog-api-key': 'sk-of-an-old-friend' }
	});
	expect(answer.status).not.toBe(401);
	await page.getByRole('link', { name: 'Service keys' }).last().click();
	await expect(page.getByText('AIza').first()).toBeVisible();
});

test.describe('with a file that is refused', () => {
	test.use({ expectedErrors: [/422/] });

	test('what is nothing that is known is refused in words, and a list of keys may be pasted', async ({
		adminPage: page
	}) => {
		await page.goto('/moving-in');
		await page.getByLabel('Choose a file').setInputFiles({
			name: 'cat.png',
			mimeType: 'image/png',
			buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3, 0xff])
		});
		await expect(page.getByText('it is neither a database nor a text')).toBeVisible();
		await page.getByLabel('Or paste its text').fill('AIzaSyA000000000000000000000000000000009\n');
		await page.getByRole('button', { name: 'Look at it' }).click();
		await expect(page.getByText('This is a list of keys')).toBeVisible();
		await page.getByRole('button', { name: 'Cancel' }).click();
		await expect(page.getByLabel('Or paste its text')).toBeVisible();
	});
});
