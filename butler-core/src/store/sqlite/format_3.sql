-- open: whether a run began work that has not ended.
ALTER TABLE occurrences ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
CREATE INDEX occurrences_open ON occurrences (at) WHERE open = 1;
CREATE INDEX occurrences_at ON occurrences (at) WHERE at IS NOT NULL;

-- How much room pairs take, whoever puts or removes them: as `store::kv::room` counts it.
INSERT INTO counters (name, value) SELECT 'pair_room', coalesce(sum(2 * octet_length(key) + octet_length(value) + 96), 0) FROM pairs;
CREATE TRIGGER pairs_put AFTER INSERT ON pairs BEGIN
    UPDATE counters SET value = value + 2 * octet_length(new.key) + octet_length(new.value) + 96 WHERE name = 'pair_room';
END;
CREATE TRIGGER pairs_changed AFTER UPDATE OF value ON pairs WHEN octet_length(new.value) <> octet_length(old.value) BEGIN
    UPDATE counters SET value = value + octet_length(new.value) - octet_length(old.value) WHERE name = 'pair_room';
END;
CREATE TRIGGER pairs_removed AFTER DELETE ON pairs BEGIN
    UPDATE counters SET value = value - 2 * octet_length(old.key) - octet_length(old.value) - 96 WHERE name = 'pair_room';
END;
