//! Somebody exchanges directories and files for links all the time. What they lead to is never read, changed or deleted.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::folder::Folder;
use super::*;

/// While it lives, two names are exchanged over and over, so that either is always there.
struct Swapping {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Swapping {
    fn begin(one: PathBuf, other: PathBuf) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // One of them may just be gone: then the next time.
                let _ = renameat2(AT_FDCWD, &one, AT_FDCWD, &other, RenameFlags::RENAME_EXCHANGE);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Swapping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// What became of many attempts.
#[derive(Debug, Default)]
struct Tally {
    done: u32,
    refused: u32,
    other: u32,
}

impl Tally {
    fn count<T>(&mut self, result: &Result<T, FileError>) {
        match result {
            Ok(_) => self.done += 1,
            Err(error) if error.is_refusal() => self.refused += 1,
            Err(_) => self.other += 1,
        }
    }

    /// Whether there were enough of them, and of each sort.
    fn goes_on(&self) -> bool {
        let all = self.done + self.refused + self.other;
        assert!(all < 1_000_000, "{self:?}");
        all < 1_000 || self.done == 0 || self.refused == 0
    }
}

/// Tries it until there were enough attempts, and of each sort.
async fn try_often<T>(mut attempt: impl AsyncFnMut() -> Result<T, FileError>) {
    let mut tally = Tally::default();
    while tally.goes_on() {
        tally.count(&attempt().await);
    }
}

/// The same with a copy of a file whose text is never that of what is outside.
async fn copy_often(yard: &Yard, from: &str, to: &str, text: &str) {
    try_often(async || {
        let copied = yard.files.copy(CopyRequest { overwrite: true, ..yard.copying(from, to) }).await;
        if copied.is_ok() {
            assert_eq!(yard.read(to), text);
        }
        copied
    })
    .await;
}

/// A directory `mid` below `folder` with a file `a`, and beside it a link to the outside, where there is an `a` as well.
fn swapped(yard: &Yard, folder: &str) -> (Folder, Swapping) {
    yard.write(&format!("{folder}/mid/a"), "inside");
    yard.write("outside/a", SECRET);
    symlink(yard.at("outside"), yard.at(folder).join("link")).unwrap();
    let held = Folder::open(&yard.at(folder).join("mid")).unwrap();
    (held, Swapping::begin(yard.at(folder).join("mid"), yard.at(folder).join("link")))
}

fn unharmed(yard: &Yard) {
    assert_eq!(yard.names("outside"), ["a", "secret.txt"]);
    assert_eq!(yard.read("outside/a"), SECRET);
}

#[tokio::test]
async fn a_source_on_the_way() {
    let yard = Yard::new();
    let (_held, _swapping) = swapped(&yard, "from");
    copy_often(&yard, "from/mid/a", "to/a", "inside").await;
    assert_eq!(yard.names("to"), ["a"]);
    unharmed(&yard);
}

#[tokio::test]
async fn the_source_itself() {
    let yard = Yard::new();
    yard.write("from/a", "inside");
    yard.write("outside/a", SECRET);
    symlink(yard.at("outside/a"), yard.at("from/link")).unwrap();
    let _swapping = Swapping::begin(yard.at("from/a"), yard.at("from/link"));
    copy_often(&yard, "from/a", "to/a", "inside").await;
    unharmed(&yard);
}

#[tokio::test]
async fn a_source_within_a_tree() {
    let yard = Yard::new();
    let (_held, _swapping) = swapped(&yard, "from");
    try_often(async || {
        let result = yard.copy("from", "to/t").await;
        assert_eq!(why(result), Refusal::NotListed);
        let copied = yard.files.copy(CopyRequest { overwrite: true, ..yard.copying("from/mid", "to/t") }).await;
        for name in yard.names("to") {
            if name.ends_with("/a") {
                assert_eq!(yard.read(&format!("to/{name}")), "inside");
            }
            assert!(!name.ends_with("secret.txt"));
        }
        copied
    })
    .await;
    unharmed(&yard);
}

#[tokio::test]
async fn a_destination_on_the_way() {
    let yard = Yard::new();
    yard.write("from/a", "copied");
    let (_held, _swapping) = swapped(&yard, "to");
    try_often(async || yard.files.copy(CopyRequest { overwrite: true, ..yard.copying("from/a", "to/mid/deep/a") }).await).await;
    unharmed(&yard);
}

#[tokio::test]
async fn what_is_deleted() {
    let yard = Yard::new();
    let (held, _swapping) = swapped(&yard, "gone");
    try_often(async || {
        let deleted = yard.delete("gone/mid/a").await;
        if deleted.is_ok() {
            held.create(OsStr::new("a")).unwrap().write_all(b"inside").unwrap();
        }
        deleted
    })
    .await;
    unharmed(&yard);
}

/// Here the link itself may be deleted, and whatever is in the tree.
#[tokio::test]
async fn what_is_deleted_with_a_tree() {
    let yard = Yard::new();
    yard.write("outside/a", SECRET);
    symlink(yard.at("outside"), yard.at("link")).unwrap();
    fs::create_dir_all(yard.at("gone/tree/mid")).unwrap();
    let swapping = Swapping::begin(yard.at("gone/tree/mid"), yard.at("link"));
    for _ in 0..300 {
        for number in 0..5 {
            let _ = fs::create_dir_all(yard.at(&format!("gone/tree/{number}")));
        }
        if fs::symlink_metadata(yard.at("gone/tree/mid")).is_err() {
            // Of the two one is a directory and one is a link.
            if fs::symlink_metadata(yard.at("link")).unwrap().is_dir() {
                let _ = symlink(yard.at("outside"), yard.at("gone/tree/mid"));
            } else {
                let _ = fs::create_dir(yard.at("gone/tree/mid"));
            }
        }
        let _ = yard.delete("gone/tree").await;
    }
    drop(swapping);
    unharmed(&yard);
}

#[tokio::test]
async fn what_is_moved() {
    let yard = Yard::new();
    let (held, _swapping) = swapped(&yard, "from");
    try_often(async || {
        let moved = yard.move_to("from/mid/a", "to/a", true).await;
        if moved.is_ok() {
            assert_eq!(yard.read("to/a"), "inside");
            held.create(OsStr::new("a")).unwrap().write_all(b"inside").unwrap();
        }
        moved
    })
    .await;
    unharmed(&yard);
}

#[tokio::test]
async fn a_directory_that_is_made() {
    let yard = Yard::new();
    let (_held, _swapping) = swapped(&yard, "qvd");
    let mut number = 0;
    try_often(async || {
        number += 1;
        yard.files.create_dir_qvd(CreateDirRequest { directory: format!("mid/{number}/b") }).await
    })
    .await;
    unharmed(&yard);
}

#[tokio::test]
async fn the_approved_directory_itself() {
    let yard = Yard::new();
    yard.write("from/a", "inside");
    yard.write("outside/a", SECRET);
    yard.files.find().await;
    symlink(yard.at("outside"), yard.at("link")).unwrap();
    let _swapping = Swapping::begin(yard.at("from"), yard.at("link"));
    copy_often(&yard, "from/a", "to/a", "inside").await;
    unharmed(&yard);
}

/// Nor what that lies in.
#[tokio::test]
async fn what_the_approved_directory_lies_in() {
    let yard = Yard::with(|settings| settings.copy[0].from = settings.copy[0].from.join("mid/deep"));
    yard.write("from/mid/deep/a", "inside");
    yard.write("outside/deep/a", SECRET);
    yard.files.find().await;
    symlink(yard.at("outside"), yard.at("from/link")).unwrap();
    let _swapping = Swapping::begin(yard.at("from/mid"), yard.at("from/link"));
    copy_often(&yard, "from/mid/deep/a", "to/a", "inside").await;
    assert_eq!(yard.names("outside"), ["deep/", "deep/a", "secret.txt"]);
}
