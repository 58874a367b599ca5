-- Which store this is, and how many commits it has had: `verify.rs` finds lost commits by it.

CREATE TABLE store_state (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    store_id     BLOB NOT NULL CHECK (length(store_id) = 16),
    commits      INTEGER NOT NULL,
    -- How many of them the database file had without its write-ahead log, when this row was written.
    checkpointed INTEGER NOT NULL
) STRICT;

INSERT INTO store_state (id, store_id, commits, checkpointed) VALUES (1, randomblob(16), 0, 0);
