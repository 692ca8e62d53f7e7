import { LEVELS, type Level } from './lines';
import type { PageLoad } from './$types';

/** What is watched, from the address; the lines come by a stream. */
export const load: PageLoad = ({ url }) => {
	const asked = url.searchParams.get('level')?.toUpperCase();
	return {
		level: LEVELS.find((level) => level === asked) ?? ('INFO' satisfies Level as Level),
		request: url.searchParams.get('request') ?? '',
		query: url.searchParams.get('q') ?? ''
	};
};
