/** Texts of the page /. */
export const overview = {
	title: 'Overview',
	pool: (usable: string, total: string) => `${usable} of ${total} service keys usable`,
	allWell: 'Everything works.',
	parts: {
		database: 'Database',
		service_keys: 'Service keys',
		upstream: 'Upstream',
		journal: 'Request log'
	},
	runningNow: 'Running now',
	runningDetail: (connections: string, waiting: string) =>
		`${connections} connections, ${waiting} waiting`,
	requests: 'Requests',
	lastDay: 'last 24 hours',
	successRate: 'Success by attempt',
	successDetail: (successes: string, attempts: string) => `${successes} of ${attempts} attempts`,
	firstByte: 'Time to first byte',
	latency: 'Time to the end',
	percentiles: (p90: string, p99: string) => `median; 90 % within ${p90}, 99 % within ${p99}`,
	tokens: 'Tokens',
	tokensDetail: (prompt: string, completion: string) => `${prompt} asked, ${completion} answered`,
	poolTitle: 'Service keys by state',
	states: {
		active: 'active',
		resting: 'resting',
		in_use: 'in use',
		invalid: 'invalid',
		suspended: 'suspended',
		no_credit: 'no credit',
		disabled: 'disabled'
	},
	errorsTitle: 'Errors by kind, last 24 hours',
	errorsAttempts: (count: string) => `${count} attempts`,
	noErrorsTitle: 'No errors',
	noErrors: 'Every attempt of the last 24 hours succeeded, or there was none.'
};
