//! The suite that every store must pass: each test is a promise of the contract of [`Journal`](crate::store::Journal), [`KvStore`](crate::store::KvStore),
//! [`ScheduleStore`](crate::store::ScheduleStore) or [`StateStore`](crate::store::StateStore), and uses the store as that trait alone.
//!
//! Whoever writes a store writes a [`StoreHarness`] for it and names it in [`store_suite!`](crate::store_suite):
//!
//! ```ignore
//! butler_core::store_suite!(my_store_keeps_the_contract, MyHarness);
//! ```

mod accept;
mod claims;
mod desk;
mod keeping;
mod kv;
mod leases;
mod looking;
mod overflow;
mod reopening;
mod routing;
mod schedules;
mod settling;
mod states;

pub use accept::*;
pub use claims::*;
pub use keeping::*;
pub use kv::*;
pub use leases::*;
pub use looking::*;
pub use overflow::*;
pub use reopening::*;
pub use routing::*;
pub use schedules::*;
pub use settling::*;
pub use states::*;

use std::sync::Arc;

use async_trait::async_trait;

use super::TestClock;
use crate::store::Store;

/// A store to be tested, and the clock that it goes by.
#[async_trait]
pub trait StoreHarness: Send + Sync + Sized + 'static {
    /// An empty store, on a clock of its own.
    async fn start() -> Self;

    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Its clock.
    fn clock(&self) -> TestClock;

    /// The process ends without a word, and another one opens what was stored. Whoever tests has let go of [`store`](Self::store) by then. `None`: the store does
    /// not outlive its process.
    async fn reopen(self) -> Option<Self>;
}

/// Makes a module of tests, one for each promise of the contracts of a store, for a [`StoreHarness`](crate::testkit::store_suite::StoreHarness)
/// that is in scope.
#[macro_export]
macro_rules! store_suite {
    ($module:ident, $harness:ty) => {
        mod $module {
            use super::*;

            $crate::store_suite!(@tests $harness:
                // append
                results_stand_in_the_order_of_the_events, events_come_back_as_they_were_told, events_without_keys_are_never_duplicates,
                any_key_makes_a_duplicate, a_duplicate_teaches_its_keys, near_keys_match_within_their_tolerance,
                near_keys_tell_two_executions_apart, a_duplicate_leaves_a_sighting, one_of_many_at_a_time_is_new, ids_sort_by_age,
                accepting_is_told_to_watchers,
                // claim, defer
                claims_are_for_one_caller_and_oldest_first, a_claim_that_was_not_used_is_handed_out_again,
                a_deferred_event_waits_and_keeps_its_facts, claims_side_by_side_share_nothing, a_stale_claim_changes_nothing,
                a_clock_that_goes_back_holds_up_nothing_new,
                // route, add_facts
                routing_stores_all_of_the_decision, an_event_is_routed_once, keys_of_the_routing_are_recognised,
                keys_of_the_routing_tell_executions_apart, of_deliveries_with_one_id_the_first_counts,
                what_is_silenced_is_suppressed_at_once, an_event_may_go_nowhere, routing_is_told_to_watchers, facts_found_later_are_leased,
                // lease, release
                deliveries_are_leased_once_and_oldest_first, a_lane_goes_one_after_the_other, whatever_ends_a_delivery_frees_its_lane,
                deliveries_without_a_lane_do_not_wait, a_lane_is_one_for_all_sinks, a_head_that_is_overtaken_waits_beside_its_lane,
                a_lease_that_ran_out_is_lost, a_delivery_that_is_lost_too_often_is_dead, deliveries_that_were_lost_go_one_at_a_time,
                a_released_lease_leaves_no_trace,
                a_lease_says_what_is_to_be_done, nothing_due_tells_when_to_look_again, leases_side_by_side_share_nothing,
                // settle
                stale_settlements_change_nothing, a_delivery_is_settled_once, a_delivered_message_is_on_record,
                a_failed_attempt_is_on_record, the_latest_twenty_attempts_are_kept, a_dead_letter_is_on_record,
                a_limit_counts_what_was_delivered, a_limit_tells_how_many_were_held_back, a_late_message_opens_no_window_twice,
                settling_is_told_to_watchers,
                // revive, discard, adopt, expire, prune
                what_was_given_up_can_be_revived, a_pending_delivery_can_be_discarded, deliveries_of_a_renamed_sink_are_adopted,
                what_is_too_old_is_given_up, old_events_go_when_all_is_settled, dead_letters_are_kept_longer,
                pruning_works_in_slices, keys_go_with_their_event, pruning_removes_pairs_that_expired,
                settled_events_go_before_open_ones_and_metrics_before_alerts, a_page_ends_when_it_is_heavy, what_overflows_stays_on_record, no_event_pays_for_pairs,
                what_is_leased_does_not_overflow,
                // events, deliveries, story, stats
                events_are_listed_newest_first, events_are_listed_by_what_they_are, a_page_goes_on_where_its_event_was,
                deliveries_are_listed_newest_first, deliveries_are_listed_by_what_they_are, pages_have_a_greatest_length,
                the_story_of_an_event_is_whole, what_is_not_there_is_none, stats_count_all,
                // reopening
                what_was_accepted_is_there_after_a_crash, claims_are_void_after_a_crash, what_was_routed_is_there_after_a_crash,
                leases_are_lost_after_a_crash, five_crashes_end_a_delivery, what_was_settled_stays_settled_after_a_crash,
                duplicates_are_recognised_after_a_crash, limits_hold_after_a_crash, lanes_keep_their_order_after_a_crash,
                ids_sort_by_age_across_a_crash, pairs_are_there_after_a_crash, occurrences_are_handed_out_again_after_a_crash,
                states_are_there_after_a_crash,
                // pairs
                pairs_come_back_as_they_were_put, a_namespace_begins_with_a_pair_and_ends_when_it_is_dropped, no_namespace_is_not_no_key,
                pairs_are_listed_as_they_were_first_put, pairs_are_listed_by_prefix_and_page,
                a_page_of_pairs_goes_on_where_the_last_ended, an_expired_pair_is_gone, versions_only_go_up,
                conditions_hold_or_change_nothing, an_expired_pair_counts_as_absent, a_full_namespace_takes_no_new_key,
                removed_pairs_are_gone, increments_side_by_side_all_count, puts_under_a_version_lose_nothing,
                // schedules
                schedules_stand_in_the_order_of_their_storing, an_occurrence_is_for_one_caller, a_done_occurrence_is_never_handed_out,
                a_claim_of_an_occurrence_that_ran_out_is_handed_out_again, a_stale_claim_records_nothing, old_runs_are_pruned,
                work_that_goes_on_is_listed_until_it_ends,
                what_has_no_schedule_cannot_be_claimed, removing_a_schedule_removes_its_runs, runs_are_listed_newest_first,
                occurrences_claimed_side_by_side_have_one_winner,
                // states
                states_change_by_compare_and_set, versions_of_states_only_go_up, states_are_listed_by_name,
                states_set_side_by_side_have_one_winner
            );
        }
    };
    (@tests $harness:ty: $($name:ident),+) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::testkit::store_suite::$name::<$harness>().await;
            }
        )+
    };
}

#[cfg(test)]
pub(crate) mod tests;
