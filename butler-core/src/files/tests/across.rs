//! Moves to another file system. Memory is one beside the disk, on Linux.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use nix::unistd::{Uid, setfsuid};

use super::own_name::{KEPT, PART};
use super::turns::Stop;
use super::*;
use crate::testkit::Logs;

/// A yard whose `from` is in memory, if that is another file system here.
fn apart() -> Option<(Yard, tempfile::TempDir)> {
    let memory = tempfile::tempdir_in("/dev/shm").ok()?;
    let yard = Yard::with(|settings| settings.r#move[0].from = memory.path().to_owned());
    fs::remove_dir(yard.at("from")).unwrap();
    symlink(memory.path(), yard.at("from")).unwrap();
    (fs::metadata(memory.path()).unwrap().dev() != fs::metadata(yard.at("to")).unwrap().dev()).then_some((yard, memory))
}

fn request(yard: &Yard, from: &str, to: &str, overwrite: bool) -> MoveRequest {
    let from = yard.at("from").read_link().unwrap().join(from).display().to_string();
    MoveRequest { from, to: yard.text(to), overwrite }
}

/// Does it as somebody who may not do everything.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if Uid::effective().is_root() {
                // This thread alone, and only what has to do with files.
                setfsuid(Uid::from_raw(65_534));
            }
            work()
        });
        thread.join().unwrap()
    })
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What has a name of this beginning.
fn named_like(yard: &Yard, folder: &str, beginning: &str) -> Vec<String> {
    let own = fs::read_dir(yard.at(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    own.filter(|name| name.starts_with(beginning)).collect()
}

#[tokio::test]
async fn another_file_system_is_reached_by_copying() {
    let Some((yard, _memory)) = apart() else { return };
    let moving = |from: &str, to: &str, overwrite| yard.files.move_to(request(&yard, from, to, overwrite));
    yard.write("from/a", "one");
    let time = fs::metadata(yard.at("from/a")).unwrap().modified().unwrap();
    moving("a", "to/x/a", false).await.unwrap();
    assert_eq!(yard.read("to/x/a"), "one");
    assert_eq!(fs::metadata(yard.at("to/x/a")).unwrap().modified().unwrap(), time);
    yard.write("from/a", "two");
    assert!(matches!(moving("a", "to/x/a", false).await, Err(FileError::Exists { .. })));
    moving("a", "to/x/a", true).await.unwrap();
    assert_eq!(yard.read("to/x/a"), "two");
    yard.write("from/d/e/f", "three");
    symlink("e/f", yard.at("from/d/link")).unwrap();
    moving("d", "to/d", false).await.unwrap();
    assert_eq!(yard.read("to/d/link"), "three");
    symlink("a", yard.at("from/link")).unwrap();
    yard.write("from/a", "four");
    moving("link", "to/link", false).await.unwrap();
    assert_eq!(fs::read_link(yard.at("to/link")).unwrap(), Path::new("a"));
    // One in place of the other.
    moving("a", "to/d", true).await.unwrap();
    yard.write("from/d/g", "five");
    moving("d", "to/link", true).await.unwrap();
    yard.write("from/d/h", "six");
    moving("d", "to/link", true).await.unwrap();
    assert_eq!(yard.names("to"), ["d", "link/", "link/h", "x/", "x/a"]);
    assert!(yard.names("from").is_empty());
}

/// While it is copied, which takes as long as it likes, what is to be overwritten stays in its place; and for good if nothing comes of it.
#[tokio::test]
async fn what_is_overwritten_stays_until_the_copy_is_whole() {
    let Some((yard, _memory)) = apart() else { return };
    yard.write("to/d/old", "old");
    yard.write("from/d/new", "new");
    // Larger than any disk.
    fs::File::create(yard.at("from/d/big")).unwrap().set_len(1 << 42).unwrap();
    let moving = yard.files.move_to(request(&yard, "d", "to/d", true));
    let ending = async {
        while named_like(&yard, "to", PART).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(yard.read("to/d/old"), "old");
        yard.files.close().await;
    };
    let (moved, ()) = tokio::join!(moving, ending);
    assert!(matches!(moved, Err(FileError::Stopped)), "{moved:?}");
    assert_eq!(yard.names("to"), ["d/", "d/old"]);
    assert_eq!(yard.names("from"), ["d/", "d/big", "d/new"]);
}

/// Else a second attempt would bring what is left of the source over the whole copy.
#[test]
fn a_source_that_can_not_be_deleted_does_not_look_whole() {
    let Some((yard, memory)) = apart() else { return };
    for (path, text) in [("from/d/a", "first"), ("from/d/fixed/b", "can't be deleted"), ("from/d/z", "last")] {
        yard.write(path, text);
    }
    for path in [yard.folder.path(), memory.path(), &yard.at("from/d"), &yard.at("to")] {
        set_mode(path, 0o777);
    }
    set_mode(&yard.at("from/d/fixed"), 0o555);
    let asked = request(&yard, "d", "to/d", false);
    let (moved, lines) = as_nobody(|| {
        let logs = Logs::keep();
        (yard.files.work.move_to(&asked, &Stop::default()), logs.lines())
    });
    moved.unwrap();
    let whole = ["d/", "d/a", "d/fixed/", "d/fixed/b", "d/z"];
    assert_eq!(yard.names("to"), whole);
    let kept = named_like(&yard, "from", KEPT);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(lines.iter().any(|line| line.contains(&kept[0]) && line.contains("could not be deleted")), "{lines:?}");
    let again = yard.files.work.move_to(&MoveRequest { overwrite: true, ..asked }, &Stop::default());
    assert!(matches!(again, Err(FileError::Missing { .. })), "{again:?}");
    assert_eq!(yard.names("to"), whole);
}

/// One that can't even leave its name stays whole.
#[test]
fn a_source_that_can_not_be_taken_away_stays() {
    let Some((yard, memory)) = apart() else { return };
    yard.write("from/d/a", "precious");
    for (path, mode) in [(yard.folder.path(), 0o777), (&yard.at("to"), 0o777), (memory.path(), 0o555)] {
        set_mode(path, mode);
    }
    let moved = as_nobody(|| yard.files.work.move_to(&request(&yard, "d", "to/d", false), &Stop::default()));
    assert!(matches!(moved, Err(FileError::Io { doing: "moved aside", .. })), "{moved:?}");
    assert_eq!((yard.read("from/d/a"), yard.read("to/d/a")), ("precious".into(), "precious".into()));
}

/// Nothing is deleted that was not copied.
#[tokio::test]
async fn what_looks_unfinished_goes_along() {
    let Some((yard, _memory)) = apart() else { return };
    yard.write("from/d/.butler-part-0123", "left by a crash, or so it looks");
    yard.files.move_to(request(&yard, "d", "to/d", false)).await.unwrap();
    assert_eq!(yard.names("to"), ["d/", "d/.butler-part-0123"]);
    assert!(yard.names("from").is_empty());
}

#[tokio::test]
async fn a_tree_that_can_not_be_moved_as_a_whole_is_left_alone() {
    let Some((yard, _memory)) = apart() else { return };
    yard.write("from/d/a", "x");
    nix::unistd::mkfifo(&yard.at("from/d/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(yard.files.move_to(request(&yard, "d", "to/d", false)).await, Err(FileError::WrongKind { .. })));
    assert_eq!((yard.names("from"), yard.names("to")), (vec!["d/".into(), "d/a".into(), "d/pipe".into()], vec![]));
}

/// What somebody writes in the meantime is met as another thing than what was copied.
#[test]
fn only_what_was_copied_is_deleted() {
    let yard = Yard::new();
    let stop = Stop::default();
    let how = copy::How { operation: "move", overwrite: false, with_times: true, any_link: true, unfinished: true, stop: &stop };
    let held = folder::Folder::open(&fs::canonicalize(yard.at("from")).unwrap()).unwrap();
    let spot = place::Spot { folder: &held, real: Path::new("from"), name: "d".as_ref() };
    let fresh = || {
        let _ = fs::remove_dir_all(yard.at("from/d"));
        yard.write("from/d/a", "a");
        yard.write("from/d/e/b", "b");
        symlink("a", yard.at("from/d/link")).unwrap();
        snapshot::Snapshot::of(spot, how).unwrap()
    };
    let changes: [(&str, &dyn Fn()); 5] = [
        ("e/new", &|| yard.write("from/d/e/new", "new")),
        ("e/b", &|| yard.write("from/d/e/b", "more")),
        ("e/b", &|| {
            fs::rename(yard.at("from/d/e/b"), yard.at("from/d/e/c")).unwrap();
            fs::copy(yard.at("from/d/e/c"), yard.at("from/d/e/b")).unwrap();
            fs::remove_file(yard.at("from/d/e/c")).unwrap();
        }),
        ("link", &|| {
            fs::remove_file(yard.at("from/d/link")).unwrap();
            yard.write("from/d/link", "no link");
        }),
        ("a/deep", &|| {
            fs::remove_file(yard.at("from/d/a")).unwrap();
            yard.write("from/d/a/deep", "a folder");
        }),
    ];
    for (path, change) in changes {
        let before = fresh();
        before.check(spot, how).unwrap();
        change();
        let now = yard.read(&format!("from/d/{path}"));
        assert!(matches!(before.check(spot, how), Err(FileError::Changed { .. })), "{path}");
        before.remove(spot, &stop).unwrap_err();
        assert_eq!(yard.read(&format!("from/d/{path}")), now, "{path}");
    }
    fresh().remove(spot, &stop).unwrap();
    assert!(yard.names("from").is_empty());
}

/// What may not be deleted does not get a second name.
#[test]
fn a_file_has_one_name_whatever_happens() {
    let yard = Yard::new();
    yard.write("from/a", "x");
    for (path, mode) in [("", 0o755), ("from", 0o555), ("from/a", 0o666), ("to", 0o777)] {
        set_mode(&yard.at(path), mode);
    }
    let open = |name: &str| folder::Folder::open(&fs::canonicalize(yard.at(name)).unwrap()).unwrap();
    let renamed = as_nobody(|| open("from").rename_by_link("a".as_ref(), &open("to"), "a".as_ref()));
    assert_eq!(renamed.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!((yard.names("from"), yard.names("to")), (vec!["a".to_owned()], vec![]));
    set_mode(&yard.at("from"), 0o755);
    open("from").rename_by_link("a".as_ref(), &open("to"), "a".as_ref()).unwrap();
    assert_eq!((yard.names("from"), yard.names("to")), (vec![], vec!["a".to_owned()]));
}
