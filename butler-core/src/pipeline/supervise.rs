//! One owner for every task: a stage that panics is started again, and the others go on.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::Clock;

/// How long a stage rests after a panic.
const REST: Duration = Duration::from_secs(1);

/// Runs a stage to its end, again and again while it panics. Its state is kept: what a panic interrupted is taken up by the next run, or by the store's leases.
pub(crate) async fn supervise<S, F>(name: &'static str, clock: Arc<dyn Clock>, mut stage: S, run: F)
where
    S: Send,
    F: for<'a> Fn(&'a mut S) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> + Send,
{
    loop {
        match AssertUnwindSafe(run(&mut stage)).catch_unwind().await {
            Ok(()) => return,
            Err(_) => tracing::error!(stage = name, "A stage panicked; it is started again. Please report this."),
        }
        clock.sleep(REST).await;
    }
}
