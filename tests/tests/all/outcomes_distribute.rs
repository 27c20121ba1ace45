//! Tasks that end elsewhere: how they ended is asked again later, also by the next process.

use butler_core::event::ExecutionStatus;
use butler_core::simulator::site::{Execution, Outcome};
use butler_tests::{Sender, Sense, Settings, api, eventually};

use crate::PROGRAM;

const ROUTE: &str = "when.task = \"no task\"\n[[routes]]\nevents = [\"*\"]\nsinks = [\"hook\"]\n[routing]\ndeciding_budget = \"300ms\"";

/// A site on which a distribution goes on and on, and a Butler that has heard of it.
async fn under_way() -> (Sense, Execution) {
    let sense = Sense::start(PROGRAM, Settings { route: ROUTE, ..Settings::default() }).await;
    sense.site.send_datagrams_to(None);
    let execution = sense.site.run(sense.task("Distribute sales").id, Outcome::Success).await.expect("a run");
    ends(&sense, &execution, 14);
    Sender::to(&sense.butler).raw(&execution.datagram);
    (sense, execution)
}

/// Sets how the execution stands.
fn ends(sense: &Sense, execution: &Execution, status: i64) {
    sense.site.change(|state| {
        let record = state.executions.iter_mut().find(|record| record.id == execution.result_id).expect("the execution");
        record.status = ExecutionStatus(status);
    });
}

/// Waits until the repository was asked so often for results, and nobody was told.
async fn asked(sense: &Sense, times: usize) {
    eventually("the repository to be asked", async || (sense.site.count("reloadtask/*") >= times).then_some(())).await;
    assert_eq!(sense.world.hook.count(), 0);
}

#[tokio::test]
async fn the_next_process_asks_how_it_ended() {
    let (sense, execution) = under_way().await;
    asked(&sense, 1).await;
    eventually("the event to be kept", async || {
        let events = api(&sense.butler, "/api/events").await;
        (events.as_array()?.len() == 1 && events[0]["routed"].is_null()).then_some(())
    })
    .await;
    let sense = sense.restarted().await;
    let before = sense.site.count("reloadtask/*");
    asked(&sense, before + 1).await;
    ends(&sense, &execution, 8);
    let body = sense.hook_body(1).await;
    assert_eq!(
        (body["kind"].as_str(), body["taskName"].as_str()),
        (Some("distribute_task.failed"), Some("Distribute sales app")),
        "{body}"
    );
    assert_eq!(body["executionId"], execution.execution_id.to_string());
}

#[tokio::test]
async fn nothing_else_waits_for_it() {
    let (sense, execution) = under_way().await;
    asked(&sense, 1).await;
    let other = sense.site.run(sense.task("Reload sales").id, Outcome::FAILED).await.expect("a run");
    Sender::to(&sense.butler).raw(&other.datagram);
    assert_eq!(sense.hook_body(1).await["taskName"], "Reload sales");
    ends(&sense, &execution, 7);
    assert_eq!(sense.hook_body(2).await["kind"], "distribute_task.success");
}

#[tokio::test]
async fn two_runs_of_one_task_are_told_each_with_its_own_end() {
    let (sense, first) = under_way().await;
    asked(&sense, 1).await;
    let second = sense.site.run(first.task, Outcome::Success).await.expect("a run");
    ends(&sense, &second, 13);
    Sender::to(&sense.butler).raw(&second.datagram);
    ends(&sense, &first, 8);
    ends(&sense, &second, 7);
    let mut told = [sense.hook_body(1).await, sense.hook_body(2).await].map(|body| (body["executionId"].clone(), body["kind"].clone()));
    told.sort_by_key(|(_, kind)| kind.to_string());
    let of = |execution: &Execution, kind: &str| (execution.execution_id.to_string().into(), kind.into());
    assert_eq!(told, [of(&first, "distribute_task.failed"), of(&second, "distribute_task.success")]);
}
