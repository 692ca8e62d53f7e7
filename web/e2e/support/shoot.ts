import type { Page } from '@playwright/test';

const WIDTHS = [
	{ width: 1440, height: 900 },
	{ width: 390, height: 844 }
];

/**
 * Makes pictures at both widths and in both themes; before each width, `prepare` loads the page.
 * Whatever opens over a page is pictured by the window, everything else as a whole.
 */
export async function shoot(
	page: Page,
	name: string,
	prepare: () => Promise<void>,
	{ isWindow = false, themes = ['light', 'dark'] } = {}
): Promise<void> {
	for (const viewport of WIDTHS) {
		await page.setViewportSize(viewport);
		await prepare();
		for (const theme of themes) {
			await page.evaluate((theme) => (document.documentElement.dataset['theme'] = theme), theme);
			await page.screenshot({
				path: `screenshots/${name}-${viewport.width}-${theme}.png`,
				fullPage: !isWindow,
				animations: 'disabled'
			});
		}
	}
}
