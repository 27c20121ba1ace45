-- Ids are 16 bytes, times microseconds since 1970, names of keys and lanes 16-byte digests.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE,
    site        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    task        BLOB,
    at          INTEGER NOT NULL,
    received    INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    facts       TEXT,
    notes       TEXT,
    keys        BLOB    NOT NULL,
    sightings   INTEGER NOT NULL DEFAULT 1,
    routed      INTEGER,
    not_before  INTEGER NOT NULL,
    fence       INTEGER NOT NULL DEFAULT 0,
    claim_until INTEGER,
    attempt     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX events_unrouted ON events (seq) WHERE routed IS NULL;
CREATE INDEX events_received ON events (received);

CREATE TABLE keys (key BLOB PRIMARY KEY, event INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE near_keys (scope BLOB NOT NULL, at INTEGER NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (scope, at, event)) WITHOUT ROWID;
CREATE INDEX near_keys_event ON near_keys (event);
CREATE TABLE sightings (event INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY (event, n)) WITHOUT ROWID;

-- due: as created means at once, whatever the clock does afterwards.
-- state: 0 pending, 1 delivered, 2 dead, 3 suppressed, 4 discarded. head: may be leased, because nobody of its lane is before it.
CREATE TABLE deliveries (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            BLOB    NOT NULL UNIQUE,
    event         INTEGER NOT NULL,
    sink          TEXT    NOT NULL,
    target        TEXT    NOT NULL,
    route         TEXT    NOT NULL,
    state         INTEGER NOT NULL DEFAULT 0,
    lane          BLOB,
    limit_key     BLOB,
    limit_window  INTEGER,
    class         INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    due           INTEGER NOT NULL,
    expires       INTEGER NOT NULL,
    settled       INTEGER,
    failing_since INTEGER,
    head          INTEGER NOT NULL,
    overtaken     INTEGER NOT NULL DEFAULT 0,
    fence         INTEGER NOT NULL DEFAULT 0,
    lease_until   INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0,
    lost          INTEGER NOT NULL DEFAULT 0,
    detail        TEXT    NOT NULL DEFAULT '',
    preview       TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX deliveries_event   ON deliveries (event);
CREATE INDEX deliveries_ready   ON deliveries (sink, seq) WHERE state = 0 AND head = 1;
CREATE INDEX deliveries_leased  ON deliveries (sink, seq) WHERE state = 0 AND head = 1 AND (lost > 0 OR lease_until IS NOT NULL);
CREATE INDEX deliveries_lane    ON deliveries (lane, seq) WHERE state = 0 AND lane IS NOT NULL;
CREATE INDEX deliveries_dead    ON deliveries (seq)       WHERE state = 2;
CREATE INDEX deliveries_held    ON deliveries (limit_key, seq) WHERE state = 3;
CREATE INDEX deliveries_expires ON deliveries (expires)   WHERE state = 0;

CREATE TABLE attempts (delivery INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (delivery, n)) WITHOUT ROWID;
CREATE TABLE windows (key BLOB PRIMARY KEY, delivery BLOB NOT NULL, seq INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE kv (
    ns TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER, place INTEGER NOT NULL,
    PRIMARY KEY (ns, key)
) WITHOUT ROWID;
CREATE INDEX kv_place ON kv (ns, place);
CREATE INDEX kv_expires ON kv (expires) WHERE expires IS NOT NULL;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE schedules (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, definition TEXT NOT NULL);
CREATE TABLE occurrences (
    schedule TEXT NOT NULL, occurrence INTEGER NOT NULL, attempt INTEGER NOT NULL, claim_until INTEGER, at INTEGER, outcome TEXT,
    PRIMARY KEY (schedule, occurrence)
) WITHOUT ROWID;

CREATE TABLE states (name TEXT PRIMARY KEY, value TEXT, version INTEGER NOT NULL) WITHOUT ROWID;
