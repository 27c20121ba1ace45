//! An execution of a task, from the trigger to the datagram about its end.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::net::UdpSocket;
use uuid::Uuid;

use super::error::RunError;
use super::execution::{Execution, Run};
use super::outcome::Outcome;
use super::pace::{Course, earlier, later};
use super::script_log::{self, Reload};
use super::shared::Shared;
use super::state::{App, ExecutionIds, ExecutionRecord, LogFile, SiteState, Step, Task};
use super::subscriptions;
use crate::event::{ExecutionStatus, TaskEvent, TaskOutcome, TaskType};
use crate::source::decode::{Message, SchedulerMessage, encode};

/// On whose behalf the scheduler runs tasks.
const SCHEDULER: &str = r"INTERNAL\sa_scheduler";

/// Begins to run a task: the execution is there when this returns.
pub(super) fn begin(shared: &Arc<Shared>, run: Run) -> Result<Running, RunError> {
    let execution = Uuid::new_v4();
    let (task, app, result) = {
        let state = shared.state();
        let task = state.task(run.task).cloned().ok_or(RunError::UnknownTask(run.task))?;
        let app = task.app.and_then(|app| state.app(app)).cloned();
        let result = if state.execution_ids == ExecutionIds::Same { execution } else { Uuid::new_v4() };
        (task, app, result)
    };
    let course = Course::start(Arc::clone(&shared.clock), shared.pace, planned(shared, &task, run.outcome));
    let mut running = Running { shared: Arc::clone(shared), task, app, run, execution, result, course, datagram: Vec::new(), lost: false };
    running.trigger();
    Ok(running)
}

fn planned(shared: &Shared, task: &Task, outcome: Outcome) -> Duration {
    let steps = shared.pace.steps();
    let first = steps.triggered + steps.running;
    match outcome {
        Outcome::Aborted => first + 2 * steps.aborting,
        _ if task.task_type == TaskType::Distribute => first + steps.running,
        Outcome::Success => first,
        Outcome::Failed(_) => first + task.max_retries * (steps.retry + steps.running),
    }
}

/// An execution that has begun.
pub(super) struct Running {
    shared: Arc<Shared>,
    task: Task,
    app: Option<App>,
    run: Run,
    execution: Uuid,
    result: Uuid,
    course: Course,
    datagram: Vec<u8>,
    lost: bool,
}

impl Running {
    /// The scheduler's id of it.
    pub(super) fn execution(&self) -> Uuid {
        self.execution
    }

    /// Runs it to its end, and tells of it.
    pub(super) async fn finish(mut self) -> Result<Execution, RunError> {
        let told = self.go_on().await;
        let execution = Execution {
            task: self.task.id,
            task_name: self.task.name,
            outcome: self.run.outcome,
            execution_id: self.execution,
            result_id: self.result,
            datagram: self.datagram,
            lost: self.lost,
        };
        subscriptions::tell(&self.shared, self.result);
        // It may be that nobody listens.
        let _ = self.shared.ended.send(execution.clone());
        told.map(|()| execution)
    }

    async fn go_on(&mut self) -> Result<(), RunError> {
        let steps = self.shared.pace.steps();
        self.course.pass(steps.triggered).await;
        self.reach(2, "Changing task state to Started");
        self.course.pass(steps.running).await;
        match self.run.outcome {
            Outcome::Aborted => {
                self.reach(4, "Changing task state from Started to AbortInitiated");
                self.course.pass(steps.aborting).await;
                self.reach(5, "Changing task state from AbortInitiated to Aborting");
                let told = self.tell(TaskOutcome::Aborted, "Execution State Change to Aborting").await;
                self.course.pass(steps.aborting).await;
                self.end("Aborting");
                told
            }
            // The scheduler hands it over; how it goes elsewhere the repository hears later.
            outcome if self.task.task_type == TaskType::Distribute => {
                self.reach(14, "Changing task state from Started to DistributionRunning");
                let told = self.tell(TaskOutcome::Unsettled, "Exiting execute of Distribute task request.").await;
                self.course.pass(steps.running).await;
                self.end("DistributionRunning");
                if let Outcome::Failed(_) = outcome {
                    self.note("The app could not be distributed.");
                }
                told
            }
            Outcome::Success => {
                self.end("Started");
                self.tell(TaskOutcome::Success, "Execution State Change to FinishedSuccess").await
            }
            Outcome::Failed(_) => {
                for _ in 0..self.task.max_retries {
                    self.reach(10, "Changing task state from Started to Retry");
                    self.course.pass(steps.retry).await;
                    self.reach(2, "Changing task state from Retry to Started");
                    self.course.pass(steps.running).await;
                }
                self.end("Started");
                let why = if self.task.task_type == TaskType::Preload { "Failed to start session" } else { "Max retries reached" };
                self.note(why);
                self.tell(TaskOutcome::Failed, why).await
            }
        }
    }

    fn trigger(&mut self) {
        let start = self.course.now();
        let message =
            "Trying to start task. Sending task to slave node(s). Active workers: 0. Engine-based load balancing: Disabled.".to_owned();
        self.shared.state().add_execution(ExecutionRecord {
            id: self.result,
            execution_id: self.execution,
            task: self.task.id,
            status: ExecutionStatus(1),
            start: Some(start),
            stop: None,
            steps: vec![Step { at: start, message }],
            script_log: None,
        });
    }

    fn reach(&mut self, status: i64, message: &str) {
        self.change(|record, _| record.status = ExecutionStatus(status));
        self.note(message);
    }

    fn note(&mut self, message: &str) {
        self.change(|record, at| record.steps.push(Step { at, message: message.to_owned() }));
    }

    fn change(&mut self, write: impl FnOnce(&mut ExecutionRecord, Timestamp)) {
        let at = self.course.now();
        // A state that was replaced meanwhile has no such execution.
        if let Some(record) = self.shared.state().execution_mut(self.result) {
            write(record, at);
        }
    }

    /// The last change of state, from the one that is named.
    fn end(&mut self, from: &str) {
        let status = self.run.outcome.status();
        if self.task.task_type == TaskType::Reload && matches!(self.run.outcome, Outcome::Failed(_)) {
            self.note("Reload failed in Engine. Check engine or script logs.");
        }
        self.reach(status.0, &format!("Changing task state from {from} to {}", status.text()));
        let stop = self.course.now();
        let log = (self.task.task_type == TaskType::Reload).then(|| self.log_file(stop));
        self.change(|record, at| {
            record.stop = Some(at);
            record.script_log = log;
        });
        if self.run.outcome == Outcome::Success
            && let Some(app) = self.task.app.filter(|_| self.task.task_type == TaskType::Reload)
            && let Some(app) = self.shared.state().app_mut(app)
        {
            app.last_reload = Some(stop);
        }
    }

    fn log_file(&self, stop: Timestamp) -> LogFile {
        let (node, zone) = {
            let state = self.shared.state();
            (state.node.clone(), zone(&state))
        };
        let text = self.run.script_log.clone().unwrap_or_else(|| {
            let app = self.app.as_ref().map_or(self.task.name.as_str(), |app| &app.name);
            let start = earlier(stop, self.shared.pace.steps().running);
            script_log::text(Reload { node: &node, app, start, stop }, self.run.outcome, &zone)
        });
        let (named, ready) = self.shared.pace.log_delays();
        let named = later(stop, named);
        LogFile { reference: Uuid::new_v4(), named, ready: later(named, ready), text }
    }

    /// What the log appender says when the scheduler writes such a line.
    async fn tell(&mut self, outcome: TaskOutcome, message: &str) -> Result<(), RunError> {
        let (host, log_time) = {
            let state = self.shared.state();
            (state.node.clone(), self.course.now().to_zoned(zone(&state)).strftime("%Y-%m-%d %H:%M:%S,%3f").to_string())
        };
        let task = TaskEvent {
            host,
            task_name: self.task.name.clone(),
            app_name: self.app.as_ref().map(|app| app.name.clone()).unwrap_or_default(),
            user: self.user(),
            task_id: self.task.id,
            app_id: self.task.app,
            log_time,
            log_level: "INFO".to_owned(),
            execution_id: Some(self.execution),
            message: message.to_owned(),
            names_unsure: false,
        };
        self.datagram = encode(&Message::Scheduler(SchedulerMessage { outcome, task }));
        self.lost = self.shared.loses_datagram();
        match self.shared.datagrams_to().filter(|_| !self.lost) {
            Some(to) => send(&self.datagram, to).await.map_err(|why| RunError::Send { to, why }),
            None => Ok(()),
        }
    }

    fn user(&self) -> String {
        if let Some(user) = &self.run.user {
            return user.clone();
        }
        let state = self.shared.state();
        let owner = self.app.as_ref().filter(|_| self.run.outcome == Outcome::Aborted).and_then(|app| state.user(app.owner));
        owner.map_or_else(|| SCHEDULER.to_owned(), |owner| format!(r"{}\{}", owner.directory, owner.user_id))
    }
}

pub(super) fn zone(state: &SiteState) -> TimeZone {
    // That the name is one was checked at the start; whoever has changed it since gets UTC.
    state.time_zone.as_ref().map_or_else(TimeZone::system, |name| TimeZone::get(name).unwrap_or(TimeZone::UTC))
}

pub(super) async fn send(datagram: &[u8], to: SocketAddr) -> std::io::Result<()> {
    let any: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    UdpSocket::bind(any).await?.send_to(datagram, to).await.map(drop)
}
