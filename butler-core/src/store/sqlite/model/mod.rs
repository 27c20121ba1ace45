//! The embedded store against the one in memory: whatever is asked of both, at whatever time, with crashes in between, they answer the same.

mod calls;
mod ops;
mod pair;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::ops::{Op, ops};
use self::pair::Pair;
use super::tests::Harness;
use crate::testkit::store_suite::StoreHarness;

/// Asks both stores the same, and compares what they say and, in the end, all that they hold.
fn days_are_alike<H: StoreHarness>(days: &[Op]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut pair = Pair::<H>::start().await;
        for op in days {
            pair.carry_out(op).await.map_err(|difference| TestCaseError::fail(format!("{op:?}: {difference}")))?;
        }
        pair.compare_all().await.map_err(TestCaseError::fail)
    })
}

#[test]
fn sqlite_answers_as_the_store_in_memory_does() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(96);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() });
    if let Err(difference) = runner.run(&ops(), |days| days_are_alike::<Harness>(&days)) {
        panic!("{difference}");
    }
}

#[test]
fn a_store_that_answers_otherwise_is_found_out() {
    use crate::testkit::store_suite::tests::{Broken, FORGETS_FAILURES, IGNORES_LANES, KEEPS_PAIRS, LOSES_DELIVERIES, SETTLES_STALE};
    fn is_found_out<H: StoreHarness>() -> bool {
        let config = Config { cases: 256, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
        runner.run(&ops(), |days| days_are_alike::<H>(&days)).is_err()
    }
    assert!(is_found_out::<Broken<LOSES_DELIVERIES>>());
    assert!(is_found_out::<Broken<FORGETS_FAILURES>>());
    assert!(is_found_out::<Broken<IGNORES_LANES>>());
    assert!(is_found_out::<Broken<SETTLES_STALE>>());
    assert!(is_found_out::<Broken<KEEPS_PAIRS>>());
}
