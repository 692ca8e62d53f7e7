import { createContext } from 'svelte';

/** What a reader can choose. */
export type ThemeChoice = 'light' | 'dark' | 'auto';

const KEY = 'theme';

/** Light or dark, by choice or by system. The first paint is the business of app.html. */
export class Theme {
	choice: ThemeChoice = $state(stored());
	#systemIsDark = $state(false);
	/** What is shown: charts draw by it. */
	readonly shown = $derived(
		this.choice === 'auto' ? (this.#systemIsDark ? 'dark' : 'light') : this.choice
	);

	/** Follows the system until the returned function is called. */
	watch(): () => void {
		const system = matchMedia('(prefers-color-scheme: dark)');
		const follow = () => {
			this.#systemIsDark = system.matches;
			this.#show();
		};
		follow();
		system.addEventListener('change', follow);
		return () => system.removeEventListener('change', follow);
	}

	choose(choice: ThemeChoice): void {
		this.choice = choice;
		try {
			if (choice === 'auto') localStorage.removeItem(KEY);
			else localStorage.setItem(KEY, choice);
		} catch {
			// Without storage the choice lasts as long as the page.
		}
		this.#show();
	}

	#show(): void {
		document.documentElement.dataset['theme'] = this.shown;
	}
}

function stored(): ThemeChoice {
	try {
		const choice = localStorage.getItem(KEY);
		return choice === 'light' || choice === 'dark' ? choice : 'auto';
	} catch {
		return 'auto';
	}
}

export const [getTheme, setTheme] = createContext<Theme>();
