import AxeBuilder from '@axe-core/playwright';
import { expect, test as base, type Page } from '@playwright/test';
import { adminOf, type Admin } from './admin';
import { PASSWORD, startGateway, type Gateway, type Variables } from './programs';

interface Worker {
	/** One gateway per worker. What a test leaves in it, the next one finds. */
	sharedGateway: Gateway;
}

interface Fixtures {
	/** The gateway of the test: the worker's, or with `fresh: true` one of its own. */
	gateway: Gateway;
	/** Gives the test a gateway of its own: `test.use({ fresh: true })`. */
	fresh: boolean;
	/** Further settings of a fresh gateway. */
	settings: Variables;
	admin: Admin;
	/** A page that is logged in. */
	adminPage: Page;
	/** What the browser may complain about in this test; everything else fails it. */
	expectedErrors: RegExp[];
}

export const test = base.extend<Fixtures, Worker>({
	sharedGateway: [
		async ({}, use) => {
			const gateway = await startGateway();
			await use(gateway);
			await gateway.stop();
		},
		{ scope: 'worker' }
	],
	fresh: [false, { option: true }],
	settings: [{}, { option: true }],
	expectedErrors: [[], { option: true }],
	gateway: async ({ fresh, settings, sharedGateway }, use) => {
		if (!fresh) return await use(sharedGateway);
		const gateway = await startGateway(settings);
		await use(gateway);
		await gateway.stop();
	},
	baseURL: async ({ gateway }, use) => await use(gateway.url),
	admin: async ({ gateway }, use) => await use(await adminOf(gateway.url, gateway.password)),
	page: async ({ page, gateway, expectedErrors }, use) => {
		const complaints: string[] = [];
		page.on('console', (message) => {
			const text = `${message.type()}: ${message.text()} ${message.location().url}`;
			const isComplaint = ['error', 'warning'].includes(message.type());
			if (isComplaint && !expectedErrors.some((it) => it.test(text))) complaints.push(text);
		});
		page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
		page.on('request', (request) => {
			const { origin, protocol } = new URL(request.url());
			if (protocol !== 'data:' && protocol !== 'blob:' && origin !== gateway.url) {
				complaints.push(`another origin: ${request.url()}`);
			}
		});
		await use(page);
		expect(complaints, 'the browser has nothing to complain about').toEqual([]);
	},
	adminPage: async ({ page, gateway: { password } }, use) => {
		const answer = await page.request.post('/api/auth/login', { data: { password } });
		expect(answer.ok()).toBe(true);
		await use(page);
	}
});

export { expect, PASSWORD };

/** Chooses the theme before a page is loaded. */
export async function useTheme(page: Page, theme: 'light' | 'dark'): Promise<void> {
	await page.addInitScript((theme) => localStorage.setItem('theme', theme), theme);
}

/** Chooses the language before a page is loaded. */
export async function useLanguage(page: Page, language: 'en' | 'zh-CN'): Promise<void> {
	await page.addInitScript((language) => localStorage.setItem('language', language), language);
}

/**
 * Fails with the violations of WCAG 2.2 AA on what is shown, or in a part of it: what a popover
 * happens to cover is no target for as long as it is open.
 */
export async function expectAccessible(page: Page, part?: string): Promise<void> {
	const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
	const axe = new AxeBuilder({ page }).withTags(tags);
	const { violations } = await (part ? axe.include(part) : axe).analyze();
	const told = violations.map(({ id, help, nodes }) => ({
		id,
		help,
		where: nodes.map((node) => `${node.target.join(' ')} – ${node.failureSummary ?? ''}`)
	}));
	expect(told).toEqual([]);
}

/** Fails if the page is wider than the window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
	const [content, window] = await page.evaluate(() => [
		document.documentElement.scrollWidth,
		document.documentElement.clientWidth
	]);
	expect(content).toBeLessThanOrEqual(window ?? 0);
}

/** Ends the session behind the browser's back, as time does. */
export async function endSession(page: Page): Promise<void> {
	await page.context().clearCookies();
}

/** Logs in again in the dialog that asks for it, and waits until it is gone. */
export async function logInAgain(page: Page, password = PASSWORD): Promise<void> {
	const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
	await expect(dialog).toBeVisible({ timeout: 15_000 });
	await dialog.getByLabel('Password', { exact: true }).fill(password);
	await dialog.getByRole('button', { name: 'Log in' }).click();
	await expect(dialog).toBeHidden();
}

/** Fails unless whatever has the focus can be told from the rest by its outline. */
export async function expectVisibleFocus(page: Page): Promise<void> {
	const { style, width, element } = await page.evaluate(() => {
		const focused = document.activeElement ?? document.body;
		const { outlineStyle, outlineWidth } = getComputedStyle(focused);
		return {
			style: outlineStyle,
			width: parseFloat(outlineWidth),
			element: focused.outerHTML.slice(0, 200)
		};
	});
	expect(style, element).not.toBe('none');
	expect(width, element).toBeGreaterThan(1);
}
