import type { Schemas } from '$lib/api/client';

/** What can be done to one key from its row. */
export type KeyAction = 'open' | Exclude<Schemas['KeyJobAction'], 'tag'>;
/** What can be done to chosen keys at once. */
export type BulkAction = Schemas['KeyJobAction'] | 'export';
/** Which keys are meant: by name, or by what they fulfil. */
export type Target = Pick<Schemas['KeyJobOrder'], 'filter' | 'key_identifiers'>;
