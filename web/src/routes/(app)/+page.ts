import { orPage } from '$lib/api/load';
import { readOverview } from './read';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => ({ reading: await orPage(readOverview()) });
