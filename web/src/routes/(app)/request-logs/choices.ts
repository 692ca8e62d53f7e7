import type { Schemas } from '$lib/api/client';
import type { Format } from '$lib/format';
import type { texts } from './texts';

/** One value of a filter. */
export interface Choice {
	value: string;
	label: string;
}

/** What can be chosen, by filter, each list with the choice of anything first. */
export type Choices = ReturnType<typeof optionsOf>;

/** Makes the choices of what occurred in the range, the most frequent first, each with how often. */
export function optionsOf(
	counts: Schemas['LogValueCounts'],
	known: Schemas['KnownValues'],
	any: Choice,
	t: (typeof texts)['en'],
	format: Format
) {
	const counted = (value: string, name: string, attempts: number): Choice => ({
		value,
		label: t.option(name, format.short(attempts))
	});
	return {
		error_type: [
			any,
			...counts.error_kinds.map((it) => counted(it.error_kind, it.error_kind, it.attempts))
		],
		status: [any, ...known.statuses.map((it) => ({ value: String(it), label: String(it) }))],
		model: [
			any,
			// Calls without a model have an empty one, which is what stands for any.
			...counts.models
				.filter(({ model }) => model !== '')
				.map((it) => counted(it.model, it.model, it.attempts))
		],
		user_key_id: [
			any,
			...counts.user_keys.map(({ user_key_id: id, name, attempts }) =>
				counted(String(id), name ?? `#${id}`, attempts)
			)
		],
		service_key_id: [
			any,
			...counts.service_keys.map(({ service_key_id: id, key_brief, attempts }) =>
				counted(String(id), key_brief ?? `#${id}`, attempts)
			)
		]
	};
}
