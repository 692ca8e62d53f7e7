import { expect, test } from 'vitest';
import { chosenColumns } from './columns';

test('columns keep their order, and the one that opens a request is always there', () => {
	expect(chosenColumns('tokens,model,nonsense')).toEqual(['time', 'model', 'tokens']);
	expect(chosenColumns('')).toEqual(['time']);
	expect(chosenColumns(null)).toContain('serviceKey');
});
