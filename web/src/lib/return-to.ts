/** The name under which the login page is told where to go afterwards. */
const NAME = 'to';

/** The login page that comes back to a page. */
export function loginUrl(url: URL): string {
	const page = url.pathname + url.search;
	return page === '/' ? '/login' : `/login?${new URLSearchParams({ [NAME]: page })}`;
}

/** Where to go after the login: a page of ours, whatever the address says. */
export function returnTo(url: URL): string {
	const page = url.searchParams.get(NAME) ?? '/';
	const target = new URL(page, url.origin);
	const isOurs = page.startsWith('/') && target.origin === url.origin;
	return isOurs && target.pathname !== '/login' ? target.pathname + target.search : '/';
}
