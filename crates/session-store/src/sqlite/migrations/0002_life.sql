-- Lifetimes, replaced tokens, lists and events.

ALTER TABLE session ADD COLUMN replaced_token_hashes BLOB CHECK (length(replaced_token_hashes) % 32 = 0);
-- When its lifetime passes; only of a session that is live and has one.
ALTER TABLE session ADD COLUMN ends_at INTEGER;
-- When it ended.
ALTER TABLE session ADD COLUMN ended_at INTEGER;

-- Each ends in the primary key, so that a page is one range of its index. Those of account, identity and device are
-- in the first migration.
CREATE INDEX session_by_domain ON session (domain_id, id);
CREATE INDEX session_by_pool ON session (pool_id, id);
CREATE INDEX session_by_status ON session (domain_id, status, id);
CREATE INDEX session_by_type ON session (domain_id, session_type, id);
CREATE INDEX session_by_ends_at ON session (ends_at) WHERE ends_at IS NOT NULL;
CREATE INDEX session_by_ended_at ON session (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE event (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 20),
    action     TEXT NOT NULL,
    session_id BLOB NOT NULL CHECK (length(session_id) = 20),
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('key', 'session', 'operator', 'server')),
    actor_id   BLOB CHECK (length(actor_id) = 20),
    reason     TEXT,
    request_id TEXT
) STRICT, WITHOUT ROWID;

-- What the stored values depend on, such as the lifetimes that the column ends_at was computed with.
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
