import { patiently } from '$lib/api/load';
import { readOverview } from './read';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const reading = readOverview();
	await patiently(reading);
	return { reading };
};
