import { expect, test } from 'vitest';
import { addressOf, exportAddress, filtersOf, queryOf, withFilters } from './filters';

test('filters come back from the address as they went in', () => {
	const filters = { from: '2026-05-17T09:30:00.000Z', success: 'false', model: 'a b&c', final: 'true' };
	const url = new URL(addressOf(filters, 'abc'), 'http://x');
	expect(filtersOf(url.searchParams)).toEqual(filters);
	expect(url.searchParams.get('request')).toBe('abc');
	expect(addressOf({})).toBe('/request-logs');
});

test('a question to the API has numbers and choices, and nothing that makes no sense', () => {
	expect(queryOf({ success: 'false', status: '429', user_key_id: '7', stream: 'perhaps' })).toEqual({
		is_success: false,
		status: 429,
		user_key_id: 7
	});
	expect(queryOf({ status: '4e9', service_key_id: '-1' })).toEqual({});
});

test('one filter changes, the others stay, and an empty one goes', () => {
	const filters = { model: 'm', success: 'true' };
	expect(withFilters(filters, { success: 'false' })).toBe('/request-logs?success=false&model=m');
	expect(withFilters(filters, { model: undefined })).toBe('/request-logs?success=true');
});

test('the export has the filters of the list', () => {
	expect(exportAddress({ model: 'm', success: 'false' }, 'csv')).toBe(
		'/api/request_logs/export?format=csv&is_success=false&model_name=m'
	);
});
