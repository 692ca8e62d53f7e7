import { expect, test } from 'vitest';
import { addressOf, countedRange, exportAddress, filtersOf, queryOf, withFilters } from './filters';

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

test('values are counted in the range of the list, and everywhere if that makes no sense', () => {
	const now = Date.UTC(2026, 4, 17);
	const may = '2026-05-01T00:00:00Z';
	expect(countedRange({ from: may }, now)).toEqual({ from: may, to: undefined });
	expect(countedRange({ to: may }, now)).toEqual({ from: '1970-01-01T00:00:00Z', to: may });
	for (const filters of [{}, { from: '2027-01-01' }, { from: 'x' }, { from: may, to: may }]) {
		expect(countedRange(filters, now)).toEqual({ from: '1970-01-01T00:00:00Z' });
	}
});
