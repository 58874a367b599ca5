-- A revocation ends every session that it is about, also one whose lifetime has passed by then: that one is complete and is
-- not among the written ones, which are counted.

ALTER TABLE revocation ADD COLUMN completed INTEGER NOT NULL DEFAULT 0;
-- Before, a pending one skipped these, so it visits its sessions again.
UPDATE revocation SET written_to = NULL WHERE finished_at IS NULL;
