//! Waiting for another process: the one place where tests look again and again, because nothing else can tell them.

use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once. `TEST_PATIENCE` (seconds) lengthens it for slow machines.
#[must_use]
pub fn patience() -> Duration {
    let seconds = std::env::var("TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// Asks until the answer is there.
///
/// # Panics
/// When the patience is used up; `what` says what was waited for.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // A question that is never answered counts as well as one that is answered with no.
    let answered = tokio::time::timeout(patience(), asking).await;
    answered.unwrap_or_else(|_| panic!("waited {:?} in vain for: {what}", started.elapsed()))
}

/// Waits for what comes by itself.
///
/// # Panics
/// When the patience is used up; `what` says what was waited for.
pub async fn within<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let come = tokio::time::timeout(patience(), coming).await;
    come.unwrap_or_else(|_| panic!("waited {:?} in vain for: {what}", patience()))
}
