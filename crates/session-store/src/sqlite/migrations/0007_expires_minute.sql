-- The minute of expires_at, since 1970. It is indexed in place of expires_at, which each interaction moves: an index on it
-- was a third of what the writing of last interactions wrote.

ALTER TABLE session ADD COLUMN expires_minute INTEGER;
UPDATE session SET expires_minute = expires_at / 60000 WHERE expires_at IS NOT NULL;

DROP INDEX session_by_expires_at;
DROP INDEX session_by_pool_expires_at;
CREATE INDEX session_by_expires_minute ON session (domain_id, expires_minute, id) WHERE expires_minute IS NOT NULL;
CREATE INDEX session_by_pool_expires_minute ON session (domain_id, pool_id, expires_minute, id)
    WHERE expires_minute IS NOT NULL;
