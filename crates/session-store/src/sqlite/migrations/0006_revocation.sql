-- Revocations of more sessions than one transaction writes. From the commit of its row on, a revocation counts on every
-- read; its sessions and their events are written in batches afterwards.

CREATE TABLE revocation (
    -- In the order of the commits, and never used again.
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    domain_id   BLOB NOT NULL CHECK (length(domain_id) = 20),
    pool_id     BLOB CHECK (length(pool_id) = 20),
    account_id  BLOB CHECK (length(account_id) = 20),
    identity_id BLOB CHECK (length(identity_id) = 20),
    device_id   BLOB CHECK (length(device_id) = 20),
    except_id   BLOB CHECK (length(except_id) = 20),
    at          INTEGER NOT NULL,
    -- The ID of the first event; the others are made of it.
    event_id    BLOB NOT NULL CHECK (length(event_id) = 20),
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('key', 'session', 'operator', 'server')),
    actor_id    BLOB CHECK (length(actor_id) = 20),
    reason      TEXT,
    request_id  TEXT,
    -- The ID up to which its sessions are written, and how many they are.
    written_to  BLOB CHECK (length(written_to) = 20),
    written     INTEGER NOT NULL DEFAULT 0,
    -- When all of them were written.
    finished_at INTEGER
) STRICT;

CREATE INDEX revocation_pending ON revocation (domain_id, number) WHERE finished_at IS NULL;

-- The last of the domain's pending revocations when the session was last written. That one and those before it do not
-- apply to the session: one to which they apply is not written any more.
ALTER TABLE session ADD COLUMN written_after INTEGER;
