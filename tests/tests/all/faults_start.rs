//! What is not there when the program starts: ports and the store. Said with the remedy, and the program ends with 69.

use butler_core::store::sqlite::{SqliteSettings, SqliteStore};
use butler_tests::World;
use insta::assert_snapshot;

use crate::PROGRAM;

#[tokio::test]
async fn a_udp_port_in_use() {
    let world = World::new(PROGRAM).await;
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    world.write("butler.toml", &format!("[sites.prod]\nhost = \"127.0.0.1\"\n[api]\nenabled = false\n[udp]\nlisten = \"{address}\"\n"));
    assert_snapshot!(world.refused(&["serve"]).await, @"
    exit code 69
    TIME  WARN butler_core::app: butler.toml:1: sites.prod.certificates: there are none, so the repository is not asked: messages say what the datagrams say and no more, and matchers of tags, properties, owners and streams can't be decided; export them in the QMC (Certificates, with this machine's name, in platform independent PEM format, without a password) and put `client.pem`, `client_key.pem` and `root.pem` there
    TIME  WARN butler_core::app: butler.toml: routes: there are none, so nobody is told anything; add `[[routes]]` with `events` and `sinks`
    butler-cli: can't listen on 127.0.0.1:PORT for log datagrams: SYSTEM ERROR. Port PORT is taken, perhaps by another Butler: `ss -lunp sport = :PORT` shows by whom. Stop that program, or set another `[udp] listen`
    ");
}

#[tokio::test]
async fn an_api_port_in_use() {
    let world = World::new(PROGRAM).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    world.write("butler.toml", &format!("[udp]\nenabled = false\n[api]\nlisten = \"{address}\"\n"));
    assert_snapshot!(world.refused(&["serve"]).await, @"
    exit code 69
    TIME  WARN butler_core::app: butler.toml: sites: there are none, so nothing is listened to; add a table `[sites.NAME]` with `host` and `certificates`
    TIME  WARN butler_core::app: butler.toml: routes: there are none, so nobody is told anything; add `[[routes]]` with `events` and `sinks`
    butler-cli: can't listen on 127.0.0.1:PORT for the API: SYSTEM ERROR. Port PORT is taken, perhaps by another Butler: `ss -ltnp sport = :PORT` shows by whom. Stop that program, or set another `[api] listen`
    ");
}

/// What `serve` says about a store at this path.
async fn refused_store(world: &World, path: &str) -> String {
    world.configure_all(&format!("[store]\npath = \"{path}\"\n[log]\nlevel = \"error\"\n"));
    world.refused(&["serve"]).await
}

#[tokio::test]
async fn a_folder_of_the_store_that_is_not_there() {
    let world = World::new(PROGRAM).await;
    assert_snapshot!(refused_store(&world, "data/butler.db").await, @"
    exit code 69
    butler-cli: the store `FOLDER/data/butler.db` can't be opened: SYSTEM ERROR. Make sure that its folder exists and that this user may write there, or set `[store] path`
    ");
}

/// Not even root writes here.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_of_the_store_that_can_not_be_written() {
    let world = World::new(PROGRAM).await;
    assert_snapshot!(refused_store(&world, "/sys/butler.db").await, @"
    exit code 69
    butler-cli: the store `/sys/butler.db` can't be opened: SYSTEM ERROR. Make sure that its folder exists and that this user may write there, or set `[store] path`
    ");
}

#[tokio::test]
async fn a_store_that_is_no_database() {
    let world = World::new(PROGRAM).await;
    world.write("notes.txt", &"This is no database, but a rather long text about something else. ".repeat(20));
    assert_snapshot!(refused_store(&world, "notes.txt").await, @"
    exit code 69
    butler-cli: the store `FOLDER/notes.txt` can't be opened: it is no SQLite database. Set `[store] path` to another file, or move this one away
    ");
}

#[tokio::test]
async fn a_store_of_a_newer_program() {
    let world = World::new(PROGRAM).await;
    let settings = SqliteSettings { path: world.path("butler.db") };
    drop(SqliteStore::open(settings, std::sync::Arc::new(butler_core::clock::SystemClock::default())).expect("a store"));
    let connection = rusqlite::Connection::open(world.path("butler.db")).expect("a database");
    connection.pragma_update(None, "user_version", 99).expect("a version");
    drop(connection);
    assert_snapshot!(refused_store(&world, "butler.db").await, @"
    exit code 69
    butler-cli: the store `FOLDER/butler.db` has format 99, this program knows up to 3. Use the newer program, or move the file away
    ");
}

#[tokio::test]
async fn a_second_process_on_the_same_store() {
    let world = World::new(PROGRAM).await;
    world.configure("");
    let butler = world.serve().await;
    let second = refused_store(&world, "butler.db").await;
    assert_snapshot!(second, @"
    exit code 69
    butler-cli: the store `FOLDER/butler.db` is in use by process NUMBER. Stop that one first, or give this one a `[store] path` of its own
    ");
    let holder = world.run(&["serve"]).output().await;
    assert!(String::from_utf8_lossy(&holder.stderr).contains(&format!("process {}", butler.id())));
}
