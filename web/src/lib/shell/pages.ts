import Archive from '@lucide/svelte/icons/archive';
import ChartColumn from '@lucide/svelte/icons/chart-column';
import Gauge from '@lucide/svelte/icons/gauge';
import KeyRound from '@lucide/svelte/icons/key-round';
import ScrollText from '@lucide/svelte/icons/scroll-text';
import Settings from '@lucide/svelte/icons/settings';
import SquareActivity from '@lucide/svelte/icons/square-activity';
import Users from '@lucide/svelte/icons/users';
import type { Dictionary } from '$lib/i18n/en';
import type { LucideIcon } from '$lib/ui/icon';

/** An entry of the navigation. */
export interface Page {
	path: string;
	label: string;
	/** For the bar of a phone, if the label is too long for it. */
	short?: string;
	icon: LucideIcon;
}

/** Every page, in the order of the navigation. The first four stand in the bar of a phone. */
export function pages(t: Dictionary): Page[] {
	const { bar } = t.shell;
	return [
		{ path: '/', label: t.shell.overview, icon: Gauge },
		{
			path: '/request-keys',
			label: t.requestKeys.title,
			short: bar.requestKeys,
			icon: KeyRound
		},
		{
			path: '/auth-keys',
			label: t.authKeys.title,
			short: bar.authKeys,
			icon: Users
		},
		{
			path: '/request-logs',
			label: t.shell.requestLogs,
			short: bar.requestLogs,
			icon: ScrollText
		},
		{ path: '/realtime-logs', label: t.shell.realtimeLogs, icon: SquareActivity },
		{ path: '/stats', label: t.shell.stats, icon: ChartColumn },
		{ path: '/resources', label: t.shell.resources, icon: Archive },
		{ path: '/settings', label: t.shell.settings, icon: Settings }
	];
}

/** Whether a page, or one below it, is shown. */
export function isCurrent(page: Page, pathname: string): boolean {
	return page.path === '/'
		? pathname === '/'
		: pathname === page.path || pathname.startsWith(`${page.path}/`);
}
