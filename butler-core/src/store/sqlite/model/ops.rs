//! What may be asked of a store, at random.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use crate::event::{Body, Class, DedupKey, Kind, NewEvent, TaskEvent, TaskOutcome};
use crate::store::{If, Limit, NewDelivery};

/// A call, or something that happens between calls. Numbers of events, claims, leases and deliveries count those that there were so far, modulo.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Append(Vec<Told>),
    Claim { hold: u64, max: usize },
    Defer { claim: usize, seconds: i64 },
    Route { claim: usize, kind: bool, keys: Vec<Key>, deliveries: Vec<Destination> },
    AddFacts { event: usize },
    Lease { sink: u8, hold: u64, max: usize },
    Settle(Vec<(usize, How)>),
    Release(Vec<usize>),
    Revive { delivery: usize, seconds: i64 },
    Discard { delivery: usize },
    Adopt { from: u8, to: u8 },
    Expire,
    Prune { retention: u64, dead_retention: u64, slice: usize },
    Put { ns: u8, key: u8, value: u8, expires: Option<i64>, condition: Condition, limit: Option<u64> },
    Get { ns: u8, key: u8 },
    Increment { ns: u8, key: u8, by: i64, limit: Option<u64> },
    Delete { ns: u8, key: u8, condition: Condition },
    DropNamespace { ns: u8 },
    List { ns: u8, prefix: bool, after: Option<u8>, max: usize },
    Upsert { schedule: u8 },
    RemoveSchedule { schedule: u8 },
    ClaimOccurrence { schedule: u8, hours: i64, hold: u64 },
    RecordRun { claim: usize },
    SetState { name: u8, expected: u64 },
    RemoveState { name: u8 },
    Pass { seconds: u64 },
    ClockJumps { seconds: i64 },
    Crash,
}

#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) keys: Vec<Key>,
    pub(super) task: u8,
}

#[derive(Debug, Clone)]
pub(super) enum Key {
    Exact(u8),
    Near { scope: u8, seconds: i64 },
}

#[derive(Debug, Clone)]
pub(super) struct Destination {
    sink: u8,
    target: u8,
    lane: Option<u8>,
    limit: Option<u8>,
    is_metric: bool,
    seconds: i64,
}

#[derive(Debug, Clone)]
pub(super) enum How {
    Delivered { fault: bool },
    Retry { seconds: i64, overtake: bool },
    Dead,
    Suppressed,
}

#[derive(Debug, Clone)]
pub(super) enum Condition {
    Any,
    Absent,
    /// The version that is there, or one beside it.
    Version {
        off: u64,
    },
}

pub(super) fn name(prefix: &str, number: u8) -> String {
    format!("{prefix}{number}")
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Told {
    pub(super) fn event(&self, now: jiff::Timestamp) -> NewEvent {
        let task =
            TaskEvent { task_id: Uuid::from_u128(u128::from(self.task)), task_name: name("Reload ", self.task), ..TaskEvent::default() };
        NewEvent {
            site: if self.task.is_multiple_of(2) { "even".into() } else { "odd".into() },
            kind: Kind::task(TaskOutcome::Failed),
            at: now,
            source: name("source", self.task).into(),
            keys: self.keys.iter().map(|key| key.key()).collect(),
            body: Body::Task(task),
        }
    }
}

impl Key {
    pub(super) fn key(&self) -> DedupKey {
        match self {
            Self::Exact(number) => DedupKey::Exact(name("key", *number)),
            Self::Near { scope, seconds } => DedupKey::Near {
                scope: name("scope", *scope),
                at: jiff::Timestamp::UNIX_EPOCH + SignedDuration::from_secs(*seconds),
                tolerance: SignedDuration::from_secs(5),
            },
        }
    }
}

impl Destination {
    pub(super) fn delivery(&self, now: jiff::Timestamp) -> NewDelivery {
        NewDelivery {
            sink: name("sink", self.sink).into(),
            target: name("target", self.target).into(),
            lane: self.lane.map(|lane| name("lane", lane)),
            limit: self.limit.map(|limit| Limit { key: name("limit", limit), window: seconds(30) }),
            route: "route".into(),
            class: if self.is_metric { Class::Metric } else { Class::Alert },
            expires: now + SignedDuration::from_secs(self.seconds),
            silenced: None,
        }
    }
}

impl Condition {
    pub(super) fn condition(&self, there: Option<u64>) -> If {
        match self {
            Self::Any => If::Any,
            Self::Absent => If::Absent,
            Self::Version { off } => If::Version(there.unwrap_or(0) + off),
        }
    }
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![(0_u8..12).prop_map(Key::Exact), (0_u8..2, 0_i64..30).prop_map(|(scope, seconds)| Key::Near { scope, seconds })]
}

fn told() -> impl Strategy<Value = Told> {
    (vec(key(), 0..3), 0_u8..3).prop_map(|(keys, task)| Told { keys, task })
}

fn destination() -> impl Strategy<Value = Destination> {
    let places = (0_u8..2, 0_u8..3, option::of(0_u8..2), option::of(0_u8..2));
    (places, any::<bool>(), 20_i64..300).prop_map(|((sink, target, lane, limit), is_metric, seconds)| Destination {
        sink,
        target,
        lane,
        limit,
        is_metric,
        seconds,
    })
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => any::<bool>().prop_map(|fault| How::Delivered { fault }),
        3 => (-1_i64..20, any::<bool>()).prop_map(|(seconds, overtake)| How::Retry { seconds, overtake }),
        1 => Just(How::Dead),
        2 => Just(How::Suppressed),
    ]
}

/// The way of events.
fn journal() -> impl Strategy<Value = Op> {
    let route = (any::<prop::sample::Index>(), any::<bool>(), vec(key(), 0..2), vec(destination(), 0..4));
    prop_oneof![
        4 => vec(told(), 1..4).prop_map(Op::Append),
        4 => (1_u64..60, 0_usize..4).prop_map(|(hold, max)| Op::Claim { hold, max }),
        1 => (any::<prop::sample::Index>(), -5_i64..30).prop_map(|(claim, seconds)| Op::Defer { claim: claim.index(1 << 20), seconds }),
        6 => route.prop_map(|(claim, kind, keys, deliveries)| Op::Route { claim: claim.index(1 << 20), kind, keys, deliveries }),
        1 => any::<prop::sample::Index>().prop_map(|event| Op::AddFacts { event: event.index(1 << 20) }),
        6 => (0_u8..2, 1_u64..60, 0_usize..4).prop_map(|(sink, hold, max)| Op::Lease { sink, hold, max }),
        6 => vec((0_usize..1 << 20, how()), 1..4).prop_map(Op::Settle),
        1 => vec(0_usize..1 << 20, 1..3).prop_map(Op::Release),
    ]
}

/// What happens beside it.
fn keeping() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0_usize..1 << 20, 1_i64..300).prop_map(|(delivery, seconds)| Op::Revive { delivery, seconds }),
        (0_usize..1 << 20).prop_map(|delivery| Op::Discard { delivery }),
        (0_u8..3, 0_u8..2).prop_map(|(from, to)| Op::Adopt { from, to }),
        Just(Op::Expire),
        (1_u64..200, 1_u64..400, 0_usize..4).prop_map(|(retention, dead_retention, slice)| Op::Prune { retention, dead_retention, slice }),
    ]
}

/// Pairs, schedules and states.
fn beside() -> impl Strategy<Value = Op> {
    let condition = || prop_oneof![Just(Condition::Any), Just(Condition::Absent), (0_u64..2).prop_map(|off| Condition::Version { off }),];
    let put = (0_u8..2, 0_u8..4, any::<u8>(), option::of(-5_i64..60), condition(), option::of(1_u64..4));
    prop_oneof![
        4 => put.prop_map(|(ns, key, value, expires, condition, limit)| Op::Put { ns, key, value, expires, condition, limit }),
        4 => (0_u8..2, 0_u8..4).prop_map(|(ns, key)| Op::Get { ns, key }),
        1 => (0_u8..2, 0_u8..4, -5_i64..5, option::of(1_u64..4)).prop_map(|(ns, key, by, limit)| Op::Increment { ns, key, by, limit }),
        1 => (0_u8..2, 0_u8..4, condition()).prop_map(|(ns, key, condition)| Op::Delete { ns, key, condition }),
        1 => (0_u8..2).prop_map(|ns| Op::DropNamespace { ns }),
        2 => (0_u8..2, any::<bool>(), option::of(0_u8..4), 0_usize..4)
            .prop_map(|(ns, prefix, after, max)| Op::List { ns, prefix, after, max }),
        1 => (0_u8..2).prop_map(|schedule| Op::Upsert { schedule }),
        1 => (0_u8..2).prop_map(|schedule| Op::RemoveSchedule { schedule }),
        2 => (0_u8..2, 0_i64..3, 1_u64..60).prop_map(|(schedule, hours, hold)| Op::ClaimOccurrence { schedule, hours, hold }),
        2 => (0_usize..1 << 20).prop_map(|claim| Op::RecordRun { claim }),
        2 => (0_u8..2, 0_u64..3).prop_map(|(name, expected)| Op::SetState { name, expected }),
        1 => (0_u8..2).prop_map(|name| Op::RemoveState { name }),
    ]
}

/// A day in the life of a store.
pub(super) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        20 => journal(),
        4 => keeping(),
        7 => beside(),
        4 => (1_u64..40).prop_map(|seconds| Op::Pass { seconds }),
        1 => (-20_i64..20).prop_map(|seconds| Op::ClockJumps { seconds }),
        1 => Just(Op::Crash),
    ];
    vec(op, 1..80)
}
