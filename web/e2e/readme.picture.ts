import { deflateSync, inflateSync } from 'node:zlib';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from './support/full';
import { expect, useTheme } from './support/test';

const FOLDER = join(import.meta.dirname, '../../docs/images');
const BYTES_MAX = 150_000;
/** Length, type and checksum around the data of a chunk of a PNG file. */
const [HEAD, AROUND] = [8, 12];

/** What the README shows. */
const PICTURES = [
	{ name: 'overview', path: '/', theme: 'light', ready: 'main a[href^="/request-logs"]' },
	{ name: 'service-keys', path: '/request-keys', theme: 'dark', ready: 'input[aria-label^="Select AIza"]' },
	{ name: 'statistics', path: '/stats', theme: 'light', ready: 'svg[role=img]' }
] as const;

for (const { name, path, theme, ready } of PICTURES) {
	test(`${name}, for the README`, async ({ adminPage: page }) => {
		await useTheme(page, theme);
		await page.setViewportSize({ width: 1440, height: 720 });
		await page.goto(path);
		await expect(page.locator(ready).first()).toBeVisible();
		await page.waitForLoadState('networkidle');
		const picture = small(await page.screenshot({ animations: 'disabled' }));
		expect(picture.length).toBeLessThan(BYTES_MAX);
		await mkdir(FOLDER, { recursive: true });
		await writeFile(join(FOLDER, `${name}.png`), picture);
		expect(await readFile(join(FOLDER, `${name}.png`))).toEqual(picture);
	});
}

/** The same picture with its data packed as tightly as it goes. */
function small(png: Buffer): Buffer {
	const others: { before: Buffer[]; after: Buffer[] } = { before: [png.subarray(0, HEAD)], after: [] };
	const data: Buffer[] = [];
	for (let at = HEAD; at < png.length;) {
		const length = png.readUInt32BE(at);
		const type = png.toString('latin1', at + 4, at + 8);
		const chunk = png.subarray(at, at + length + AROUND);
		if (type === 'IDAT') data.push(chunk.subarray(8, 8 + length));
		else (data.length === 0 ? others.before : others.after).push(chunk);
		at += length + AROUND;
	}
	const packed = deflateSync(inflateSync(Buffer.concat(data)), { level: 9, memLevel: 9 });
	const body = Buffer.concat([Buffer.from('IDAT', 'latin1'), packed]);
	const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
	length.writeUInt32BE(packed.length);
	sum.writeUInt32BE(crc(body));
	return Buffer.concat([...others.before, length, body, sum, ...others.after]);
}

function crc(bytes: Buffer): number {
	let sum = 0xffffffff;
	for (const byte of bytes) {
		sum ^= byte;
		for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return (sum ^ 0xffffffff) >>> 0;
}
