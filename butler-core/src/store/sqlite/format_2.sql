-- Pairs by the number of their namespace. A namespace that was dropped has no name any more; what was in it is removed bit by bit.
-- keys: how many pairs it has, expired ones included.
CREATE TABLE namespaces (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, keys INTEGER NOT NULL);
INSERT INTO namespaces (name, keys) SELECT ns, count(*) FROM kv GROUP BY ns ORDER BY min(place);

-- place: the version of its first put.
CREATE TABLE pairs (
    place INTEGER PRIMARY KEY, ns INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER
);
INSERT INTO pairs SELECT kv.place, n.id, kv.key, kv.value, kv.version, kv.expires FROM kv JOIN namespaces n ON n.name = kv.ns ORDER BY kv.place;
CREATE UNIQUE INDEX pairs_key ON pairs (ns, key);
CREATE INDEX pairs_place ON pairs (ns);
CREATE INDEX pairs_expires ON pairs (ns, expires) WHERE expires IS NOT NULL;
DROP TABLE kv;
