/**
 * Puts a text into the clipboard and tells whether that worked. On plain HTTP from another machine
 * the browser has no clipboard for scripts; a selection that is copied as by hand works there too.
 */
export async function copy(text: string, document: Document = window.document): Promise<boolean> {
	try {
		if (window.isSecureContext) {
			await navigator.clipboard.writeText(text);
			return true;
		}
	} catch {
		// Refused: try it by hand.
	}
	return copyByHand(text, document);
}

function copyByHand(text: string, document: Document): boolean {
	const focused = document.activeElement;
	const area = document.createElement('textarea');
	area.value = text;
	area.readOnly = true;
	area.setAttribute('aria-hidden', 'true');
	area.style.cssText = 'position:fixed;top:0;left:0;opacity:0';
	// Within an open dialog, since it holds the focus.
	const dialog = focused?.closest('[role="dialog"]');
	(dialog ?? document.body).append(area);
	area.select();
	try {
		return document.execCommand('copy');
	} catch {
		return false;
	} finally {
		area.remove();
		if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
	}
}
