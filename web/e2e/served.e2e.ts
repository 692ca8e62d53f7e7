import { expect, test } from './support/test';

/** Chromium reports a page that comes with a 404. */
test.use({ expectedErrors: [/status of 404/] });

test('the built UI is served with its policy, its caching and its variants', async ({ request }) => {
	const page = await request.get('/');
	const policy = page.headers()['content-security-policy'] ?? '';
	expect(policy).toMatch(/script-src 'self' 'sha256-[^']+'/);
	expect(policy).not.toMatch(/script-src[^;]*unsafe/);
	expect(policy).toContain("frame-ancestors 'none'");
	expect(page.headers()['cache-control']).toBe('no-cache');

	const script = /\/_app\/immutable\/[^"]+\.js/.exec(await page.text())?.[0] ?? 'none';
	const variant = await request.get(script, { headers: { 'accept-encoding': 'br' } });
	expect(variant.headers()['content-encoding']).toBe('br');
	expect(variant.headers()['cache-control']).toContain('immutable');
	const etag = variant.headers()['etag'] ?? '';
	const known = { 'accept-encoding': 'br', 'if-none-match': etag };
	expect((await request.get(script, { headers: known })).status()).toBe(304);
});

test('a person at a path that is nothing gets a page that helps, a program a refusal', async ({
	page,
	request
}) => {
	const answer = await page.goto('/no/such/thing');
	expect(answer?.status()).toBe(404);
	await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible();
	const refusal = await request.get('/no/such/thing', { headers: { accept: '*/*' } });
	expect(refusal.status()).toBe(404);
	expect(refusal.headers()['content-type']).toContain('application/json');
	for (const path of ['/api/no-such-thing', '/v1/no-such-thing', '/v1beta/no-such-thing']) {
		const refusal = await request.get(path, { headers: { accept: 'text/html' } });
		expect(refusal.headers()['content-type'], path).toContain('application/json');
	}
});
