-- IDs are 20 bytes, times are Unix milliseconds. Words and texts are compared by their bytes, on every server alike.
--
-- A part of a list is read from one range of one index, in the order of the list. Which index that is must not depend on
-- statistics: with another one, a list would visit what belongs to other domains or pools. So each index that serves lists
-- ends with the ID as an expression that only indexes of its kind have: (id || '') in those of a domain, ('' || id) in those
-- of a pool. A list that is sorted by that expression can be read from no other index, and not from the primary key.

CREATE TABLE session (
    id                    BYTEA NOT NULL CHECK (length(id) = 20),
    domain_id             BYTEA NOT NULL CHECK (length(domain_id) = 20),
    pool_id               BYTEA NOT NULL CHECK (length(pool_id) = 20),
    session_type          TEXT COLLATE "C" NOT NULL CHECK (session_type IN ('browser', 'api')),
    created_at            BIGINT NOT NULL,
    status                TEXT COLLATE "C" NOT NULL
        CHECK (status IN ('new', 'unauthenticated', 'authenticated', 'complete', 'revoked')),
    account_id            BYTEA CHECK (length(account_id) = 20),
    identity_id           BYTEA CHECK (length(identity_id) = 20),
    device_id             BYTEA CHECK (length(device_id) = 20),
    title                 TEXT COLLATE "C",
    first_seen_at         BIGINT,
    first_seen_ip         TEXT COLLATE "C",
    first_seen_user_agent TEXT COLLATE "C",
    last_seen_at          BIGINT,
    last_seen_ip          TEXT COLLATE "C",
    last_seen_user_agent  TEXT COLLATE "C",
    token_hash            BYTEA CHECK (length(token_hash) = 32),
    -- 32 bytes each, the newest last.
    replaced_token_hashes BYTEA CHECK (length(replaced_token_hashes) % 32 = 0),
    -- When its lifetime passes; only of a session that is live and has one.
    expires_at            BIGINT,
    -- The minute of expires_at, since 1970. It is indexed in place of expires_at, which each interaction moves.
    expires_minute        BIGINT,
    -- When it ended.
    ended_at              BIGINT,
    revision              BIGINT NOT NULL,
    -- The last of the domain's pending revocations when the session was last added or replaced. That one and those before
    -- it do not apply to the session.
    written_after         BIGINT,
    CONSTRAINT session_pkey PRIMARY KEY (id)
)
-- Room in each page, so that a last interaction is written beside the row and into no index.
WITH (fillfactor = 90);

CREATE INDEX session_by_status ON session (domain_id, status, session_type, (id || ''::bytea));
CREATE INDEX session_by_pool_status ON session (domain_id, pool_id, status, session_type, (''::bytea || id));
CREATE INDEX session_by_account ON session (domain_id, account_id, (id || ''::bytea)) WHERE account_id IS NOT NULL;
CREATE INDEX session_by_pool_account ON session (domain_id, pool_id, account_id, (''::bytea || id))
    WHERE account_id IS NOT NULL;
CREATE INDEX session_by_identity ON session (domain_id, identity_id, (id || ''::bytea)) WHERE identity_id IS NOT NULL;
CREATE INDEX session_by_pool_identity ON session (domain_id, pool_id, identity_id, (''::bytea || id))
    WHERE identity_id IS NOT NULL;
CREATE INDEX session_by_device ON session (domain_id, device_id, (id || ''::bytea)) WHERE device_id IS NOT NULL;
CREATE INDEX session_by_pool_device ON session (domain_id, pool_id, device_id, (''::bytea || id))
    WHERE device_id IS NOT NULL;
CREATE INDEX session_by_expires_minute ON session (domain_id, expires_minute, (id || ''::bytea))
    WHERE expires_minute IS NOT NULL;
CREATE INDEX session_by_pool_expires_minute ON session (domain_id, pool_id, expires_minute, (''::bytea || id))
    WHERE expires_minute IS NOT NULL;
-- For the sweep alone, which is of every domain.
CREATE INDEX session_by_ended_at ON session (ended_at) WHERE ended_at IS NOT NULL;

-- What belongs to a session begins with the session's ID, so that an engine that distributes by it writes both on one node.
CREATE TABLE event (
    session_id BYTEA NOT NULL CHECK (length(session_id) = 20),
    id         BYTEA NOT NULL CHECK (length(id) = 20),
    action     TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT COLLATE "C" NOT NULL CHECK (actor_kind IN ('key', 'session', 'operator', 'server')),
    actor_id   BYTEA CHECK (length(actor_id) = 20),
    reason     TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    CONSTRAINT event_pkey PRIMARY KEY (session_id, id)
);

CREATE INDEX event_by_id ON event (id);

CREATE TABLE api_key (
    id          BYTEA NOT NULL CHECK (length(id) = 20),
    name        TEXT COLLATE "C" NOT NULL,
    domain_id   BYTEA NOT NULL CHECK (length(domain_id) = 20),
    pool_id     BYTEA CHECK (length(pool_id) = 20),
    scopes      TEXT COLLATE "C" NOT NULL,
    secret_hash BYTEA NOT NULL CHECK (length(secret_hash) = 32),
    revoked_at  BIGINT,
    CONSTRAINT api_key_pkey PRIMARY KEY (id)
);

CREATE INDEX api_key_by_pool ON api_key (domain_id, pool_id, id) WHERE pool_id IS NOT NULL;

-- Revocations of more sessions than one transaction writes. From the commit of its row on, a revocation counts on every
-- read; its sessions and their events are written in batches afterwards.
CREATE TABLE revocation (
    domain_id   BYTEA NOT NULL CHECK (length(domain_id) = 20),
    -- In the order of the domain's commits, and never used again.
    number      BIGINT NOT NULL,
    pool_id     BYTEA CHECK (length(pool_id) = 20),
    account_id  BYTEA CHECK (length(account_id) = 20),
    identity_id BYTEA CHECK (length(identity_id) = 20),
    device_id   BYTEA CHECK (length(device_id) = 20),
    except_id   BYTEA CHECK (length(except_id) = 20),
    at          BIGINT NOT NULL,
    -- The ID of the first event; the others are made of it.
    event_id    BYTEA NOT NULL CHECK (length(event_id) = 20),
    actor_kind  TEXT COLLATE "C" NOT NULL CHECK (actor_kind IN ('key', 'session', 'operator', 'server')),
    actor_id    BYTEA CHECK (length(actor_id) = 20),
    reason      TEXT COLLATE "C",
    request_id  TEXT COLLATE "C",
    -- The ID up to which its sessions are written; how many were revoked, and how many completed.
    written_to  BYTEA CHECK (length(written_to) = 20),
    written     BIGINT NOT NULL DEFAULT 0,
    completed   BIGINT NOT NULL DEFAULT 0,
    -- When all of them were written.
    finished_at BIGINT,
    CONSTRAINT revocation_pkey PRIMARY KEY (domain_id, number)
);

-- The number of the last revocation of each domain that has had one. Never deleted, so that no number is used again.
CREATE TABLE revocation_counter (
    domain_id       BYTEA NOT NULL CHECK (length(domain_id) = 20),
    last_revocation BIGINT NOT NULL,
    CONSTRAINT revocation_counter_pkey PRIMARY KEY (domain_id)
);

-- What the stored values depend on, such as the lifetimes that the column expires_at was computed with.
CREATE TABLE setting (
    name  TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    CONSTRAINT setting_pkey PRIMARY KEY (name)
);

-- Requests that were carried out and that their callers may repeat.
CREATE TABLE idempotency_record (
    id           BYTEA NOT NULL CHECK (length(id) = 32),
    request_hash BYTEA NOT NULL CHECK (length(request_hash) = 32),
    salt         BYTEA NOT NULL CHECK (length(salt) = 16),
    session_id   BYTEA NOT NULL CHECK (length(session_id) = 20),
    created_at   BIGINT NOT NULL,
    CONSTRAINT idempotency_record_pkey PRIMARY KEY (id)
);

CREATE INDEX idempotency_record_by_created_at ON idempotency_record (created_at);

-- The processes of sessiond that are alive, by the database's clock.
CREATE TABLE node (
    id          BYTEA NOT NULL CHECK (length(id) = 20),
    settings    TEXT COLLATE "C" NOT NULL,
    alive_until TIMESTAMPTZ NOT NULL,
    CONSTRAINT node_pkey PRIMARY KEY (id)
);

-- Which of them does the work that only one may do at a time.
CREATE TABLE lease (
    name   TEXT COLLATE "C" NOT NULL,
    holder BYTEA NOT NULL CHECK (length(holder) = 20),
    until  TIMESTAMPTZ NOT NULL,
    CONSTRAINT lease_pkey PRIMARY KEY (name)
);
