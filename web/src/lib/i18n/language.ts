import type { Dictionary } from './en';

/** The languages there are. */
export const LANGUAGES = ['en', 'zh-CN'] as const;
/** One of them, as it stands in `<html lang>`. */
export type Language = (typeof LANGUAGES)[number];

const KEY = 'language';

/** What the script in app.html has found to be the reader's language. */
export function currentLanguage(): Language {
	return document.documentElement.lang === 'zh-CN' ? 'zh-CN' : 'en';
}

/** Loads the texts of a language. */
export async function loadTexts(language: Language): Promise<Dictionary> {
	const texts = language === 'zh-CN' ? await import('./zh') : await import('./en');
	return texts.default;
}

/** Loads what the settings mean, by their names; in English the server says it. */
export async function loadSettingDocs(language: Language): Promise<Record<string, string>> {
	return language === 'zh-CN' ? (await import('./zh/setting-docs')).settingDocs : {};
}

/** Keeps the choice for the next visit, and tells the browser. */
export function rememberLanguage(language: Language): void {
	document.documentElement.lang = language;
	try {
		localStorage.setItem(KEY, language);
	} catch {
		// Without storage the choice lasts as long as the page.
	}
}
