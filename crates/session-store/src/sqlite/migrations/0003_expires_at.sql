-- Names the column for the end of a lifetime as the field of the program: expires_at.

ALTER TABLE session RENAME COLUMN ends_at TO expires_at;

DROP INDEX session_by_ends_at;
CREATE INDEX session_by_expires_at ON session (expires_at) WHERE expires_at IS NOT NULL;
