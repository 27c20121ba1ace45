//! `send`: the datagram that Qlik Sense would send.

use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use butler_core::event::{TaskEvent, TaskOutcome};
use butler_core::source::decode::{Message, SchedulerMessage, encode};
use uuid::Uuid;

use crate::args::{Send, SendTask, SendTo, SendWhat};
use crate::{Exit, output};

/// How long it is listened for word that nobody took it. On the same machine that comes at once.
const REFUSAL: Duration = Duration::from_millis(100);

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

/// Whether a system says that nobody listens; not every system does, and not from afar.
fn is_refused(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

fn send_all(to: &SendTo, datagram: impl Fn(u32) -> Vec<u8>) -> Result<(), Exit> {
    let fault = |error: std::io::Error| Exit::unavailable(format!("can't send to {}: {error}", to.to));
    let address = to.to.to_socket_addrs().map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Exit::usage(format!("can't send to `{}`: expected host and port, such as 127.0.0.1:9998", to.to)),
        _ => fault(error),
    });
    // Butler listens on IPv4 unless it is told otherwise, and so does Qlik Sense send.
    let address = address?.min_by_key(SocketAddr::is_ipv6);
    let Some(address) = address else { return Err(Exit::unavailable(format!("{} has no address", to.to))) };
    let socket = UdpSocket::bind(if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).map_err(fault)?;
    socket.connect(address).map_err(fault)?;
    let deaf = || {
        Exit::unavailable(format!(
            "nobody listens at {address}. Is `butler-cli serve` running there? It prints where it listens when it starts; `--to` names another address"
        ))
    };
    for index in 0..to.count {
        let datagram = datagram(index);
        match socket.send(&datagram) {
            // The system reports what became of an earlier one.
            Err(error) if is_refused(&error) => return Err(deaf()),
            sent => sent.map_err(fault)?,
        };
        if index < 3 {
            output::line(String::from_utf8_lossy(&datagram));
        } else if index == 3 {
            output::line(format!("... and {} more", to.count - 3));
        }
    }
    socket.set_read_timeout(Some(REFUSAL)).map_err(fault)?;
    if socket.recv(&mut [0]).is_err_and(|error| is_refused(&error)) {
        return Err(deaf());
    }
    output::note(&format!("sent to {address}; UDP tells nobody whether it arrived, `butler-cli events list` does"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(address: std::net::SocketAddr, count: u32) -> SendTo {
        SendTo { to: address.to_string(), count }
    }

    #[test]
    fn what_is_sent_arrives() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        receiver.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        send_all(&to(receiver.local_addr().expect("its address"), 3), |index| format!("line {index}").into_bytes()).expect("sent");
        let mut buffer = [0; 100];
        for index in 0..3 {
            let length = receiver.recv(&mut buffer).expect("a datagram");
            assert_eq!(&buffer[..length], format!("line {index}").as_bytes());
        }
    }

    // Not every system says so, and not every emulation of one.
    #[cfg(target_os = "linux")]
    #[test]
    fn where_nobody_listens_that_is_said() {
        let holder = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = holder.local_addr().expect("its address");
        drop(holder);
        for count in [1, 10] {
            let exit = send_all(&to(address, count), |_| b"x".to_vec()).expect_err("nobody listens");
            assert_eq!(exit.code(), 69);
            assert!(exit.message().starts_with(&format!("nobody listens at {address}")), "{}", exit.message());
        }
    }
}
