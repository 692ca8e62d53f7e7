import { askedOf } from './range';
import { readStats } from './read';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ url }) => {
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	const asked = askedOf(url.searchParams, Date.now(), zone);
	const reading = readStats(asked);
	// What fails is shown in its place.
	reading.catch(() => undefined);
	return { asked, reading };
};
