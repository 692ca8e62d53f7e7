import { currentLanguage, loadTexts } from '$lib/i18n/language';
import type { LayoutLoad } from './$types';

export const ssr = false;

export const load: LayoutLoad = async () => {
	const language = currentLanguage();
	return { language, texts: await loadTexts(language) };
};
