-- What the upstream keeps for one project: files, caches, batches, interactions and the like. Each is reached with the
-- service key that made it, or another of the same project, and belongs to the user key that had it made.
CREATE TABLE resources (
    name           TEXT    NOT NULL PRIMARY KEY,
    service_key_id INTEGER NOT NULL,
    -- The label of that service key when it made it; empty if it had none.
    project        TEXT    NOT NULL,
    user_key_id    INTEGER NOT NULL,
    created_at_ms  INTEGER NOT NULL,
    -- NULL: it does not end by itself.
    expires_at_ms  INTEGER,
    -- Deleted; remembered for a while, so that whoever asks for it bothers no other project.
    is_gone        INTEGER NOT NULL
) WITHOUT ROWID;
