-- open: whether a run began work that has not ended.
ALTER TABLE occurrences ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
CREATE INDEX occurrences_open ON occurrences (at) WHERE open = 1;
CREATE INDEX occurrences_at ON occurrences (at) WHERE at IS NOT NULL;
