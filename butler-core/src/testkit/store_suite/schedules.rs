//! [`ScheduleStore`]: schedules, and each of their occurrences for one caller.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::StoreHarness;
use super::desk::{ALL, MINUTE, SECOND, ok};
use crate::clock::Clock;
use crate::store::{OccurrenceClaim, RunOutcome, ScheduleRecord, ScheduleStore, Work, WorkEnd};

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
    RunOutcome::Done { detail: "started".into(), work: Vec::new() }
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

/// Work that began, and how it ended if it did.
fn begun(ends: &[Option<&str>]) -> RunOutcome {
    let end = |how: &str| WorkEnd { at: at(1), how: how.to_owned() };
    let work = |(number, how): (usize, &Option<&str>)| Work {
        id: number.to_string(),
        name: "Reload sales".into(),
        site: Some("prod".into()),
        since: at(0),
        end: how.map(end),
    };
    RunOutcome::Done { detail: "started".into(), work: ends.iter().enumerate().map(work).collect() }
}

/// Oldest first, of all schedules, until an update says that all of it has ended.
pub async fn work_that_goes_on_is_listed_until_it_ends<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    for (hours, outcome) in [(1, begun(&[None])), (0, begun(&[Some("FinishedSuccess"), None])), (2, begun(&[Some("FinishedFail")]))] {
        let claim = board.claim_one(at(hours)).await;
        assert!(board.record(&claim, outcome).await);
        board.pass(SECOND);
    }
    let schedules = board.schedules();
    let open = ok(schedules.open_runs(ALL).await);
    assert_eq!(
        open.iter().map(|open| (open.schedule.as_str(), open.run.occurrence)).collect::<Vec<_>>(),
        [("nightly", at(1)), ("nightly", at(0))]
    );
    assert_eq!(open[1].run.outcome, begun(&[Some("FinishedSuccess"), None]));
    assert_eq!(ok(schedules.open_runs(1).await), open[..1]);
    let stored = open[1].run.at;
    let ended = begun(&[Some("FinishedSuccess"), Some("FinishedFail")]);
    assert!(ok(schedules.update_run("nightly", at(0), ended.clone()).await));
    assert_eq!(ok(schedules.open_runs(ALL).await), open[..1]);
    let runs = ok(schedules.runs("nightly", ALL).await);
    assert_eq!((runs[2].occurrence, runs[2].at, &runs[2].outcome), (at(0), stored, &ended));
    // What is no run can't be changed, and an occurrence that is only claimed is none.
    board.claim_one(at(3)).await;
    for (schedule, hours) in [("nightly", 3), ("nightly", 9), ("other", 0)] {
        assert!(!ok(schedules.update_run(schedule, at(hours), done()).await), "{schedule} {hours}");
    }
    assert_eq!(board.claim(at(0)).await, None, "an update leaves it done");
}

/// By when they were stored; a claim that is open stays, whatever its age.
pub async fn old_runs_are_pruned<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let open = board.claim_one(at(5)).await;
    for hours in 0..3 {
        let claim = board.claim_one(at(hours)).await;
        assert!(board.record(&claim, done()).await);
        board.pass(SECOND);
    }
    let schedules = board.schedules();
    let last = ok(schedules.runs("nightly", 1).await)[0].at;
    assert_eq!(ok(schedules.prune_runs(last).await), 2);
    let left: Vec<_> = ok(schedules.runs("nightly", ALL).await).iter().map(|run| run.occurrence).collect();
    assert_eq!(left, [at(2)]);
    assert_eq!(ok(schedules.prune_runs(last).await), 0);
    assert!(board.record(&open, done()).await);
}

/// Whatever the outcome was, however long ago.
pub async fn a_done_occurrence_is_never_handed_out<H: StoreHarness>() {
    let board = Board::<H>::start().await;
    let outcomes =
        [done(), RunOutcome::Failed { why: "no such task".into(), work: Vec::new() }, RunOutcome::Missed { why: "switched off".into() }];
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
