-- The time at which the lifetime of a session passes is named as in the program.

ALTER TABLE session RENAME COLUMN ends_at TO expires_at;

DROP INDEX session_by_ends_at;
CREATE INDEX session_by_expires_at ON session (expires_at) WHERE expires_at IS NOT NULL;
