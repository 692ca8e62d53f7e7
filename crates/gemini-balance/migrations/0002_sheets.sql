-- Statistics and lists that take as long for ten million rows as for ten. What is here already is moved, not made anew.

-- The parts in which rows are numbered for the two indexes below: which ids each holds, from the first to the last that
-- it was given, and how many it was given. Rows that come late may make two parts overlap.
CREATE TABLE log_parts (
    part     INTEGER PRIMARY KEY,
    first_id INTEGER NOT NULL,
    last_id  INTEGER NOT NULL,
    rows     INTEGER NOT NULL
);
INSERT INTO log_parts SELECT part, min(id), max(id), count(*) FROM request_logs GROUP BY part;

-- How many rows there are: of level 0 in each 2^23 ids, which is a minute and a bit, of each further level in 64 blocks of
-- the one below. It counts rows that are there; those that are deleted are counted off.
CREATE TABLE log_counts (
    level INTEGER NOT NULL,
    block INTEGER NOT NULL,
    rows  INTEGER NOT NULL,
    PRIMARY KEY (level, block)
) WITHOUT ROWID;
INSERT INTO log_counts SELECT 0, id >> 23, count(*) FROM request_logs GROUP BY id >> 23;
INSERT INTO log_counts
    SELECT 1, block >> 6, sum(rows) FROM log_counts WHERE level = 0 GROUP BY block >> 6;
INSERT INTO log_counts
    SELECT 2, block >> 6, sum(rows) FROM log_counts WHERE level = 1 GROUP BY block >> 6;

-- There may be tens of thousands of service keys, whose rows come in turns: as with request ids, each new row would
-- rewrite a page of its own in one large index.
DROP INDEX request_logs_service_key;
CREATE INDEX request_logs_service_key ON request_logs (part, service_key_id);
-- Of attempts that were not the last there are few, and a request has one that was: a search for either is short.
CREATE INDEX request_logs_not_final ON request_logs (is_final) WHERE is_final = 0;

-- Sums of log rows by quarter-hour, counted since the epoch, that are in no sheet yet. `dimension` 0 is by model (the
-- subject; `model_id` is 0), 1 by user key and model, 2 by service key and model.
CREATE TABLE loose_sums (
    dimension         INTEGER NOT NULL,
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
    PRIMARY KEY (dimension, start, subject_id, model_id)
) WITHOUT ROWID;
INSERT INTO loose_sums
    SELECT 0, start, model_id, 0, attempts, requests, successes, prompt_tokens,
           completion_tokens, cached_tokens, thinking_tokens, total_tokens
    FROM rollups WHERE dimension = 0 AND span = 0;
INSERT INTO loose_sums
    SELECT dimension, start, subject_id, model_id, attempts, requests, successes, prompt_tokens,
           completion_tokens, cached_tokens, thinking_tokens, total_tokens
    FROM rollups WHERE dimension IN (1, 2) AND span = 0;
DROP TABLE rollups;

-- Sums of up to 1,024 subjects over one stretch of time, packed as in `store/sheet.rs`. The id says which, from the highest
-- bit on: dimension (1 and 2 are by key alone, 3 is by service key and model, 4 by user key and model) and length (3 bits),
-- start (23), subject / 1024 (20), as in `store/sheets.rs`.
CREATE TABLE sheets (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);

-- From which quarter-hour on each dimension has sums: any, and those of less than a day.
CREATE TABLE sum_horizons (
    dimension INTEGER PRIMARY KEY,
    kept_from INTEGER NOT NULL,
    fine_from INTEGER NOT NULL
);
INSERT INTO sum_horizons VALUES (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0);

-- When service keys were last used: apart from the keys, whose rows are large and would be rewritten with each batch.
CREATE TABLE service_key_uses (
    service_key_id INTEGER PRIMARY KEY,
    last_at_ms     INTEGER NOT NULL
);
INSERT INTO service_key_uses
    SELECT id, last_used_at_ms FROM service_keys WHERE last_used_at_ms IS NOT NULL;
ALTER TABLE service_keys DROP COLUMN last_used_at_ms;
