//! What goes wrong on command.

use super::*;
use crate::qlik::QlikError;
use crate::qlik::fake::HastyClock;

#[tokio::test]
async fn each_fault_is_what_the_client_takes_it_for() {
    let world = World::new().await;
    let fault = async |fault: Fault| {
        world.site.clear_faults();
        world.site.fault("task/full", fault);
        world.client(HastyClock::default()).task(SALES).await
    };
    assert!(matches!(fault(Fault::Status(503)).await, Err(QlikError::Unexpected { status: 503, .. })));
    assert!(matches!(fault(Fault::Status(401)).await, Err(QlikError::Forbidden { status: 401, .. })));
    assert!(matches!(fault(Fault::Reset).await, Err(QlikError::Unreachable { .. })));
    assert!(matches!(fault(Fault::Malformed).await, Err(QlikError::Malformed { .. })));
    assert!(matches!(fault(Fault::Empty).await, Err(QlikError::Malformed { .. })));
    assert!(matches!(fault(Fault::Page).await, Err(QlikError::Malformed { .. })));
    assert!(matches!(fault(Fault::Lie).await, Err(QlikError::Malformed { .. })));
    world.site.clear_faults();
    world.site.fault("user/*", Fault::Lie);
    let user = world.client(HastyClock::default()).user(uuid!("d9f7a0de-8b79-4e77-9f5f-1a4f0b7b6c11")).await;
    assert!(matches!(user, Err(QlikError::Malformed { .. })), "{user:?}");
    assert!(world.client(HastyClock::default()).task(SALES).await.unwrap().is_some(), "only the path that was named");
}

#[tokio::test]
async fn what_happens_now_and_then_is_got_over() {
    let world = World::new().await;
    world.site.fault(On::all().every(2), Fault::Status(503));
    let client = world.client(HastyClock::default());
    for _ in 0..3 {
        assert!(client.about().await.is_ok());
    }
    assert_eq!(world.site.count("about"), 5, "the second and the fourth had to be repeated");
    world.site.clear_faults();
    world.site.fault(On::path("about").times(2), Fault::Reset);
    assert!(client.about().await.is_ok());
    assert_eq!(world.site.total(), 8);
}

#[tokio::test]
async fn slow_answers_wait_by_the_sites_clock() {
    let world = World::new().await;
    world.site.fault("*", Fault::Delay(Duration::from_secs(7)));
    world.site.fault("*", Fault::Delay(Duration::from_secs(1)));
    let client = world.client(crate::clock::SystemClock::default());
    let asking = tokio::spawn(async move { client.about().await });
    world.clock.sleepers(1).await;
    world.clock.advance(Duration::from_millis(7_999));
    world.clock.sleepers(1).await;
    assert!(!asking.is_finished());
    world.clock.advance(Duration::from_millis(1));
    assert!(asking.await.unwrap().is_ok());
}

#[tokio::test]
async fn who_hangs_is_given_up() {
    let world = World::new().await;
    world.site.fault("about", Fault::Hang);
    let clock = TestClock::default();
    let client = world.client(clock.clone());
    let asking = tokio::spawn(async move { client.about().await });
    world.site.wait_for(1).await;
    while !asking.is_finished() {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert!(matches!(asking.await.unwrap(), Err(QlikError::Timeout { .. })));
}

#[tokio::test]
async fn a_site_that_is_down_answers_nobody_and_comes_back() {
    let world = World::new().await;
    let client = world.client(HastyClock::default());
    assert!(client.about().await.is_ok());
    world.site.set_down(true);
    // Both the connection that was kept and new ones break.
    assert!(matches!(client.about().await, Err(QlikError::Unreachable { .. })));
    assert!(world.http().get(format!("https://{}/qrs/about", world.site.address())).send().await.is_err());
    assert_eq!(world.site.total(), 1);
    world.site.set_down(false);
    assert!(world.client(HastyClock::default()).about().await.is_ok());
    world.site.down_for(Duration::from_mins(1));
    assert!(matches!(world.client(HastyClock::default()).about().await, Err(QlikError::Unreachable { .. })));
    world.clock.sleepers(1).await;
    world.clock.advance(Duration::from_mins(1));
    while world.http().get(format!("https://{}/qrs/about", world.site.address())).send().await.is_err() {}
    assert!(world.client(HastyClock::default()).about().await.is_ok());
}

#[tokio::test]
async fn requests_are_listed_with_what_they_asked() {
    let world = World::new().await;
    world.client(HastyClock::default()).task(SALES).await.unwrap();
    let requests = world.site.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", "task/full"));
    assert_eq!(requests[0].parameter("Filter"), Some(format!("id eq {SALES}").as_str()));
    assert_eq!(requests[0].user.as_deref(), Some(USER));
}

#[tokio::test]
async fn a_site_that_is_dropped_is_gone() {
    let world = World::new().await;
    let client = world.client(HastyClock::default());
    assert!(client.about().await.is_ok());
    drop(world.site);
    assert!(client.about().await.is_err());
}
