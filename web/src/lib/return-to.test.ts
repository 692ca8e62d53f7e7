import { expect, test } from 'vitest';
import { loginUrl, returnTo } from './return-to';

const at = (path: string) => new URL(path, 'http://gateway.example:8090');

test('the login comes back to the page with its filters', () => {
	const login = loginUrl(at('/request-logs?status=429&model=a%2Fb'));
	expect(returnTo(at(login))).toBe('/request-logs?status=429&model=a%2Fb');
	expect(loginUrl(at('/'))).toBe('/login');
	expect(returnTo(at('/login'))).toBe('/');
});

test.each([
	'//evil.example/x',
	'https://evil.example/',
	'/\\evil.example',
	'\\\\evil.example',
	'javascript:alert(1)',
	'settings',
	'/login?to=/login'
])('the login never leads to %s', (target) => {
	expect(returnTo(at(`/login?to=${encodeURIComponent(target)}`))).toBe('/');
});
