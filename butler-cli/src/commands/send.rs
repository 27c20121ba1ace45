//! `send`: the datagram that Qlik Sense would send.

use std::io::ErrorKind;
use std::net::{ToSocketAddrs, UdpSocket};

use butler_core::event::{TaskEvent, TaskOutcome};
use butler_core::source::decode::{Message, SchedulerMessage, encode};
use uuid::Uuid;

use crate::args::{Send, SendTask, SendTo, SendWhat};
use crate::{Exit, output};

pub(crate) fn run(send: &Send) -> Result<(), Exit> {
    match &send.what {
        SendWhat::FailedReload(task) => send_task(task, TaskOutcome::Failed, "Max retries reached"),
        SendWhat::AbortedReload(task) => send_task(task, TaskOutcome::Aborted, "Execution State Change to Aborting"),
        SendWhat::Raw(raw) => send_all(&raw.to, |_| raw.line.clone().into_bytes()),
    }
}

fn send_task(task: &SendTask, outcome: TaskOutcome, message: &str) -> Result<(), Exit> {
    send_all(&task.to, |index| encode(&Message::Scheduler(line(task, outcome, message, index))))
}

/// The line of the `index`th execution; the first has the id that was asked for.
fn line(task: &SendTask, outcome: TaskOutcome, message: &str, index: u32) -> SchedulerMessage {
    let execution = task.execution_id.filter(|_| index == 0).unwrap_or_else(Uuid::new_v4);
    let task = TaskEvent {
        host: task.host.clone(),
        task_name: task.task_name.clone(),
        app_name: task.app_name.clone(),
        user: task.user.clone(),
        task_id: task.task_id,
        app_id: Some(task.app_id),
        log_time: task.log_time.clone().unwrap_or_else(now),
        log_level: task.log_level.clone(),
        execution_id: Some(execution),
        message: task.message.clone().unwrap_or_else(|| message.to_owned()),
        names_unsure: false,
    };
    SchedulerMessage { outcome, task }
}

fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f").to_string()
}

fn send_all(to: &SendTo, datagram: impl Fn(u32) -> Vec<u8>) -> Result<(), Exit> {
    let fault = |error: std::io::Error| Exit::unavailable(format!("can't send to {}: {error}", to.to));
    let address = to.to.to_socket_addrs().map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Exit::usage(format!("can't send to `{}`: expected host and port, such as 127.0.0.1:9998", to.to)),
        _ => fault(error),
    });
    let address = address?.next();
    let Some(address) = address else { return Err(Exit::unavailable(format!("{} has no address", to.to))) };
    let socket = UdpSocket::bind(if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).map_err(fault)?;
    for index in 0..to.count {
        let datagram = datagram(index);
        socket.send_to(&datagram, address).map_err(fault)?;
        if index < 3 {
            output::line(String::from_utf8_lossy(&datagram));
        } else if index == 3 {
            output::line(format!("... and {} more", to.count - 3));
        }
    }
    output::note(&format!("sent to {address}; UDP tells nobody whether it arrived, `butler-cli events list` does"));
    Ok(())
}
