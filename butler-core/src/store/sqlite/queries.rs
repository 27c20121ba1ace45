//! What is told to those who look into the journal.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::events::{EVENT, read_event};
use super::keeping::used;
use super::values::{count, from_json_or_default, micros, small, state_code, state_of, time, uuid};
use super::writer::failed;
use crate::event::{DeliveryId, EventId, Facts};
use crate::store::rules::{ATTEMPTS, LONGEST_PAGE};
use crate::store::{
    AttemptRecord, DeliveryQuery, DeliveryRecord, DeliveryState, EventQuery, EventRecord, JournalStats, RouteNote, Sighting, StoreError,
    Story,
};

type Result<T> = std::result::Result<T, StoreError>;

/// Conditions that are added up.
#[derive(Default)]
struct Where(Vec<String>, Vec<Value>);

impl Where {
    /// Adds a condition; `?` in it stands for the value.
    fn add(&mut self, condition: &str, value: impl Into<Value>) {
        self.1.push(value.into());
        self.0.push(condition.replace('?', &format!("?{}", self.1.len())));
    }

    fn sql(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("WHERE {}", self.0.join(" AND ")) }
    }
}

pub(super) fn events(connection: &Connection, query: &EventQuery) -> Result<Vec<EventRecord>> {
    let mut wanted = Where::default();
    match query.kind.as_deref().map(|kind| (kind, kind.strip_suffix('*'))) {
        None => {}
        Some((_, Some(start))) => wanted.add("substr(e.kind, 1, length(?)) = ?", start.to_owned()),
        Some((kind, None)) => wanted.add("e.kind = ?", kind.to_owned()),
    }
    if let Some(site) = &query.site {
        wanted.add("e.site = ?", site.as_str().to_owned());
    }
    if let Some(task) = query.task {
        wanted.add("e.task = ?", task.into_bytes().to_vec());
    }
    if let Some(since) = query.since {
        wanted.add("e.received >= ?", micros(since));
    }
    if let Some(before) = query.before {
        // Ids sort by age; the event itself may be gone by now.
        wanted.add("e.id < ?", before.0.into_bytes().to_vec());
    }
    let max = query.max.min(LONGEST_PAGE);
    let sql = format!("SELECT e.seq, e.routed, e.sightings, {EVENT} FROM events e {} ORDER BY e.seq DESC LIMIT {max}", wanted.sql());
    let mut statement = connection.prepare(&sql).map_err(|e| failed(&e))?;
    let mut rows = statement.query(params_from_iter(wanted.1)).map_err(|e| failed(&e))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(|e| failed(&e))? {
        match event_record(connection, row) {
            Ok(record) => records.push(record),
            // One damaged event must not hide the others.
            Err(error @ StoreError::Corrupt { .. }) => tracing::error!(%error, "An event can't be read back."),
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

fn event_record(connection: &Connection, row: &Row<'_>) -> Result<EventRecord> {
    let read = || Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, count(row, 2)?, read_event(row, 3)?));
    let (seq, routed, sightings, event) = read().map_err(|e: rusqlite::Error| failed(&e))?;
    Ok(EventRecord { event: event?, routed: routed.map(time), sightings, deliveries: states(connection, seq)? })
}

fn states(connection: &Connection, event: i64) -> Result<Vec<(DeliveryState, u64)>> {
    let mut statement = connection
        .prepare_cached("SELECT state, count(*) FROM deliveries WHERE event = ?1 GROUP BY state ORDER BY state")
        .map_err(|e| failed(&e))?;
    let rows = statement.query_map([event], |row| Ok((state_of(row.get(0)?), count(row, 1)?))).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

/// The columns of a delivery, in the order in which [`read_delivery`] wants them.
const DELIVERY: &str = "d.id, d.seq, e.id, d.sink, d.target, d.route, d.state, d.attempts, d.lost, d.created, d.due, d.expires, d.settled,
    d.failing_since, d.head, d.overtaken, d.detail, d.preview";

fn read_delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRecord> {
    let state = state_of(row.get(6)?);
    Ok(DeliveryRecord {
        id: DeliveryId(uuid(row.get(0)?)),
        seq: count(row, 1)?,
        event: EventId(uuid(row.get(2)?)),
        sink: row.get::<_, String>(3)?.into(),
        target: row.get::<_, String>(4)?.into(),
        route: row.get(5)?,
        state,
        attempts: small(row, 7)?,
        lost: small(row, 8)?,
        created: time(row.get(9)?),
        due: time(row.get(10)?),
        expires: time(row.get(11)?),
        settled: row.get::<_, Option<i64>>(12)?.map(time),
        failing_since: row.get::<_, Option<i64>>(13)?.map(time),
        waiting_in_lane: state == DeliveryState::Pending && !row.get::<_, bool>(14)?,
        overtaken: row.get(15)?,
        detail: row.get(16)?,
        preview: row.get(17)?,
    })
}

pub(super) fn deliveries(connection: &Connection, query: &DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
    let mut wanted = Where::default();
    if let Some(id) = query.id {
        wanted.add("d.id = ?", id.0.into_bytes().to_vec());
    }
    if let Some(event) = query.event {
        wanted.add("e.id = ?", event.0.into_bytes().to_vec());
    }
    if let Some(sink) = &query.sink {
        wanted.add("d.sink = ?", sink.as_str().to_owned());
    }
    if let Some(state) = query.state {
        // As a literal, so that the partial indexes fit.
        wanted.0.push(format!("d.state = {}", state_code(state)));
    }
    if let Some(before) = query.before {
        wanted.add("d.seq < ?", i64::try_from(before).unwrap_or(i64::MAX));
    }
    let max = query.max.min(LONGEST_PAGE);
    let sql =
        format!("SELECT {DELIVERY} FROM deliveries d JOIN events e ON e.seq = d.event {} ORDER BY d.seq DESC LIMIT {max}", wanted.sql());
    let mut statement = connection.prepare(&sql).map_err(|e| failed(&e))?;
    let rows = statement.query_map(params_from_iter(wanted.1), read_delivery).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

pub(super) fn story(connection: &Connection, event: EventId) -> Result<Option<Story>> {
    let sql = format!("SELECT e.seq, e.routed, e.sightings, {EVENT}, e.facts, e.notes FROM events e WHERE e.id = ?1");
    let mut statement = connection.prepare(&sql).map_err(|e| failed(&e))?;
    let mut rows = statement.query([event.0.into_bytes()]).map_err(|e| failed(&e))?;
    let Some(row) = rows.next().map_err(|e| failed(&e))? else { return Ok(None) };
    let record = event_record(connection, row)?;
    let texts = || Ok((row.get::<_, i64>(0)?, row.get(10)?, row.get(11)?));
    let (seq, facts, notes) = texts().map_err(|e: rusqlite::Error| failed(&e))?;
    let facts: Facts = from_json_or_default("facts", facts)?;
    let notes: Vec<RouteNote> = from_json_or_default("the notes of the routes", notes)?;
    let mut sightings = vec![Sighting { source: record.event.source.clone(), at: record.event.received }];
    sightings.extend(repeated(connection, seq)?);
    let mut deliveries = deliveries(connection, &DeliveryQuery { event: Some(event), max: LONGEST_PAGE, ..DeliveryQuery::default() })?;
    deliveries.reverse();
    Ok(Some(Story { record, facts, sightings, notes, deliveries }))
}

fn repeated(connection: &Connection, event: i64) -> Result<Vec<Sighting>> {
    let mut statement =
        connection.prepare_cached("SELECT source, at FROM sightings WHERE event = ?1 ORDER BY n").map_err(|e| failed(&e))?;
    let read = |row: &Row<'_>| Ok(Sighting { source: row.get::<_, String>(0)?.into(), at: time(row.get(1)?) });
    let rows = statement.query_map([event], read).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

pub(super) fn attempts(connection: &Connection, delivery: DeliveryId) -> Result<Vec<AttemptRecord>> {
    let found: Option<(i64, i64, Option<i64>, String)> = connection
        .prepare_cached("SELECT seq, state, settled, detail FROM deliveries WHERE id = ?1")
        .and_then(|mut statement| {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            statement.query_row([delivery.0.into_bytes()], read).optional()
        })
        .map_err(|e| failed(&e))?;
    let Some((seq, state, settled, detail)) = found else { return Ok(Vec::new()) };
    let mut statement =
        connection.prepare_cached("SELECT at, outcome, detail FROM attempts WHERE delivery = ?1 ORDER BY n").map_err(|e| failed(&e))?;
    let read = |row: &Row<'_>| Ok(AttemptRecord { at: time(row.get(0)?), outcome: row.get(1)?, detail: row.get(2)? });
    let rows = statement.query_map([seq], read).map_err(|e| failed(&e))?;
    let mut attempts: Vec<AttemptRecord> = rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))?;
    // The one that succeeded stands with the delivery itself.
    if let (DeliveryState::Delivered, Some(at)) = (state_of(state), settled) {
        attempts.push(AttemptRecord { at: time(at), outcome: DeliveryState::Delivered.as_str().to_owned(), detail });
    }
    Ok(attempts.split_off(attempts.len().saturating_sub(ATTEMPTS)))
}

pub(super) fn stats(connection: &Connection) -> Result<JournalStats> {
    let number = |sql: &str| connection.query_row(sql, params![], |row| count(row, 0)).map_err(|e| failed(&e));
    let mut statement = connection
        .prepare_cached("SELECT sink, state, count(*) FROM deliveries GROUP BY sink, state ORDER BY sink, state")
        .map_err(|e| failed(&e))?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?.into(), state_of(row.get(1)?), count(row, 2)?));
    let deliveries = statement.query_map([], read).and_then(Iterator::collect).map_err(|e| failed(&e))?;
    Ok(JournalStats {
        events: number("SELECT count(*) FROM events")?,
        unrouted: number("SELECT count(*) FROM events WHERE routed IS NULL")?,
        deliveries,
        bytes: used(connection)?,
    })
}
