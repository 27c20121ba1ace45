//! Tasks that run.

use tokio::net::UdpSocket;

use super::*;
use crate::event::{ExecutionStatus, TaskOutcome};
use crate::source::decode::{Message, SchedulerPrefix, decode, encode_scheduler};

fn details(world: &World, task: Uuid) -> Vec<String> {
    world.site.state().last_execution(task).unwrap().steps.iter().map(|step| step.message.clone()).collect()
}

#[tokio::test]
async fn a_run_leaves_what_a_real_one_leaves() {
    let world = World::new().await;
    let run = world.site.run(FAILING, Outcome::FAILED).await.unwrap();
    assert_ne!(run.execution_id, run.result_id);
    let state = world.site.state();
    let record = state.last_execution(FAILING).unwrap();
    assert_eq!((record.id, record.execution_id, record.status), (run.result_id, run.execution_id, ExecutionStatus(8)));
    assert_eq!(record.stop, Some(world.clock.now()), "it ends now, and has begun in the past");
    assert!(record.start < record.stop);
    assert!(record.script_log.as_ref().unwrap().text.contains("Error: Cannot open file"));
    insta::assert_snapshot!(details(&world, FAILING).join("\n"), @r"
    Trying to start task. Sending task to slave node(s). Active workers: 0. Engine-based load balancing: Disabled.
    Changing task state to Started
    Changing task state from Started to Retry
    Changing task state from Retry to Started
    Changing task state from Started to Retry
    Changing task state from Retry to Started
    Reload failed in Engine. Check engine or script logs.
    Changing task state from Started to FinishedFail
    Max retries reached
    ");
    let Message::Scheduler(told) = decode(&run.datagram).unwrap() else { panic!("the engine said nothing") };
    assert_eq!((told.outcome, told.task.task_id, told.task.execution_id), (TaskOutcome::Failed, FAILING, Some(run.execution_id)));
    assert_eq!((told.task.message.as_str(), told.task.user.as_str()), ("Max retries reached", r"INTERNAL\sa_scheduler"));
}

#[tokio::test]
async fn each_outcome_has_its_datagram_and_its_end() {
    let world = World::new().await;
    let types = world.site.state().tasks.iter().map(|task| (task.id, task.task_type)).collect::<Vec<_>>();
    let mut lines = Vec::new();
    for (task, task_type) in types.into_iter().filter(|(id, _)| *id != DISABLED) {
        for outcome in [Outcome::Success, Outcome::Failed(Failure::Memory), Outcome::Aborted] {
            let run = world.site.run(task, outcome).await.unwrap();
            let Message::Scheduler(told) = decode(&run.datagram).unwrap() else { panic!("the engine said nothing") };
            let record = world.site.state().last_execution(task).unwrap().clone();
            assert_eq!(record.status, outcome.status());
            assert_eq!(record.script_log.is_some(), task_type == crate::event::TaskType::Reload);
            let prefix = String::from_utf8_lossy(&run.datagram).split(';').next().unwrap().to_owned();
            lines.push(format!("{task_type:?} {outcome:?}: {prefix} {} by {}", told.task.message, told.task.user));
        }
    }
    lines.dedup();
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn odd_names_are_sent_as_they_are() {
    let world = World::new().await;
    let run = world.site.run(ODD, Outcome::FAILED).await.unwrap();
    let Message::Scheduler(told) = decode(&run.datagram).unwrap() else { panic!("the engine said nothing") };
    assert!(told.task.names_unsure);
    assert_eq!(told.task.task_name, "Räkna om «Lager»; it's 100% R&D #1 + 🚀;It's 100% R&D; #1 + «Lager» 🚀");
    assert_eq!(encode_scheduler(SchedulerPrefix::TaskFailed, &told.task, Default::default()), run.datagram);
}

#[tokio::test]
async fn the_datagram_goes_where_it_is_told_to() {
    let world = World::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    world.site.run(SALES, Outcome::Success).await.unwrap();
    world.site.send_datagrams_to(Some(socket.local_addr().unwrap()));
    let run = world.site.run(SALES, Outcome::FAILED).await.unwrap();
    let mut buffer = vec![0; 2048];
    let length = socket.recv(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], run.datagram);
    assert!(matches!(world.site.run(Uuid::from_u128(7), Outcome::Success).await, Err(RunError::UnknownTask(_))));
}

#[tokio::test]
async fn at_a_live_pace_every_step_takes_its_time_and_the_log_comes_late() {
    let steps = Steps::default();
    let world = World::with(SiteOptions { pace: Pace::Live(steps), ..SiteOptions::default() }).await;
    let status = || world.site.state().last_execution(FAILING).map(|record| record.status.0);
    let run = world.site.run(FAILING, Outcome::Failed(Failure::Syntax));
    let moments = async {
        let mut seen = Vec::new();
        // Two retries, three tries.
        for wait in [steps.triggered, steps.running, steps.retry, steps.running, steps.retry, steps.running] {
            world.clock.sleepers(1).await;
            seen.push(status().unwrap());
            world.clock.advance(wait);
            // The run is polled first, and sleeps again or ends.
            tokio::task::yield_now().await;
        }
        seen
    };
    let (run, seen) = tokio::join!(biased; run, moments);
    assert_eq!(seen, [1, 2, 10, 2, 10, 2]);
    let shown = async || {
        let (_, text) = world.ask(&format!("reloadtask/{FAILING}")).await;
        let task: serde_json::Value = serde_json::from_str(&text).unwrap();
        task["operational"]["lastExecutionResult"]["fileReferenceID"].as_str().unwrap().parse::<Uuid>().unwrap()
    };
    let ticket =
        async || world.ask(&format!("reloadtask/{FAILING}/scriptlogfile?executionResultId={}", run.as_ref().unwrap().result_id)).await;
    assert_eq!(shown().await, Uuid::nil());
    assert_eq!(ticket().await.0, 404);
    world.clock.advance(steps.log_named);
    let reference = shown().await;
    assert!(!reference.is_nil());
    let (_, value) = ticket().await;
    let value: serde_json::Value = serde_json::from_str(&value).unwrap();
    let log = format!("download/reloadtask/{}/scriptlog.txt", value["value"].as_str().unwrap());
    assert_eq!(world.ask(&log).await.0, 404);
    world.clock.advance(steps.log_ready);
    let (status, text) = world.ask(&log).await;
    assert!(status == 200 && text.contains("Unexpected token") && text.ends_with("Execution finished.\r\n"), "{text}");
}

#[tokio::test]
async fn tasks_are_started_through_the_repository() {
    let world = World::with(SiteOptions { pace: Pace::Live(Steps::default()), ..SiteOptions::default() }).await;
    let start = async |task: Uuid| {
        let request = world.http().post(format!("https://{}/qrs/task/{task}/start?xrfkey={KEY}", world.site.address()));
        sent(request.header("X-Qlik-Xrfkey", KEY).header("X-Qlik-User", USER).body("{}")).await
    };
    let before = world.site.state().executions.len();
    let mut ended = world.site.subscribe();
    for _ in 0..2 {
        // One that runs already goes on running.
        assert_eq!(start(SALES).await, (204, String::new()));
    }
    assert_eq!(world.site.state().executions.len(), before + 1);
    while world.site.state().last_execution(SALES).unwrap().stop.is_none() {
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let state = world.site.state();
    let record = state.last_execution(SALES).unwrap();
    assert_eq!(record.status, ExecutionStatus(7));
    assert_eq!(ended.recv().await.unwrap().result_id, record.id);
    assert_eq!(state.app(uuid!("66bc109d-286a-415b-8355-1422abb22133")).unwrap().last_reload, record.stop);
    // Whoever asks so is told which execution it is, also of one that runs already.
    let session = async || {
        let request = world.http().post(format!("https://{}/qrs/task/{SALES}/start/synchronous?xrfkey={KEY}", world.site.address()));
        let (status, text) = sent(request.header("X-Qlik-Xrfkey", KEY).header("X-Qlik-User", USER)).await;
        assert_eq!(status, 201, "{text}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["value"].as_str().unwrap().to_owned()
    };
    let first = session().await;
    assert_eq!(first, session().await);
    assert_eq!(world.site.state().last_execution(SALES).unwrap().execution_id.to_string(), first);
    assert_eq!(start(DISABLED).await.0, 400);
    assert_eq!(start(Uuid::from_u128(7)).await.0, 404);
}

#[tokio::test]
async fn the_history_of_a_task_does_not_grow_for_ever() {
    let world = World::new().await;
    for _ in 0..60 {
        world.site.run(FAILING, Outcome::Success).await.unwrap();
    }
    let state = world.site.state();
    assert_eq!(state.executions.iter().filter(|record| record.task == FAILING).count(), 50);
    assert_eq!(state.executions.iter().filter(|record| record.task == SALES).count(), 1, "others are left alone");
}
