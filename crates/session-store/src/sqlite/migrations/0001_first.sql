-- IDs are blobs of 20 bytes, times are Unix milliseconds.

CREATE TABLE pool (
    id        BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 20),
    domain_id BLOB NOT NULL CHECK (length(domain_id) = 20)
) STRICT, WITHOUT ROWID;

CREATE INDEX pool_by_domain ON pool (domain_id);

CREATE TABLE session (
    id                    BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 20),
    domain_id             BLOB NOT NULL CHECK (length(domain_id) = 20),
    pool_id               BLOB NOT NULL REFERENCES pool (id),
    session_type          TEXT NOT NULL CHECK (session_type IN ('browser', 'api')),
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
    revision              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each ends in the primary key, so that a page of an account's sessions is one range of its index.
CREATE INDEX session_by_account ON session (account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_identity ON session (identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX session_by_device ON session (device_id, id) WHERE device_id IS NOT NULL;

CREATE TABLE api_key (
    id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 20),
    name        TEXT NOT NULL,
    domain_id   BLOB NOT NULL CHECK (length(domain_id) = 20),
    pool_id     BLOB REFERENCES pool (id),
    scopes      TEXT NOT NULL,
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;
