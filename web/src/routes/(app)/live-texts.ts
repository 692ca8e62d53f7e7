import { liveSessions as en } from '$lib/i18n/en/live-sessions';
import { liveSessions as zh } from '$lib/i18n/zh/live-sessions';
import type { Language } from '$lib/i18n/language';

/** The texts of this panel alone: in the dictionary of all pages each of them would carry these along. */
export const texts: Record<Language, typeof en> = { en, 'zh-CN': zh };
