-- How many frames passed in a Live session, in both directions; NULL for every other request.
ALTER TABLE request_logs ADD COLUMN frames INTEGER;
