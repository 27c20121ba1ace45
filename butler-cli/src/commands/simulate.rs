//! `simulate`: a Qlik Sense site to point a Butler at.

use std::net::SocketAddr;
use std::time::Duration;

use butler_core::event::TaskType;
use butler_core::simulator::site::{
    Execution, Failure, Outcome, Pace, RunError, Site, SiteError, SiteOptions, SiteState, StateError, Steps,
};
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::args::Simulate;
use crate::output::Colour;
use crate::signals::Signals;
use crate::{Exit, output};

/// How long a task runs, at the longest.
const LONGEST_RUN: Duration = Duration::from_secs(3);
/// Where the engine of a real site listens.
const ENGINE_PORT: u16 = 4747;
/// What the site is called in the lines for `butler.toml`.
const NAME: &str = "simulated";

pub(crate) async fn run(simulate: &Simulate) -> Result<(), Exit> {
    if simulate.print_state {
        output::write(SiteState::EXAMPLE);
        return Ok(());
    }
    let state = match &simulate.state {
        Some(path) => SiteState::from_file(path).map_err(state_fault)?,
        None => SiteState::example(),
    };
    let mut end = Signals::listen()?;
    let running = if simulate.every.is_zero() { LONGEST_RUN } else { LONGEST_RUN.min(simulate.every / 2) };
    let beside = SocketAddr::new(simulate.listen.ip(), if simulate.listen.port() == 0 { 0 } else { ENGINE_PORT });
    let options = SiteOptions {
        listen: simulate.listen,
        engine: simulate.engine.unwrap_or(beside),
        certificates: Some(simulate.certificates.clone()),
        names: simulate.names.clone(),
        pace: Pace::Live(Steps::lasting(running)),
        datagrams_to: Some(simulate.udp),
        ..SiteOptions::default()
    };
    let site = Site::start(state, options).await.map_err(site_fault)?;
    introduce(&site, simulate);
    tokio::select! {
        () = end.wait() => Ok(()),
        () = tell(&site, simulate) => Ok(()),
        () = keep_running(&site, simulate.every) => Ok(()),
    }
}

fn state_fault(error: StateError) -> Exit {
    match error {
        StateError::Unreadable { .. } => Exit::unavailable(error.to_string()),
        _ => Exit::configuration(format!("{error}\n`butler-cli simulate --print-state` prints a state with every key")),
    }
}

fn site_fault(error: SiteError) -> Exit {
    match error {
        SiteError::Bind { .. } => Exit::unavailable(format!("{error} `--listen` and `--engine` name other addresses.")),
        SiteError::Certificates { .. } => Exit::unavailable(format!("{error}; `--certificates` names another folder")),
        SiteError::State(error) => state_fault(error),
        other => Exit::internal(other.to_string()),
    }
}

fn introduce(site: &Site, simulate: &Simulate) {
    let folder = std::path::absolute(&simulate.certificates).unwrap_or_else(|_| simulate.certificates.clone());
    let (address, engine, udp, certificates) = (site.address(), site.engine_address(), simulate.udp, folder.display());
    output::line(format!("simulated site ready: repository {address}, engine {engine}, datagrams to {udp}, certificates {certificates}"));
    output::line("\nThese lines of butler.toml point a Butler at it:\n");
    for line in site.configuration(NAME, &folder).lines() {
        output::line(format!("    {line}"));
    }
    output::line(format!("\n    [udp]\n    listen = \"{udp}\"\n"));
    output::line(match simulate.every {
        Duration::ZERO => "Tasks run when they are started through the repository. Ctrl-C ends the site.".to_owned(),
        every => format!("A task ends every {} s. Ctrl-C ends the site.", every.as_secs_f64()),
    });
}

/// Prints a line about every execution that ends.
async fn tell(site: &Site, simulate: &Simulate) {
    let mut ended = site.subscribe();
    loop {
        match ended.recv().await {
            Ok(execution) => output::line(line(&execution, &jiff::Zoned::now(), simulate)),
            Err(RecvError::Lagged(missed)) => output::line(format!("... and {missed} more")),
            Err(RecvError::Closed) => return,
        }
    }
}

fn line(execution: &Execution, now: &jiff::Zoned, simulate: &Simulate) -> String {
    let (word, colour) = match execution.outcome {
        Outcome::Success => ("succeeded", Colour::Green),
        Outcome::Failed(_) => ("failed", Colour::Red),
        Outcome::Aborted => ("aborted", Colour::Yellow),
    };
    let word = output::paint(&format!("{word:<9}"), colour);
    let Execution { task_name, execution_id, .. } = execution;
    format!("{}  {word}  {task_name}  (execution {execution_id}, datagram to {})", now.strftime("%H:%M:%S"), simulate.udp)
}

/// Lets one task after the other run, so that each fails, is aborted, and succeeds in turn.
async fn keep_running(site: &Site, every: Duration) {
    if every.is_zero() {
        return std::future::pending().await;
    }
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for turn in 0.. {
        ticks.tick().await;
        let Some((task, outcome)) = next(&site.state(), turn) else {
            output::note("The site has no task that is enabled, so nothing runs.");
            return std::future::pending().await;
        };
        if let Err(error @ RunError::Send { .. }) = site.run(task, outcome).await {
            output::note(&error.to_string());
        }
    }
}

/// Which task runs in which turn, and how it ends: the reloads that are enabled, or if there are none, whatever is.
fn next(state: &SiteState, turn: usize) -> Option<(Uuid, Outcome)> {
    let enabled = || state.tasks.iter().filter(|task| task.enabled);
    let mut tasks: Vec<_> = enabled().filter(|task| task.task_type == TaskType::Reload).collect();
    if tasks.is_empty() {
        tasks = enabled().collect();
    }
    let round = turn.checked_div(tasks.len())?;
    let place = turn % tasks.len();
    // One further each round, so that no task always ends the same way.
    let outcome = match (round + place) % 3 {
        0 => Outcome::Failed(Failure::ALL[turn % Failure::ALL.len()]),
        1 => Outcome::Aborted,
        _ => Outcome::Success,
    };
    Some((tasks[place].id, outcome))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_task_ends_in_every_way() {
        let state = SiteState::example();
        let seen: BTreeSet<_> = (0..12).filter_map(|turn| next(&state, turn)).map(|(task, outcome)| (task, outcome.status().0)).collect();
        assert_eq!(seen.len(), 4 * 3, "four reload tasks are enabled");
        let first: Vec<_> = (0..3).filter_map(|turn| next(&state, turn)).map(|(_, outcome)| outcome.status().0).collect();
        assert_eq!(first, [8, 6, 7], "a failure first");
        assert_eq!(next(&SiteState::default(), 0), None);
    }
}
