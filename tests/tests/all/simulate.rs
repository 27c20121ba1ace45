//! The simulated site as a program of its own.

use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use butler_core::clock::SystemClock;
use butler_core::config::Config;
use butler_core::event::TaskOutcome;
use butler_core::qlik::{RepositoryClient, RepositorySettings};
use butler_core::simulator::site::SiteState;
use butler_core::source::decode::{Message, decode};
use butler_tests::{World, eventually, patience};

use crate::PROGRAM;

#[tokio::test]
async fn it_tells_of_tasks_that_end_and_knows_all_about_them() {
    let world = World::new(PROGRAM).await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    let udp = socket.local_addr().unwrap().to_string();
    let mut site = world.run(&["simulate", "--listen", "127.0.0.1:0", "--udp", &udp, "--every", "0.1"]).ready().await;
    let mut told = Vec::new();
    let mut buffer = [0; 2048];
    while told.len() < 6 {
        let length = socket.recv(&mut buffer).expect("a datagram");
        let Ok(Message::Scheduler(message)) = decode(&buffer[..length]) else { panic!("no datagram of the scheduler") };
        told.push(message);
    }
    for outcome in [TaskOutcome::Failed, TaskOutcome::Aborted, TaskOutcome::Success] {
        assert!(told.iter().any(|message| message.outcome == outcome), "none {outcome:?}");
    }
    let client = RepositoryClient::new(settings(&world, &site.address("repository")), Arc::new(SystemClock::default())).unwrap();
    let execution = told[0].task.execution_id.unwrap();
    let result = eventually("the end of the execution", || async {
        client.execution(execution).await.unwrap().filter(|result| result.status.outcome() == Some(TaskOutcome::Failed))
    })
    .await;
    assert_ne!(result.id, Some(execution));
    assert!(client.task(told[0].task.task_id).await.unwrap().is_some());
    site.terminate().await;
    assert_eq!(site.ended().await.code(), Some(0), "{}", site.log());
}

fn settings(world: &World, address: &str) -> RepositorySettings {
    let folder = world.path("simulated-certs");
    let (host, port) = address.rsplit_once(':').expect("host and port");
    RepositorySettings {
        site: "simulated".into(),
        host: host.to_owned(),
        port: port.parse().expect("a port"),
        client_certificate: folder.join("client.pem"),
        client_key: folder.join("client_key.pem"),
        root_certificate: folder.join("root.pem"),
        verify: true,
        user: "UserDirectory=INTERNAL; UserId=sa_repository".to_owned(),
        timeout: Duration::from_secs(30),
        cache: Duration::ZERO,
    }
}

#[tokio::test]
async fn its_lines_are_a_whole_configuration() {
    let world = World::new(PROGRAM).await;
    let site = world.run(&["simulate", "--listen", "127.0.0.1:0", "--udp", "127.0.0.1:12345", "--every", "0"]).ready().await;
    let output = eventually("all that it has to say", || async { Some(site.output()).filter(|output| output.contains("Ctrl-C")) }).await;
    let text: Vec<_> = output.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let config = Config::from_toml(&text.join("\n"), world.folder()).unwrap();
    let simulated = &config.sites["simulated"];
    assert_eq!(format!("{}:{}", simulated.host, simulated.port), site.address("repository"));
    assert_eq!(format!("{}:{}", simulated.host, simulated.engine.port), site.address("engine"));
    assert_eq!(simulated.certificates.as_deref(), Some(world.path("simulated-certs").as_path()));
    assert_eq!(config.udp.map(|udp| udp.listen).as_deref(), Some("127.0.0.1:12345"));
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_exit_code() {
    let world = World::new(PROGRAM).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    world.write("bad.toml", "[[tasks]]\nnmae = 'x'\n");
    world.write("a-file", "");
    world.write("root.pem", "");
    for (args, code, part) in [
        (vec!["--listen", &taken], 69, "can't listen on"),
        (vec!["--state", "missing.toml"], 69, "can't read the state `missing.toml`"),
        (vec!["--state", "bad.toml"], 78, "line 2: tasks[0].nmae: unknown field `nmae`"),
        (vec!["--listen", "127.0.0.1:0", "--certificates", "a-file/certs"], 69, "can't write there"),
        (vec!["--listen", "127.0.0.1:0", "--certificates", "."], 69, "it holds a `root.pem`"),
        (vec!["--listen", "nowhere"], 64, "--listen"),
    ] {
        let output = world.run(&[&["simulate"], &args[..]].concat()).output().await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn it_prints_a_state_to_begin_with() {
    let world = World::new(PROGRAM).await;
    let output = world.run(&["simulate", "--print-state"]).output().await;
    assert_eq!(SiteState::from_toml("stdout", &String::from_utf8(output.stdout).unwrap()).unwrap(), SiteState::example());
}
