//! `butler.uptime`: a measurement of Butler itself.

use butler_tests::World;
use serde_json::Value;

use crate::PROGRAM;

#[tokio::test]
async fn it_is_told_as_soon_as_a_route_names_it() {
    let world = World::new(PROGRAM).await;
    world.configure("continue = true\n[[routes]]\nname = \"self\"\nevents = [\"butler.uptime\"]\nsinks = [\"hook\"]\n[monitor.uptime]\nevery = \"200ms\"");
    let _butler = world.serve().await;
    let bodies = world.received(2).await;
    let body: Value = serde_json::from_str(&bodies[1].body).expect("JSON");
    assert_eq!(body["kind"], "butler.uptime", "{body}");
    assert!(bodies[1].body.contains("Butler has been up for"), "{body}");
}
