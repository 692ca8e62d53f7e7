-- What the caller's program says it is (`User-Agent`): a word of kind 5. NULL: it said nothing, or the row is older.
ALTER TABLE request_logs ADD COLUMN client INTEGER;
