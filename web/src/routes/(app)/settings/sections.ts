import type { Schemas } from '$lib/api/client';

type Setting = Schemas['Setting'];

/** The settings in which a text occurs, whatever its case; if asked for, only those that were set. */
export function found(settings: Setting[], query: string, isOnlySet: boolean): Setting[] {
	const words = query.toLowerCase().split(/\s+/).filter(Boolean);
	return settings.filter((setting) => {
		if (isOnlySet && setting.source === 'default') return false;
		const text = [setting.name, ...setting.aliases, setting.doc, setting.section, setting.value]
			.join(' ')
			.toLowerCase();
		return words.every((word) => text.includes(word));
	});
}

/** The settings under their headings, in their order. */
export function sections(settings: Setting[]): { name: string; settings: Setting[] }[] {
	const names = [...new Set(settings.map(({ section }) => section))];
	return names.map((name) => ({ name, settings: settings.filter((it) => it.section === name) }));
}

/** Whether a setting can be changed here: it may change at run time, and nothing goes before that. */
export function isChangeable({ is_live, source }: Setting): boolean {
	return is_live && ['stored', 'default'].includes(source);
}

/** The values among which one chooses, if what may be written are a few words: `auto, true, false`. */
export function choices(form: string): string[] {
	if (form === 'true or false') return ['true', 'false'];
	const words = form.split(', ');
	return words.length > 1 && words.every((word) => /^[a-z]+$/.test(word)) ? words : [];
}
