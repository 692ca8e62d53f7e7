/** The colours that charts are drawn in, as `#rrggbb`: what draws them reads no other form. */
export interface Palette {
	ink: string;
	faint: string;
	line: string;
	surface: string;
	accent: string;
	ok: string;
	bad: string;
	series: readonly string[];
}

const SERIES = ['--chart-1', '--chart-2', '--chart-3', '--chart-4', '--chart-5', '--chart-6'];

/** Reads the tokens as they are now. */
export function readPalette(): Palette {
	const styles = getComputedStyle(document.documentElement);
	const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
	const read = (name: string) => hex(styles.getPropertyValue(name), canvas);
	return {
		ink: read('--ink'),
		faint: read('--ink-3'),
		line: read('--line'),
		surface: read('--surface'),
		accent: read('--accent'),
		ok: read('--ok'),
		bad: read('--bad'),
		series: SERIES.map(read)
	};
}

function hex(colour: string, canvas: CanvasRenderingContext2D | null): string {
	if (!canvas) return '#808080';
	canvas.fillStyle = colour;
	canvas.fillRect(0, 0, 1, 1);
	const pixel = canvas.getImageData(0, 0, 1, 1).data.slice(0, 3);
	return `#${Array.from(pixel, (part) => part.toString(16).padStart(2, '0')).join('')}`;
}
