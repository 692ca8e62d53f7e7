import { settings as en } from '$lib/i18n/en/settings';
import { settings as zh } from '$lib/i18n/zh/settings';
import type { Language } from '$lib/i18n/language';

/** The texts of this page alone: in the dictionary of all pages each of them would carry these along. */
export const texts: Record<Language, typeof en> = { en, 'zh-CN': zh };
