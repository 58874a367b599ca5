-- Requests with an Idempotency-Key that were carried out: each is added by the transaction of its change.

CREATE TABLE idempotency_record (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    salt         BLOB NOT NULL CHECK (length(salt) = 16),
    session_id   BLOB NOT NULL CHECK (length(session_id) = 20),
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For the sweep alone.
CREATE INDEX idempotency_record_by_created_at ON idempotency_record (created_at, id);
