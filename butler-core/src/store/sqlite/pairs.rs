//! Pairs.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cache::Change;
use super::values::{count, micros, time};
use super::writer::{Write, failed};
use crate::store::kv::{end_of_prefix, room, sum};
use crate::store::rules::newest_expired;
use crate::store::{DeleteOutcome, If, Increment, KvEntry, Lookup, PutOutcome, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// Up to how many pairs with a prefix are sorted for a page. Where there are more they are common enough to be met on the way from place to place.
const SORTED: i64 = 20_000;
/// How many pairs that nobody sees any more are removed where one does not fit.
const MADE_ROOM: i64 = 1000;

fn read_pair(row: &Row<'_>) -> rusqlite::Result<KvEntry> {
    let expires: Option<i64> = row.get(4)?;
    Ok(KvEntry { key: row.get(0)?, value: row.get(1)?, version: count(row, 2)?, place: count(row, 3)?, expires: expires.map(time) })
}

pub(super) fn namespaces(connection: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT name FROM namespaces WHERE name IS NOT NULL ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(|e| failed(&e))?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

fn number_of(connection: &Connection, namespace: &str) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM namespaces WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([namespace], |row| row.get(0)).optional())
        .map_err(|e| failed(&e))
}

const BY_PLACE: &str = "SELECT key, value, version, place, expires FROM pairs INDEXED BY pairs_place
     WHERE ns = ?1 AND place > ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4) AND (expires IS NULL OR expires > ?5) ORDER BY place LIMIT ?6";
const BY_KEY: &str = "SELECT key, value, version, place, expires FROM pairs INDEXED BY pairs_key
     WHERE ns = ?1 AND place > ?2 AND key >= ?3 AND key < ?4 AND (expires IS NULL OR expires > ?5) ORDER BY place LIMIT ?6";

pub(super) fn list(
    connection: &Connection,
    namespace: &str,
    prefix: &str,
    after: u64,
    max: usize,
    bytes: usize,
    now: Timestamp,
) -> Result<Option<Vec<KvEntry>>> {
    let Some(number) = number_of(connection, namespace)? else { return Ok(None) };
    let end = end_of_prefix(prefix);
    let sql = match &end {
        Some(end) if are_few(connection, number, prefix, end)? => BY_KEY,
        _ => BY_PLACE,
    };
    let (after, max) = (i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(max).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(sql).map_err(|e| failed(&e))?;
    let values = params![number, after, prefix, end, newest_expired(now), max];
    let (mut page, mut taken) = (Vec::new(), 0);
    for pair in statement.query_map(values, read_pair).map_err(|e| failed(&e))? {
        let pair = pair.map_err(|e| failed(&e))?;
        taken += pair.key.len() + pair.value.len();
        page.push(pair);
        if taken >= bytes {
            break;
        }
    }
    Ok(Some(page))
}

fn are_few(connection: &Connection, number: i64, prefix: &str, end: &str) -> Result<bool> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM pairs INDEXED BY pairs_key WHERE ns = ?1 AND key >= ?2 AND key < ?3 LIMIT ?4)";
    let count: rusqlite::Result<i64> = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(params![number, prefix, end, SORTED + 1], |row| row.get(0)));
    count.map(|count| count <= SORTED).map_err(|e| failed(&e))
}

const LOOKUP: &str =
    "SELECT key, value, version, place, expires FROM pairs WHERE ns = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)";

pub(super) fn get(connection: &Connection, namespace: &str, key: &str, now: Timestamp) -> Result<Lookup> {
    let Some(number) = number_of(connection, namespace)? else { return Ok(Lookup::NoNamespace) };
    let pair = connection
        .prepare_cached(LOOKUP)
        .and_then(|mut statement| statement.query_row(params![number, key, newest_expired(now)], read_pair).optional())
        .map_err(|e| failed(&e))?;
    Ok(pair.map_or(Lookup::NoKey, Lookup::Pair))
}

/// A pair to be put.
pub(super) struct Put {
    pub(super) namespace: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) expires: Option<Timestamp>,
    pub(super) condition: If,
    pub(super) key_limit: Option<u64>,
    /// How much room all pairs may take.
    pub(super) room: Option<u64>,
}

/// How a namespace stands, and what it has under a key.
struct Standing {
    number: i64,
    keys: u64,
    row: Option<StoredPair>,
}

/// What is stored under a key, whether its time has passed or not.
struct StoredPair {
    place: i64,
    version: u64,
    expired: bool,
    value_bytes: u64,
}

impl Standing {
    fn live(&self) -> Option<&StoredPair> {
        self.row.as_ref().filter(|row| !row.expired)
    }
}

const STANDING: &str = "SELECT n.id, n.keys, p.place, p.version, p.expires <= ?3, octet_length(p.value) FROM namespaces n
     LEFT JOIN pairs p INDEXED BY pairs_key ON p.ns = n.id AND p.key = ?2 WHERE n.name = ?1";

fn standing_of(connection: &Connection, namespace: &str, key: &str, now: Timestamp) -> Result<Option<Standing>> {
    let read = |row: &Row<'_>| {
        let place: Option<i64> = row.get(2)?;
        let row_of = |place| -> rusqlite::Result<StoredPair> {
            let expired: Option<bool> = row.get(4)?;
            Ok(StoredPair { place, version: count(row, 3)?, expired: expired.unwrap_or(false), value_bytes: count(row, 5)? })
        };
        Ok(Standing { number: row.get(0)?, keys: count(row, 1)?, row: place.map(row_of).transpose()? })
    };
    connection
        .prepare_cached(STANDING)
        .and_then(|mut statement| statement.query_row(params![namespace, key, newest_expired(now)], read).optional())
        .map_err(|e| failed(&e))
}

pub(super) fn put(write: &mut Write<'_>, put: Put, now: Timestamp) -> Result<PutOutcome> {
    let connection = write.connection;
    let mut standing = standing_of(connection, &put.namespace, &put.key, now)?;
    let there = standing.as_ref().and_then(Standing::live);
    if !put.condition.holds(there.map(|pair| pair.version)) {
        return Ok(PutOutcome::Conflict(there.map(|pair| pair.version)));
    }
    let place = there.map(|pair| pair.place);
    if place.is_none()
        && let Some(limit) = put.key_limit
        && is_full(connection, standing.as_ref(), limit, now)?
    {
        return Ok(PutOutcome::NamespaceFull);
    }
    if !has_room(connection, standing.as_ref(), &put)? {
        // What has expired or was dropped takes room until it is removed.
        prune(write, now, MADE_ROOM)?;
        standing = standing_of(connection, &put.namespace, &put.key, now)?;
        if !has_room(connection, standing.as_ref(), &put)? {
            return Ok(PutOutcome::StoreFull);
        }
    }
    let version = write.versions.next();
    let Put { namespace, key, value, expires, .. } = put;
    let expires = expires.map(micros);
    if let Some(place) = place {
        connection
            .prepare_cached("UPDATE pairs SET value = ?2, version = ?3, expires = ?4 WHERE place = ?1")
            .and_then(|mut statement| statement.execute(params![place, value, version, expires]))
            .map_err(|e| failed(&e))?;
    } else {
        let number = make_room(connection, &namespace, standing.as_ref())?;
        connection
            .prepare_cached("INSERT INTO pairs (place, ns, key, value, version, expires) VALUES (?1, ?2, ?3, ?4, ?1, ?5)")
            .and_then(|mut statement| statement.execute(params![version, number, key, value, expires]))
            .map_err(|e| failed(&e))?;
    }
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    let pair = KvEntry { key, value, version: whole(version), place: whole(place.unwrap_or(version)), expires: expires.map(time) };
    write.changes.push(Change::Put(namespace, pair));
    Ok(PutOutcome::Stored(whole(version)))
}

/// How much room all pairs take.
pub(super) fn room_taken(connection: &Connection) -> Result<u64> {
    connection
        .prepare_cached("SELECT value FROM counters WHERE name = 'pair_room'")
        .and_then(|mut statement| statement.query_row([], |row| count(row, 0)))
        .map_err(|e| failed(&e))
}

/// Whether a pair takes no more room than what it takes the place of, or than there is.
fn has_room(connection: &Connection, standing: Option<&Standing>, put: &Put) -> Result<bool> {
    let Some(limit) = put.room else { return Ok(true) };
    let row = standing.and_then(|standing| standing.row.as_ref());
    let (old, new) = (row.map_or(0, |row| room(put.key.len(), row.value_bytes)), room(put.key.len(), put.value.len() as u64));
    Ok(new <= old || room_taken(connection)?.saturating_add(new - old) <= limit)
}

const COUNT_EXPIRED: &str = "SELECT count(*) FROM pairs INDEXED BY pairs_expires WHERE ns = ?1 AND expires <= ?2";

/// Whether a namespace holds as many pairs as it may. Those that have expired are counted only where it matters.
fn is_full(connection: &Connection, standing: Option<&Standing>, limit: u64, now: Timestamp) -> Result<bool> {
    let Some(standing) = standing else { return Ok(limit == 0) };
    if standing.keys < limit {
        return Ok(false);
    }
    let expired = connection
        .prepare_cached(COUNT_EXPIRED)
        .and_then(|mut statement| statement.query_row([standing.number, newest_expired(now)], |row| count(row, 0)))
        .map_err(|e| failed(&e))?;
    Ok(standing.keys.saturating_sub(expired) >= limit)
}

/// Counts a new pair in its namespace, which begins if need be, and removes the one that has expired under its key; gives the namespace's number.
fn make_room(connection: &Connection, namespace: &str, standing: Option<&Standing>) -> Result<i64> {
    let made = match standing {
        None => connection
            .prepare_cached("INSERT INTO namespaces (name, keys) VALUES (?1, 1) RETURNING id")
            .and_then(|mut statement| statement.query_row([namespace], |row| row.get(0))),
        Some(Standing { number, row: None, .. }) => connection
            .prepare_cached("UPDATE namespaces SET keys = keys + 1 WHERE id = ?1")
            .and_then(|mut statement| statement.execute([number]))
            .map(|_| *number),
        Some(Standing { number, row: Some(expired), .. }) => connection
            .prepare_cached("DELETE FROM pairs WHERE place = ?1")
            .and_then(|mut statement| statement.execute([expired.place]))
            .map(|_| *number),
    };
    made.map_err(|e| failed(&e))
}

pub(super) fn increment(
    write: &mut Write<'_>,
    namespace: String,
    key: String,
    by: i64,
    key_limit: Option<u64>,
    room: Option<u64>,
    now: Timestamp,
) -> Result<Increment> {
    let there = get(write.connection, &namespace, &key, now)?.pair();
    let Some(value) = sum(there.as_ref().map(|pair| pair.value.as_str()), by) else { return Ok(Increment::NoNumber) };
    let expires = there.and_then(|pair| pair.expires);
    let wanted = Put { namespace, key, value: value.to_string(), expires, condition: If::Any, key_limit, room };
    Ok(match put(write, wanted, now)? {
        PutOutcome::Stored(version) => Increment::Stored { value, version },
        PutOutcome::StoreFull => Increment::StoreFull,
        PutOutcome::NamespaceFull | PutOutcome::Conflict(_) => Increment::NamespaceFull,
    })
}

pub(super) fn delete(write: &mut Write<'_>, namespace: String, key: String, condition: If, now: Timestamp) -> Result<DeleteOutcome> {
    let Some(standing) = standing_of(write.connection, &namespace, &key, now)? else { return Ok(DeleteOutcome::NoNamespace) };
    let Some(pair) = standing.live() else { return Ok(DeleteOutcome::NoKey) };
    if !condition.holds(Some(pair.version)) {
        return Ok(DeleteOutcome::Conflict(pair.version));
    }
    run(write.connection, "DELETE FROM pairs WHERE place = ?1", pair.place)?;
    run(write.connection, "UPDATE namespaces SET keys = keys - 1 WHERE id = ?1", standing.number)?;
    write.changes.push(Change::Removed(namespace, key));
    Ok(DeleteOutcome::Deleted)
}

fn run(connection: &Connection, sql: &str, number: i64) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([number])).map(drop).map_err(|e| failed(&e))
}

/// Its pairs lose their namespace at once, and go bit by bit.
pub(super) fn drop_namespace(write: &mut Write<'_>, namespace: String) -> Result<bool> {
    let dropped = write
        .connection
        .prepare_cached("UPDATE namespaces SET name = NULL WHERE name = ?1")
        .and_then(|mut statement| statement.execute([&namespace]))
        .map_err(|e| failed(&e))?;
    write.changes.push(Change::Dropped(namespace));
    Ok(dropped > 0)
}

/// Removes some of what has expired, and of what was in namespaces that were dropped; how many pairs or namespaces.
pub(super) fn prune(write: &mut Write<'_>, now: Timestamp, slice: i64) -> Result<u64> {
    let expired = prune_expired(write, now, slice)?;
    if expired > 0 {
        return Ok(expired);
    }
    let dropped: Option<i64> = write
        .connection
        .prepare_cached("SELECT id FROM namespaces WHERE name IS NULL LIMIT 1")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
        .map_err(|e| failed(&e))?;
    let Some(number) = dropped else { return Ok(0) };
    let removed = write
        .connection
        .prepare_cached("DELETE FROM pairs WHERE place IN (SELECT place FROM pairs INDEXED BY pairs_place WHERE ns = ?1 LIMIT ?2)")
        .and_then(|mut statement| statement.execute([number, slice]))
        .map_err(|e| failed(&e))?;
    if removed == 0 {
        run(write.connection, "DELETE FROM namespaces WHERE id = ?1", number)?;
        return Ok(1);
    }
    Ok(removed as u64)
}

const EXPIRED: &str = "DELETE FROM pairs WHERE place IN (SELECT p.place FROM namespaces n CROSS JOIN pairs p INDEXED BY pairs_expires
     ON p.ns = n.id AND p.expires <= ?1 LIMIT ?2) RETURNING ns, key";

fn prune_expired(write: &mut Write<'_>, now: Timestamp, slice: i64) -> Result<u64> {
    let connection = write.connection;
    let gone: Vec<(i64, String)> = {
        let mut statement = connection.prepare_cached(EXPIRED).map_err(|e| failed(&e))?;
        let rows = statement.query_map([newest_expired(now), slice], |row| Ok((row.get(0)?, row.get(1)?))).map_err(|e| failed(&e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))?
    };
    let mut by_namespace: HashMap<i64, Vec<String>> = HashMap::new();
    let removed = gone.len() as u64;
    for (number, key) in gone {
        by_namespace.entry(number).or_default().push(key);
    }
    for (number, keys) in by_namespace {
        let name: Option<String> = connection
            .prepare_cached("UPDATE namespaces SET keys = keys - ?2 WHERE id = ?1 RETURNING name")
            .and_then(|mut statement| statement.query_row(params![number, keys.len() as i64], |row| row.get(0)))
            .map_err(|e| failed(&e))?;
        // Of one that was dropped nothing is in memory.
        let Some(name) = name else { continue };
        write.changes.extend(keys.into_iter().map(|key| Change::Removed(name.clone(), key)));
    }
    Ok(removed)
}

#[cfg(test)]
#[cfg(feature = "testkit")]
#[path = "pairs_tests.rs"]
mod tests;
