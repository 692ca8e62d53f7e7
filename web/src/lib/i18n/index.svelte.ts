import { createContext } from 'svelte';
import { createFormat } from '$lib/format';
import type { Dictionary } from './en';
import { loadTexts, rememberLanguage, type Language } from './language';

/** The reader's language: its texts, and how it writes numbers and times. */
export class I18n {
	language: Language = $state('en');
	/** The texts: `i18n.t.login.title`. */
	t: Dictionary = $state.raw({} as Dictionary);
	readonly format = $derived(createFormat(this.language, this.t.format));

	constructor(language: Language, texts: Dictionary) {
		this.language = language;
		this.t = texts;
	}

	/** Changes the language of everything at once. */
	async choose(language: Language): Promise<void> {
		const texts = await loadTexts(language);
		rememberLanguage(language);
		this.language = language;
		this.t = texts;
	}
}

export const [getI18n, setI18n] = createContext<I18n>();
