-- The first schema. Times are milliseconds since the Unix epoch, in UTC. Keys are never stored in clear.

-- Small facts about this database, by name.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- The one administrator. Tokens issued before `changed_at_ms` are void.
CREATE TABLE admin (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    password_hash TEXT    NOT NULL,
    changed_at_ms INTEGER NOT NULL
);

-- Logins that have not been ended: a token whose session is not here is void.
CREATE TABLE sessions (
    id            TEXT PRIMARY KEY,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- The keys of our callers. A deleted key keeps its row, without its hash, so that the log can still name it.
CREATE TABLE user_keys (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL,
    hash            BLOB,
    brief           TEXT    NOT NULL,
    note            TEXT    NOT NULL,
    is_enabled      INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER,
    last_used_at_ms INTEGER,
    calls           INTEGER NOT NULL DEFAULT 0,
    tokens          INTEGER NOT NULL DEFAULT 0,
    deleted_at_ms   INTEGER
);
CREATE UNIQUE INDEX user_keys_name ON user_keys (name) WHERE deleted_at_ms IS NULL;
CREATE UNIQUE INDEX user_keys_hash ON user_keys (hash) WHERE hash IS NOT NULL;

-- The keys that let us into the upstream. A deleted key keeps its row, without its secret.
CREATE TABLE service_keys (
    id                INTEGER PRIMARY KEY,
    key_identifier    TEXT    NOT NULL,
    fingerprint       BLOB,
    brief             TEXT    NOT NULL,
    sealed            BLOB,
    provider          TEXT    NOT NULL,
    project           TEXT    NOT NULL,
    tier              INTEGER NOT NULL,
    note              TEXT    NOT NULL,
    tags              TEXT    NOT NULL,
    is_enabled        INTEGER NOT NULL,
    standing          TEXT    NOT NULL DEFAULT 'active',
    standing_since_ms INTEGER,
    standing_reason   TEXT    NOT NULL DEFAULT '',
    probe_level       INTEGER NOT NULL DEFAULT 0,
    probe_at_ms       INTEGER,
    created_at_ms     INTEGER NOT NULL,
    last_used_at_ms   INTEGER,
    deleted_at_ms     INTEGER
);
CREATE UNIQUE INDEX service_keys_identifier ON service_keys (key_identifier) WHERE deleted_at_ms IS NULL;
CREATE UNIQUE INDEX service_keys_fingerprint ON service_keys (fingerprint) WHERE fingerprint IS NOT NULL;

-- What the pool remembers of a (project, model) bucket. `scope` is 'k' and a key's id, or 'p' and a project's label.
CREATE TABLE budgets (
    scope         TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    until_ms      INTEGER,
    level         INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, model)
) WITHOUT ROWID;

-- Strings that repeat in every log row, stored once. Kinds: 1 model, 2 error kind, 3 operation, 4 dialect.
CREATE TABLE words (
    id   INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    text TEXT    NOT NULL,
    UNIQUE (kind, text)
);

-- The few combinations in which attempts are made and end: one small number per log row, and one index, stand for six
-- columns.
CREATE TABLE outcomes (
    id         INTEGER PRIMARY KEY,
    model      INTEGER NOT NULL,
    dialect    INTEGER NOT NULL,
    operation  INTEGER NOT NULL,
    is_stream  INTEGER NOT NULL,
    status     INTEGER,
    error_kind INTEGER
);

-- One row per attempt. The id is the end of the attempt in ms since 2020 times 128, plus a number among those of the
-- same ms: it orders by time, bounds a time range, takes six bytes until 2054, and is exact in JavaScript.
CREATE TABLE request_logs (
    id                INTEGER PRIMARY KEY,
    request_id        BLOB    NOT NULL,
    user_key_id       INTEGER,
    service_key_id    INTEGER,
    outcome_id        INTEGER NOT NULL,
    attempt           INTEGER NOT NULL,
    is_final          INTEGER NOT NULL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    cached_tokens     INTEGER,
    thinking_tokens   INTEGER,
    total_tokens      INTEGER,
    first_byte_ms     INTEGER,
    duration_ms       INTEGER NOT NULL,
    bytes_in          INTEGER NOT NULL,
    bytes_out         INTEGER NOT NULL,
    part              INTEGER NOT NULL
);
CREATE INDEX request_logs_user_key ON request_logs (user_key_id);
CREATE INDEX request_logs_service_key ON request_logs (service_key_id);
CREATE INDEX request_logs_outcome ON request_logs (outcome_id);
-- Four bytes of the request id find it as well as sixteen. The last four: the first may be a clock. Request ids are random,
-- and in one large index each new row would rewrite a page of its own. So rows are numbered in parts of some ten thousand,
-- of which only the newest grows, and a request is looked up in each part.
CREATE INDEX request_logs_request ON request_logs (part, substr(request_id, -4));

-- Sums of log rows. `span` 0 counts `start` in quarter-hours, 1 in days, since the epoch; `dimension` 0 is everything
-- (subject 0), 1 a user key, 2 a service key.
CREATE TABLE rollups (
    dimension         INTEGER NOT NULL,
    span              INTEGER NOT NULL,
    start             INTEGER NOT NULL,
    subject_id        INTEGER NOT NULL,
    model_id          INTEGER NOT NULL,
    attempts          INTEGER NOT NULL,
    requests          INTEGER NOT NULL,
    successes         INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    thinking_tokens   INTEGER NOT NULL,
    total_tokens      INTEGER NOT NULL,
    PRIMARY KEY (dimension, span, start, subject_id, model_id)
) WITHOUT ROWID;

-- How long successful requests took: two histograms per cell, encoded as in `store/histogram.rs`.
CREATE TABLE rollup_latencies (
    span       INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    model_id   INTEGER NOT NULL,
    duration   BLOB    NOT NULL,
    first_byte BLOB    NOT NULL,
    PRIMARY KEY (span, start, model_id)
) WITHOUT ROWID;

CREATE TABLE rollup_errors (
    span       INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    error_kind INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    requests   INTEGER NOT NULL,
    PRIMARY KEY (span, start, error_kind)
) WITHOUT ROWID;
