import type { Schemas } from '$lib/api/client';
import type { Format } from '$lib/format';
import type { FilterName } from './filters';
import type { texts } from './texts';

/** Something that is known of an attempt. */
export interface Fact {
	name: string;
	value: string;
	/** The filter that shows all attempts of which the same is known. */
	filter?: { name: FilterName; value: string };
	isCode?: boolean;
}

/** What is known of an attempt, in the order in which it is read; what is not known is left out. */
export function factsOf(
	log: Schemas['RequestLog'],
	t: (typeof texts)['en'],
	{ number, duration, bytes }: Format
): Fact[] {
	const facts: Fact[] = [];
	function add(name: string, value: string | number | null | undefined, filter?: FilterName, shown?: string) {
		if (value === null || value === undefined) return;
		const text = String(value);
		facts.push({
			name,
			value: shown ?? text,
			filter: filter && { name: filter, value: text },
			isCode: filter === 'service_key_id'
		});
	}
	const count = (name: string, value: number | null | undefined) =>
		add(name, value, undefined, number(value));

	add(t.model, log.model_name, 'model');
	add(t.status, log.status, 'status');
	add(t.errorType, log.error_type, 'error_type');
	add(t.serviceKey, log.service_key_id, 'service_key_id', log.key_brief ?? undefined);
	add(t.userKey, log.user_key_id, 'user_key_id', log.auth_key_alias ?? undefined);
	add(t.column.duration, log.duration_ms, undefined, duration(log.duration_ms));
	add(t.column.firstByte, log.first_byte_ms, undefined, duration(log.first_byte_ms));
	add(t.answer, String(log.is_stream), 'stream', log.is_stream ? t.stream : t.whole);
	add(t.column.operation, log.operation);
	add(t.dialect, log.dialect);
	add(t.client, log.client);
	add(t.column.bytes, `${bytes(log.bytes_in)} / ${bytes(log.bytes_out)}`);
	count(t.frames, log.frames);
	count(t.totalTokens, log.total_tokens);
	count(t.prompt, log.prompt_tokens);
	count(t.completion, log.completion_tokens);
	count(t.thinking, log.thinking_tokens);
	count(t.cached, log.cached_tokens);
	return facts;
}
