import { defineConfig, devices } from '@playwright/test';

/** What Chromium needs to start as root and to leave the network alone. */
const FLAGS = [
	'--no-sandbox',
	'--disable-gpu',
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync'
];
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

export default defineConfig({
	testDir: 'e2e',
	outputDir: 'test-results',
	// Each worker has a gateway and a browser of its own.
	workers: 2,
	fullyParallel: true,
	forbidOnly: !!process.env['CI'],
	reporter: [['list']],
	timeout: 30_000,
	expect: { timeout: 7_000 },
	use: {
		browserName: 'chromium',
		launchOptions: {
			executablePath: process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium',
			args: FLAGS
		},
		locale: 'en',
		timezoneId: 'UTC',
		trace: 'retain-on-failure'
	},
	projects: [
		{ name: 'desktop', testMatch: /.*\.e2e\.ts/, use: { viewport: DESKTOP } },
		{
			name: 'phone',
			testMatch: /.*\.e2e\.ts/,
			grep: /@phone/,
			use: { ...devices['Pixel 7'], viewport: PHONE, defaultBrowserType: 'chromium' }
		},
		{ name: 'screenshots', testMatch: /.*\.shot\.ts/, use: { viewport: DESKTOP } },
		{ name: 'readme', testMatch: /.*\.picture\.ts/, use: { viewport: DESKTOP } },
		{ name: 'large', testMatch: /.*\.large\.ts/, use: { viewport: DESKTOP, trace: 'off' } }
	]
});
