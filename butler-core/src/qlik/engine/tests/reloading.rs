//! One reload.

use std::time::Duration;

use tokio::net::UdpSocket;

use super::*;
use crate::simulator::site::{EngineFault, Pace, Steps};

#[tokio::test]
async fn an_app_is_reloaded_and_saved() {
    let world = World::new().await;
    let before = world.site.state().app(SALES).unwrap().last_reload;
    let app = world.client().open_for_reload(&SALES.to_string()).await.unwrap();
    assert_eq!(world.calls(), ["EngineVersion []".to_owned(), format!(r#"OpenDoc ["{SALES}","","","",false]"#)]);
    assert_eq!(app.reload(ReloadMode::Ignore, true).await.unwrap(), Reloaded::Saved);
    assert_eq!(world.calls()[2..], ["DoReload [2,true]", "DoSave []"]);
    assert!(world.site.engine_calls().iter().all(|call| call.path == format!("/app/{SALES}")));
    assert_ne!(world.site.state().app(SALES).unwrap().last_reload, before);
    assert_eq!(world.ended().await, EngineSessions { open: 0, opened: 1, closed: 1 });
}

#[tokio::test]
async fn a_script_that_fails_saves_nothing_and_is_told_by_the_log_appender() {
    let world = World::new().await;
    let log = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    world.site.send_datagrams_to(log.local_addr().ok());
    let app = world.client().open_for_reload(&HR.to_string()).await.unwrap();
    assert_eq!(app.reload(ReloadMode::Abend, false).await.unwrap(), Reloaded::Failed);
    assert_eq!(world.calls().last().unwrap(), "DoReload [0,false]");
    let mut datagram = [0; 1000];
    let length = log.recv(&mut datagram).await.unwrap();
    let line = String::from_utf8_lossy(&datagram[..length]);
    assert!(line.starts_with("/engine-reload-failed/;sense-node-1;deba4bcf-"), "{line}");
    assert_eq!(world.ended().await.closed, 1);
}

#[tokio::test]
async fn the_id_of_an_app_is_encoded_in_the_address() {
    let world = World::new().await;
    let error = world.client().open_for_reload("a b/#?å").await.unwrap_err();
    assert!(error.is_unknown_app());
    assert_eq!(world.site.engine_calls()[0].path, "/app/a%20b%2F%23%3F%C3%A5");
    assert_eq!(world.ended().await, EngineSessions { open: 0, opened: 1, closed: 1 });
}

#[tokio::test]
async fn an_app_that_is_open_already_is_taken_as_it_is() {
    let world = World::new().await;
    let mut other = world.session(&format!("/app/{SALES}")).await;
    other.call(Call::new(GLOBAL, "OpenDoc", serde_json::json!([SALES, "", "", "", false]))).await.unwrap();
    // How the engine calls itself matters to nobody but the log.
    world.site.engine_fault("EngineVersion", EngineFault::Error(5));
    let app = world.client().open_for_reload(&SALES.to_string()).await.unwrap();
    assert_eq!(app.reload(ReloadMode::Abend, false).await.unwrap(), Reloaded::Saved);
    assert_eq!(world.calls()[3..], ["GetActiveDoc []", "DoReload [0,false]", "DoSave []"]);
    other.close().await;
}

#[tokio::test]
async fn an_engine_that_contradicts_itself_is_not_believed() {
    let world = World::new().await;
    world.site.engine_fault("OpenDoc", EngineFault::Error(1002));
    let error = world.client().open_for_reload(&SALES.to_string()).await.unwrap_err();
    // The engine has contradicted itself: it has no app open.
    assert!(matches!(error, EngineError::Malformed { method: "OpenDoc", .. }), "{error}");
    assert_eq!(world.calls().last().unwrap(), "GetActiveDoc []");
}

/// Far longer than any other answer may take.
#[tokio::test]
async fn a_reload_may_take_hours() {
    let steps = Steps::lasting(Duration::from_hours(10));
    let world = World::with(SiteOptions { pace: Pace::Live(steps), ..SiteOptions::default() }).await;
    let app = world.client().open_for_reload(&SALES.to_string()).await.unwrap();
    let reload = tokio::spawn(app.reload(ReloadMode::Abend, false));
    world.site.wait_for_engine_calls(3).await;
    // The engine's script, and the client that asks now and then whether the engine is there.
    for _ in 0..20 {
        world.clock.sleepers(2).await;
        world.clock.advance(Duration::from_mins(30));
    }
    assert_eq!(reload.await.unwrap().unwrap(), Reloaded::Saved);
}

#[tokio::test]
async fn a_connection_that_breaks_during_a_reload_is_an_error() {
    for (on, fault) in [("DoReload", EngineFault::Cut), ("DoReload", EngineFault::Close), ("DoSave", EngineFault::Cut)] {
        let world = World::new().await;
        world.site.engine_fault(on, fault);
        let app = world.client().open_for_reload(&SALES.to_string()).await.unwrap();
        let error = app.reload(ReloadMode::Abend, false).await.unwrap_err();
        assert!(matches!(&error, EngineError::Lost { method, .. } if *method == on), "{error}");
        world.ended().await;
    }
}
