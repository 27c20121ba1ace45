//! Files, over the API of the whole program.

use std::path::Path;

use butler_tests::{Proc, World, eventually, http};
use serde_json::{Value, json};

use crate::PROGRAM;

const FILES: &str = r#"
    [files]
    copy = [{ from = "from", to = "to" }]
    move = [{ from = "from", to = 'to\moved' }]
    delete = ["to", "later"]
    qvd_folder = "qvd"
"#;

async fn world(more: &str) -> World {
    let world = World::new(PROGRAM).await;
    for name in ["from", "to", "qvd", "outside"] {
        std::fs::create_dir(world.path(name)).expect("a folder");
    }
    world.configure(&format!("{FILES}{more}"));
    world
}

/// As load scripts ask: a `POST` that names the method that it stands for. The status, and the body if there is one.
async fn ask(butler: &Proc, method: &str, endpoint: &str, body: &Value) -> (u16, Value) {
    let url = format!("http://{}/v4/{endpoint}", butler.address("api"));
    let request = http().post(url).header("content-type", "application/json").header("x-http-method-override", method);
    let response = request.body(body.to_string()).send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.expect("a body")).unwrap_or_default())
}

fn text(world: &World, path: &str) -> String {
    world.path(path).display().to_string().replace('\\', "/")
}

fn pair(world: &World, from: &str, to: &str) -> Value {
    json!({ "fromFile": text(world, from), "toFile": text(world, to) })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn read(world: &World, path: &str) -> String {
    std::fs::read_to_string(world.path(path)).expect("a file")
}

#[tokio::test]
async fn files_are_copied_moved_and_deleted_where_that_is_approved() {
    let world = world("").await;
    world.write("from/a.qvd", "a");
    world.write("outside/secret", "secret");
    let butler = world.serve().await;
    let copied = ask(&butler, "PUT", "filecopy", &pair(&world, "from/a.qvd", "to/x/a.qvd")).await;
    let body = json!({ "fromFile": text(&world, "from/a.qvd"), "toFile": text(&world, "to/x/a.qvd"), "overwrite": false, "preserveTimestamp": false });
    assert_eq!(copied, (201, body));
    assert_eq!(read(&world, "to/x/a.qvd"), "a");
    assert_eq!(ask(&butler, "PUT", "filemove", &pair(&world, "from/a.qvd", "to/moved/b.qvd")).await.0, 201);
    assert_eq!((read(&world, "to/moved/b.qvd"), names(&world.path("from")).len()), ("a".to_owned(), 0));
    assert_eq!(ask(&butler, "DELETE", "filedelete", &json!({ "deleteFile": text(&world, "to/x") })).await, (204, Value::Null));
    assert_eq!(names(&world.path("to")), ["moved"]);
    assert_eq!(ask(&butler, "POST", "createdirqvd", &json!({ "directory": "a/b" })).await.0, 201);
    assert!(world.path("qvd/a/b").is_dir());

    for (method, endpoint, body) in [
        ("PUT", "filecopy", pair(&world, "outside/secret", "to/secret")),
        ("PUT", "filecopy", pair(&world, "from/../outside/secret", "to/secret")),
        ("PUT", "filemove", pair(&world, "outside/secret", "to/moved/secret")),
        ("DELETE", "filedelete", json!({ "deleteFile": text(&world, "outside/secret") })),
        ("DELETE", "filedelete", json!({ "deleteFile": text(&world, "to") })),
        ("POST", "createdirqvd", json!({ "directory": "../outside/x" })),
    ] {
        assert_eq!(ask(&butler, method, endpoint, &body).await.0, 403, "{endpoint} {body}");
    }
    // Directories anywhere are not made unless that is switched on.
    assert_eq!(ask(&butler, "POST", "createdir", &json!({ "directory": text(&world, "outside/x") })).await.0, 404);
    assert_eq!(names(&world.path("outside")), ["secret"]);
    let log = butler.log();
    for words in ["An approved directory of [files] is not there", "later", "done.", "refused.", "no approved directory holds it"] {
        assert!(log.contains(words), "no {words:?} in {log}");
    }
}

#[tokio::test]
async fn directories_anywhere_are_a_matter_of_configuration() {
    let world = world("[api.endpoints]\ncreate_dir = true\nfile_copy = false\n").await;
    let butler = world.serve().await;
    let directory = text(&world, "outside/a/b");
    let created = ask(&butler, "POST", "createdir", &json!({ "directory": directory })).await;
    assert_eq!(created, (201, json!({ "directory": directory })));
    assert!(world.path("outside/a/b").is_dir());
    assert_eq!(ask(&butler, "PUT", "filecopy", &pair(&world, "from/a", "to/a")).await.0, 404);
    assert!(butler.log().contains("may create directories anywhere"), "{}", butler.log());
}

/// A file that takes longer to copy than anybody waits, though it takes no room yet.
fn endless(world: &World) {
    let file = std::fs::File::create(world.path("from/big")).expect("a file");
    file.set_len(1 << 42).expect("a file system that knows holes");
}

/// Begins to copy it, and waits until something of it is there.
async fn copying(world: &World, butler: &Proc) -> tokio::task::JoinHandle<()> {
    let url = format!("http://{}/v4/filecopy", butler.address("api"));
    let request = http().put(url).header("content-type", "application/json").body(pair(world, "from/big", "to/big").to_string());
    let asking = tokio::spawn(async move {
        // It is never answered, or with a fault.
        let _ = request.send().await;
    });
    eventually("a part of the copy", async || (!names(&world.path("to")).is_empty()).then_some(())).await;
    asking
}

/// Holes this large are known to file systems of Unix.
#[cfg(unix)]
#[tokio::test]
async fn half_a_copy_is_never_taken_for_a_whole_one() {
    let world = world("").await;
    endless(&world);
    let butler = world.serve().await;
    let asking = copying(&world, &butler).await;
    butler.kill().await;
    asking.await.expect("no panic");
    let left = names(&world.path("to"));
    assert!(left.len() == 1 && left[0].starts_with(".butler-part-"), "{left:?}");
    // It is in nobody's way, and may be deleted.
    let butler = world.serve().await;
    std::fs::write(world.path("from/big"), "small").expect("a file");
    assert_eq!(ask(&butler, "PUT", "filecopy", &pair(&world, "from/big", "to/big")).await.0, 201);
    assert_eq!(read(&world, "to/big"), "small");
    let part = json!({ "deleteFile": text(&world, &format!("to/{}", left[0])) });
    assert_eq!(ask(&butler, "DELETE", "filedelete", &part).await.0, 204);
}

#[cfg(unix)]
#[tokio::test]
async fn an_end_in_order_leaves_nothing_half_done() {
    let world = world("").await;
    endless(&world);
    let mut butler = world.serve().await;
    let asking = copying(&world, &butler).await;
    butler.press_ctrl_c().await;
    assert!(butler.ended().await.success(), "{}", butler.log());
    asking.await.expect("no panic");
    assert_eq!(names(&world.path("to")), [""; 0]);
}

/// The most memory that a process has ever held, in KiB.
#[cfg(target_os = "linux")]
fn peak(butler: &Proc) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", butler.id())).expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_big_file_takes_little_memory() {
    let world = world("").await;
    std::fs::File::create(world.path("from/big")).expect("a file").set_len(400 << 20).expect("a hole");
    let butler = world.serve().await;
    let before = peak(&butler);
    assert_eq!(ask(&butler, "PUT", "filecopy", &pair(&world, "from/big", "to/big")).await.0, 201);
    assert_eq!(std::fs::metadata(world.path("to/big")).expect("a file").len(), 400 << 20);
    let more = peak(&butler) - before;
    assert!(more < 32 << 10, "{more} KiB more");
}
