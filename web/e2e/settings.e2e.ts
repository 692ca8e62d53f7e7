import { adminOf } from './support/admin';
import { expect, expectAccessible, test } from './support/test';

test.describe('with sessions elsewhere', () => {
	test.use({ fresh: true });

	test('another session is ended and its token is worth nothing from then on', async ({
		adminPage: page,
		gateway
	}) => {
		const elsewhere = await adminOf(gateway.url);
		await page.goto('/settings');
		await page.getByRole('button', { name: 'End all others' }).click();
		await expect(page.getByRole('button', { name: 'End all others' })).toBeHidden();

		const { response } = await elsewhere.GET('/api/system');
		expect(response.status).toBe(401);
		await page.reload();
		await expect(page.getByText('this one')).toBeVisible();
		await expectAccessible(page);
	});
});

test('the backup is a database @phone', async ({ adminPage: page }) => {
	await page.goto('/settings');
	const download = page.waitForEvent('download');
	await page.getByRole('link', { name: 'Download a backup' }).click();
	const stream = await (await download).createReadStream();
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk as Buffer);
	expect(Buffer.concat(chunks).subarray(0, 15).toString()).toBe('SQLite format 3');
});

