//! The suite catches what it is for.

use super::*;
use crate::store::memory::MemoryStore;
use crate::testkit::{FaultyStore, StoreFault};

/// A store in memory that breaks the promise of this place in [`FAULTS`].
pub(crate) struct Broken<const FAULT: usize> {
    clock: TestClock,
    inner: Arc<MemoryStore>,
    store: Arc<FaultyStore>,
}

pub(crate) const LOSES_EVENTS: usize = 0;
pub(crate) const LOSES_DELIVERIES: usize = 1;
pub(crate) const FORGETS_FAILURES: usize = 2;
pub(crate) const SHARES_CLAIMS: usize = 3;
pub(crate) const IGNORES_LANES: usize = 4;
pub(crate) const SETTLES_STALE: usize = 5;
pub(crate) const KEEPS_PAIRS: usize = 6;
pub(crate) const SHARES_OCCURRENCES: usize = 7;
pub(crate) const IGNORES_VERSIONS: usize = 8;
pub(crate) const REFUSES_SCHEDULES: usize = 9;
const FAULTS: [StoreFault; 10] = [
    StoreFault::LosesEvents(2),
    StoreFault::LosesDeliveries(1),
    StoreFault::ForgetsFailures(1),
    StoreFault::SharesClaims,
    StoreFault::IgnoresLanes,
    StoreFault::SettlesStale,
    StoreFault::KeepsPairs,
    StoreFault::SharesOccurrences,
    StoreFault::IgnoresVersions,
    StoreFault::RefusesSchedules,
];

#[async_trait]
impl<const FAULT: usize> StoreHarness for Broken<FAULT> {
    async fn start() -> Self {
        let clock = TestClock::default();
        let inner = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        let store = Arc::new(FaultyStore::new(Arc::clone(&inner) as _, FAULTS[FAULT]));
        Self { clock, inner, store }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    async fn reopen(self) -> Option<Self> {
        self.inner.forget_holders();
        Some(self)
    }
}

#[tokio::test]
#[should_panic(expected = "no event ")]
async fn a_lost_event_is_caught() {
    events_come_back_as_they_were_told::<Broken<LOSES_EVENTS>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn a_lost_delivery_is_caught() {
    routing_stores_all_of_the_decision::<Broken<LOSES_DELIVERIES>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed: []")]
async fn a_forgotten_failure_is_caught() {
    a_failed_attempt_is_on_record::<Broken<FORGETS_FAILURES>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn a_claim_for_two_is_caught() {
    claims_side_by_side_share_nothing::<Broken<SHARES_CLAIMS>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn a_second_of_a_lane_is_caught() {
    a_lane_goes_one_after_the_other::<Broken<IGNORES_LANES>>().await;
}

#[tokio::test]
#[should_panic(expected = "right: [Stale, Done, Stale, Stale, Stale]")]
async fn a_stale_settlement_is_caught() {
    stale_settlements_change_nothing::<Broken<SETTLES_STALE>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn an_expired_pair_is_caught() {
    an_expired_pair_is_gone::<Broken<KEEPS_PAIRS>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn an_occurrence_for_two_is_caught() {
    occurrences_claimed_side_by_side_have_one_winner::<Broken<SHARES_OCCURRENCES>>().await;
}

#[tokio::test]
#[should_panic(expected = "it takes no schedules")]
async fn a_refused_schedule_is_caught() {
    schedules_stand_in_the_order_of_their_storing::<Broken<REFUSES_SCHEDULES>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn a_lost_update_is_caught() {
    states_set_side_by_side_have_one_winner::<Broken<IGNORES_VERSIONS>>().await;
}
