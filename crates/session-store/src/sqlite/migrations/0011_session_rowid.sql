-- Without a rowid, the inner pages of a table have whole rows like its leaves, eight to a page: among a million sessions a search
-- went through six levels, and its inner pages took 64 MB of the cache. With one, the table and the index of the IDs have three levels
-- each, and 400 inner pages together.

CREATE TABLE new_session (
    id                    BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 20),
    domain_id             BLOB NOT NULL CHECK (length(domain_id) = 20),
    pool_id               BLOB NOT NULL CHECK (length(pool_id) = 20),
    session_type          TEXT NOT NULL CHECK (session_type IN ('browser', 'api')),
    created_at            INTEGER NOT NULL,
    status                TEXT NOT NULL
        CHECK (status IN ('new', 'unauthenticated', 'authenticated', 'complete', 'revoked')),
    account_id            BLOB CHECK (length(account_id) = 20),
    identity_id           BLOB CHECK (length(identity_id) = 20),
    device_id             BLOB CHECK (length(device_id) = 20),
    title                 TEXT,
    first_seen_at         INTEGER,
    first_seen_ip         TEXT,
    first_seen_user_agent TEXT,
    last_seen_at          INTEGER,
    last_seen_ip          TEXT,
    last_seen_user_agent  TEXT,
    token_hash            BLOB CHECK (length(token_hash) = 32),
    replaced_token_hashes BLOB CHECK (length(replaced_token_hashes) % 32 = 0),
    -- When its lifetime passes; only of a session that is live and has one.
    expires_at            INTEGER,
    -- When it ended.
    ended_at              INTEGER,
    revision              INTEGER NOT NULL,
    -- The last of the domain's pending revocations when the session was last written.
    written_after         INTEGER,
    -- The minute of expires_at, since 1970.
    expires_minute        INTEGER
) STRICT;

INSERT INTO new_session SELECT * FROM session ORDER BY id;

DROP TABLE session;
ALTER TABLE new_session RENAME TO session;

CREATE INDEX session_by_status ON session (domain_id, status, session_type, id);
CREATE INDEX session_by_pool_status ON session (domain_id, pool_id, status, session_type, id);
CREATE INDEX session_by_account ON session (domain_id, account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_pool_account ON session (domain_id, pool_id, account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_identity ON session (domain_id, identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX session_by_pool_identity ON session (domain_id, pool_id, identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX session_by_device ON session (domain_id, device_id, id) WHERE device_id IS NOT NULL;
CREATE INDEX session_by_pool_device ON session (domain_id, pool_id, device_id, id) WHERE device_id IS NOT NULL;
CREATE INDEX session_by_ended_at ON session (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX session_by_expires_minute ON session (domain_id, expires_minute, id) WHERE expires_minute IS NOT NULL;
CREATE INDEX session_by_pool_expires_minute ON session (domain_id, pool_id, expires_minute, id)
    WHERE expires_minute IS NOT NULL;
