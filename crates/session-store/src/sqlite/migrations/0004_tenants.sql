-- A pool is no record of its own: its ID is known within the domain of the session or key that names it. And every
-- index that serves a caller leads with the caller's domain, and there is one that goes on with its pool.
--
-- SQLite cannot drop a foreign key or reorder an index, so the tables are made anew.

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
    revision              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A session was created at the time in its ID: the first 50 bits. 14 hexadecimal digits have 56; a digit's value is its
-- place in '123456789ABCDEF', and 0 is in no place.
INSERT INTO new_session
SELECT id, domain_id, pool_id, session_type,
       ((instr('123456789ABCDEF', substr(digits, 1, 1)) << 52)
        | (instr('123456789ABCDEF', substr(digits, 2, 1)) << 48)
        | (instr('123456789ABCDEF', substr(digits, 3, 1)) << 44)
        | (instr('123456789ABCDEF', substr(digits, 4, 1)) << 40)
        | (instr('123456789ABCDEF', substr(digits, 5, 1)) << 36)
        | (instr('123456789ABCDEF', substr(digits, 6, 1)) << 32)
        | (instr('123456789ABCDEF', substr(digits, 7, 1)) << 28)
        | (instr('123456789ABCDEF', substr(digits, 8, 1)) << 24)
        | (instr('123456789ABCDEF', substr(digits, 9, 1)) << 20)
        | (instr('123456789ABCDEF', substr(digits, 10, 1)) << 16)
        | (instr('123456789ABCDEF', substr(digits, 11, 1)) << 12)
        | (instr('123456789ABCDEF', substr(digits, 12, 1)) << 8)
        | (instr('123456789ABCDEF', substr(digits, 13, 1)) << 4)
        | instr('123456789ABCDEF', substr(digits, 14, 1))) >> 6,
       status, account_id, identity_id, device_id, title,
       first_seen_at, first_seen_ip, first_seen_user_agent, last_seen_at, last_seen_ip, last_seen_user_agent,
       token_hash, replaced_token_hashes, expires_at, ended_at, revision
FROM (SELECT *, hex(substr(id, 1, 7)) AS digits FROM session ORDER BY id);

DROP TABLE session;
ALTER TABLE new_session RENAME TO session;

CREATE TABLE new_api_key (
    id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 20),
    name        TEXT NOT NULL,
    domain_id   BLOB NOT NULL CHECK (length(domain_id) = 20),
    pool_id     BLOB CHECK (length(pool_id) = 20),
    scopes      TEXT NOT NULL,
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;

INSERT INTO new_api_key SELECT id, name, domain_id, pool_id, scopes, secret_hash, revoked_at FROM api_key;

DROP TABLE api_key;
ALTER TABLE new_api_key RENAME TO api_key;
DROP TABLE pool;

CREATE INDEX api_key_by_pool ON api_key (domain_id, pool_id, id) WHERE pool_id IS NOT NULL;

-- Each ends in the primary key, so that a page is one range, or a merge of a few ranges, in the order of the index.
CREATE INDEX session_by_status ON session (domain_id, status, session_type, id);
CREATE INDEX session_by_pool_status ON session (domain_id, pool_id, status, session_type, id);
CREATE INDEX session_by_account ON session (domain_id, account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_pool_account ON session (domain_id, pool_id, account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_identity ON session (domain_id, identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX session_by_pool_identity ON session (domain_id, pool_id, identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX session_by_device ON session (domain_id, device_id, id) WHERE device_id IS NOT NULL;
CREATE INDEX session_by_pool_device ON session (domain_id, pool_id, device_id, id) WHERE device_id IS NOT NULL;
CREATE INDEX session_by_expires_at ON session (domain_id, expires_at, id) WHERE expires_at IS NOT NULL;
CREATE INDEX session_by_pool_expires_at ON session (domain_id, pool_id, expires_at, id) WHERE expires_at IS NOT NULL;
-- For the sweep alone, which is of every domain.
CREATE INDEX session_by_ended_at ON session (ended_at, id) WHERE ended_at IS NOT NULL;
