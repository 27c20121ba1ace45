//! [`ScheduleStore`]: schedules, and each of their occurrences for one caller.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::StoreHarness;
use super::desk::{ALL, MINUTE, SECOND, ok};
use crate::clock::Clock;
use crate::store::{OccurrenceClaim, RunOutcome, ScheduleRecord, ScheduleStore};

struct Board<H> {
    harness: H,
}

impl<H: StoreHarness> Board<H> {
    /// With a schedule `nightly`.
    async fn start() -> Self {
        let board = Self { harness: H::start().await };
        ok(board.schedules().upsert_schedule(record("nightly", "0 2 * * *")).await);
        board
    }

    /// The store as schedules and nothing else.
    fn schedules(&self) -> Arc<dyn ScheduleStore> {
        self.harness.store()
    }

    async fn claim(&self, at: Timestamp) -> Option<OccurrenceClaim> {
        ok(self.schedules().claim_occurrence("nightly", at, MINUTE).await)
    }

    async fn claim_one(&self, at: Timestamp) -> OccurrenceClaim {
        self.claim(at).await.unwrap_or_else(|| panic!("somebody has {at}"))
    }

    async fn record(&self, claim: &OccurrenceClaim, outcome: RunOutcome) -> bool {
        ok(self.schedules().record_run(claim, outcome).await)
    }

    fn pass(&self, time: Duration) {
        self.harness.clock().advance(time);
    }
}

fn record(id: &str, definition: &str) -> ScheduleRecord {
    ScheduleRecord { id: id.to_owned(), definition: definition.to_owned() }
}

fn at(hours: i64) -> Timestamp {
    Timestamp::constant(1_715_580_000, 0) + SignedDuration::from_hours(hours)
}

fn done() -> RunOutcome {
    RunOutcome::Done { detail: "started".into() }
}

/// A change leaves a schedule in its place; removed and stored again, it comes last.
pub async fn schedules_stand_in_the_order_of_their_storing<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let schedules = board.schedules();
    for id in ["b", "a"] {
        ok(schedules.upsert_schedule(record(id, "old")).await);
    }
    ok(schedules.upsert_schedule(record("b", "\"new\" \u{0} 💥")).await);
    let all = ok(schedules.schedules().await);
    assert_eq!(all, [record("nightly", "0 2 * * *"), record("b", "\"new\" \u{0} 💥"), record("a", "old")]);
    assert!(ok(schedules.remove_schedule("b").await) && !ok(schedules.remove_schedule("b").await));
    ok(schedules.upsert_schedule(record("b", "again")).await);
    assert_eq!(ok(schedules.schedules().await)[1..], [record("a", "old"), record("b", "again")]);
}

/// While a claim holds nobody else gets it; others of the schedule, and of others, are free.
pub async fn an_occurrence_is_for_one_caller<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let claim = board.claim_one(at(0)).await;
    assert_eq!(claim, OccurrenceClaim { schedule: "nightly".into(), occurrence: at(0), attempt: 1 });
    board.pass(MINUTE - SECOND);
    assert_eq!(board.claim(at(0)).await, None);
    assert_eq!(board.claim_one(at(1)).await.attempt, 1);
    ok(board.schedules().upsert_schedule(record("other", "")).await);
    assert!(ok(board.schedules().claim_occurrence("other", at(0), MINUTE).await).is_some());
    assert!(board.record(&claim, done()).await);
}

/// Whatever the outcome was, however long ago.
pub async fn a_done_occurrence_is_never_handed_out<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let outcomes = [done(), RunOutcome::Failed { why: "no such task".into() }, RunOutcome::Missed { why: "switched off".into() }];
    for (hours, outcome) in (0..).zip(outcomes) {
        let claim = board.claim_one(at(hours)).await;
        assert!(board.record(&claim, outcome.clone()).await);
        assert!(!board.record(&claim, done()).await, "it has an outcome");
        board.pass(100 * MINUTE);
        assert_eq!(board.claim(at(hours)).await, None);
        assert_eq!(ok(board.schedules().runs("nightly", 1).await)[0].outcome, outcome);
    }
}

/// With a higher count, so that whoever gets it looks first what became of the one before.
pub async fn a_claim_of_an_occurrence_that_ran_out_is_handed_out_again<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    for attempt in 1..=3 {
        assert_eq!(board.claim_one(at(0)).await.attempt, attempt);
        board.pass(MINUTE);
    }
    let claim = board.claim_one(at(0)).await;
    board.pass(2 * MINUTE);
    // It may still be used as long as nobody else has it.
    assert!(board.record(&claim, done()).await);
}

/// One that is not the latest, or never was.
pub async fn a_stale_claim_records_nothing<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let stale = board.claim_one(at(0)).await;
    board.pass(MINUTE);
    let claim = board.claim_one(at(0)).await;
    let unknown = [
        OccurrenceClaim { occurrence: at(9), ..claim.clone() },
        OccurrenceClaim { schedule: "other".into(), ..claim.clone() },
        OccurrenceClaim { attempt: 9, ..claim.clone() },
        stale,
    ];
    for claim in unknown {
        assert!(!board.record(&claim, done()).await, "{claim:?}");
    }
    assert!(ok(board.schedules().runs("nightly", ALL).await).is_empty());
    assert!(board.record(&claim, done()).await);
}

/// An occurrence of nothing is for nobody.
pub async fn what_has_no_schedule_cannot_be_claimed<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    assert_eq!(ok(board.schedules().claim_occurrence("other", at(0), MINUTE).await), None);
    assert!(ok(board.schedules().runs("other", ALL).await).is_empty());
}

/// And its claims: a schedule of the same name begins anew.
pub async fn removing_a_schedule_removes_its_runs<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let claim = board.claim_one(at(0)).await;
    assert!(board.record(&claim, done()).await);
    let open = board.claim_one(at(1)).await;
    assert!(ok(board.schedules().remove_schedule("nightly").await));
    assert!(ok(board.schedules().runs("nightly", ALL).await).is_empty());
    assert!(!board.record(&open, done()).await);
    assert_eq!(board.claim(at(0)).await, None);
    ok(board.schedules().upsert_schedule(record("nightly", "")).await);
    assert!(!board.record(&open, done()).await);
    assert_eq!(board.claim_one(at(0)).await.attempt, 1);
}

/// By when they were due, no more than were asked for, with when the outcome was stored.
pub async fn runs_are_listed_newest_first<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    for hours in [1, 0, 2] {
        let claim = board.claim_one(at(hours)).await;
        board.pass(SECOND);
        assert!(board.record(&claim, done()).await);
    }
    board.claim_one(at(3)).await;
    let runs = ok(board.schedules().runs("nightly", 2).await);
    assert_eq!(runs.iter().map(|run| run.occurrence).collect::<Vec<_>>(), [at(2), at(1)]);
    assert_eq!((runs[0].at, &runs[0].outcome), (board.harness.clock().now(), &done()));
    assert_eq!(ok(board.schedules().runs("nightly", ALL).await).len(), 3);
    assert!(ok(board.schedules().runs("nightly", 0).await).is_empty());
}

/// Of twenty who ask at a time one gets it.
pub async fn occurrences_claimed_side_by_side_have_one_winner<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let claims = join_all((0..20).map(|_| board.claim(at(0)))).await;
    assert_eq!(claims.into_iter().flatten().count(), 1);
}
