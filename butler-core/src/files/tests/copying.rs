use std::time::{Duration, SystemTime};

use super::*;

fn an_hour_ago() -> SystemTime {
    SystemTime::now() - Duration::from_hours(1)
}

fn set_modified(path: &Path, time: SystemTime) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_modified(time).unwrap();
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[tokio::test]
async fn a_file_is_copied_and_the_way_to_it_is_made() {
    let yard = Yard::new();
    yard.write("from/a.qvd", "one");
    let receipt = yard.files.copy(CopyRequest {
        from: format!("{}/from/./b/../a.qvd", yard.text("")),
        to: yard.text("to/x//y/a.qvd"),
        ..CopyRequest::default()
    });
    let receipt = receipt.await.unwrap();
    assert_eq!((receipt.from, receipt.to), (yard.text("from/a.qvd"), yard.text("to/x/y/a.qvd")));
    assert_eq!((receipt.files, receipt.bytes), (1, 3));
    assert_eq!(yard.read("to/x/y/a.qvd"), "one");
    assert_eq!(yard.names("to"), ["x/", "x/y/", "x/y/a.qvd"]);
    assert_eq!(yard.read("from/a.qvd"), "one");
}

#[tokio::test]
async fn what_is_there_stays_unless_it_may_go() {
    let yard = Yard::new();
    yard.write("from/a", "new");
    yard.write("to/a", "old");
    assert_eq!(yard.copy("from/a", "to/a").await.unwrap().files, 0);
    assert_eq!(yard.read("to/a"), "old");
    let request = CopyRequest { overwrite: true, ..yard.copying("from/a", "to/a") };
    assert_eq!(yard.files.copy(request).await.unwrap().files, 1);
    assert_eq!(yard.read("to/a"), "new");
    assert_eq!(yard.names("to"), ["a"]);
}

#[tokio::test]
async fn times_are_kept_if_asked_for() {
    let yard = Yard::new();
    yard.write("from/d/a", "x");
    let then = an_hour_ago();
    set_modified(&yard.at("from/d/a"), then);
    yard.copy("from/d/a", "to/now").await.unwrap();
    assert!(modified(&yard.at("to/now")) > then + Duration::from_mins(30));
    yard.files.copy(CopyRequest { preserve_timestamp: true, ..yard.copying("from/d/a", "to/then") }).await.unwrap();
    assert_eq!(modified(&yard.at("to/then")), modified(&yard.at("from/d/a")));
    yard.files.copy(CopyRequest { preserve_timestamp: true, ..yard.copying("from/d", "to/d") }).await.unwrap();
    assert_eq!(modified(&yard.at("to/d/a")), modified(&yard.at("from/d/a")));
    assert_eq!(modified(&yard.at("to/d")), modified(&yard.at("from/d")));
}

#[cfg(unix)]
#[tokio::test]
async fn rights_are_kept_but_never_those_of_an_owner() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let yard = Yard::new();
    yard.write("from/d/a", "x");
    fs::set_permissions(yard.at("from/d/a"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(yard.at("from/d"), fs::Permissions::from_mode(0o500)).unwrap();
    yard.copy("from/d/a", "to/a").await.unwrap();
    assert_eq!(mode(&yard.at("to/a")), 0o751);
    yard.copy("from/d", "to/d").await.unwrap();
    assert_eq!((mode(&yard.at("to/d")), mode(&yard.at("to/d/a"))), (0o500, 0o751));
    for path in ["from/d", "to/d"] {
        fs::set_permissions(yard.at(path), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[tokio::test]
async fn a_tree_is_copied_into_what_is_there() {
    let yard = Yard::new();
    yard.write("from/t/a", "new a");
    yard.write("from/t/b/c", "new c");
    fs::create_dir(yard.at("from/t/empty")).unwrap();
    yard.write("from/t/.butler-part-0123", "half a file of somebody else's copy");
    yard.write("to/t/a", "old a");
    yard.write("to/t/z", "old z");
    let receipt = yard.copy("from/t", "to/t").await.unwrap();
    assert_eq!((receipt.files, receipt.bytes), (1, 5));
    assert_eq!(yard.names("to/t"), ["a", "b/", "b/c", "empty/", "z"]);
    assert_eq!(yard.read("to/t/a"), "old a");
    yard.files.copy(CopyRequest { overwrite: true, ..yard.copying("from/t", "to/t") }).await.unwrap();
    assert_eq!(yard.read("to/t/a"), "new a");
}

#[tokio::test]
async fn what_is_not_there_is_missing_and_what_does_not_fit_is_said() {
    let yard = Yard::new();
    yard.write("from/a", "x");
    yard.write("to/d/x", "x");
    yard.write("from/d/x", "x");
    yard.write("to/f", "x");
    assert!(matches!(yard.copy("from/none", "to/x").await, Err(FileError::Missing { .. })));
    assert!(matches!(yard.copy("from/none/deeper", "to/x").await, Err(FileError::Missing { .. })));
    assert!(matches!(yard.copy("from/a/deeper", "to/x").await, Err(FileError::Missing { .. })));
    assert!(matches!(yard.copy("from/a", "to/d").await, Err(FileError::WrongKind { why: "is a directory", .. })));
    assert!(matches!(yard.copy("from/d", "to/f").await, Err(FileError::WrongKind { why: "is no directory", .. })));
    assert!(matches!(yard.copy("from/a", "to/f/deeper/x").await, Err(FileError::WrongKind { .. })));
    assert_eq!(yard.names("to"), ["d/", "d/x", "f"]);
    for (from, to) in [("", "to/x"), ("from/a", "")] {
        let request = CopyRequest { from: from.into(), to: to.into(), ..CopyRequest::default() };
        assert!(matches!(yard.files.copy(request).await, Err(FileError::Empty { .. })));
    }
}

#[tokio::test]
async fn nothing_is_copied_onto_or_into_itself() {
    let yard =
        Yard::with(|settings| settings.copy.push(DirectoryPair { from: settings.copy[0].from.clone(), to: settings.copy[0].from.clone() }));
    yard.write("from/d/a", "precious");
    for overwrite in [false, true] {
        let copy = |from, to| yard.files.copy(CopyRequest { overwrite, ..yard.copying(from, to) });
        assert!(matches!(copy("from/d/a", "from/d/a").await, Err(FileError::Same { .. })));
        assert!(matches!(copy("from/d", "from/d").await, Err(FileError::Same { .. })));
        assert!(matches!(copy("from/d", "from/d/e").await, Err(FileError::Within { .. })));
        assert!(matches!(copy("from/d", "from/d/e/f/g").await, Err(FileError::Within { .. })));
    }
    fs::hard_link(yard.at("from/d/a"), yard.at("from/b")).unwrap();
    let request = CopyRequest { overwrite: true, ..yard.copying("from/d/a", "from/b") };
    let copied = yard.files.copy(request).await;
    // Windows does not say that two names are those of one file. The second becomes a file of its own there.
    assert!(cfg!(windows) || matches!(copied, Err(FileError::Same { .. })), "{copied:?}");
    assert_eq!(
        (yard.read("from/d/a"), yard.read("from/b"), yard.names("from/d")),
        ("precious".into(), "precious".into(), vec!["a".to_owned()])
    );
}

#[tokio::test]
async fn a_directory_that_comes_later_counts_from_then_on() {
    let yard = Yard::with(|settings| {
        let top = settings.copy[0].from.parent().unwrap().to_owned();
        settings.copy = vec![DirectoryPair { from: top.join("later/from"), to: top.join("later/to") }];
    });
    yard.files.find().await;
    assert!(matches!(yard.copy("later/from/a", "later/to/a").await, Err(FileError::Missing { .. })));
    assert!(!yard.at("later").exists());
    yard.write("later/from/a", "x");
    yard.copy("later/from/a", "later/to/a").await.unwrap();
    // And one that was made again counts too.
    fs::remove_dir_all(yard.at("later")).unwrap();
    yard.write("later/from/a", "y");
    yard.copy("later/from/a", "later/to/a").await.unwrap();
    assert_eq!(yard.read("later/to/a"), "y");
}

#[cfg(unix)]
#[tokio::test]
async fn pipes_and_names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let yard = Yard::new();
    nix::unistd::mkfifo(&yard.at("from/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(yard.copy("from/pipe", "to/pipe").await, Err(FileError::WrongKind { .. })));
    yard.write("from/t/a", "x");
    let odd = OsStr::from_bytes(b"odd\xff\nname");
    fs::write(yard.at("from/t").join(odd), "y").unwrap();
    assert_eq!(yard.copy("from/t", "to/t").await.unwrap().files, 2);
    assert_eq!(fs::read_to_string(yard.at("to/t").join(odd)).unwrap(), "y");
    fs::rename(yard.at("from/pipe"), yard.at("from/t/pipe")).unwrap();
    assert!(matches!(yard.copy("from/t", "to/u").await, Err(FileError::WrongKind { .. })));
    assert!(!yard.at("to/u").exists(), "a tree that can't be copied is left alone");
}

#[tokio::test]
async fn a_tree_may_not_be_endless() {
    let yard = Yard::new();
    let deep = |count| format!("from/d{}", "/d".repeat(count));
    fs::create_dir_all(yard.at(&deep(tree::DEEPEST - 1))).unwrap();
    yard.copy("from/d", "to/d").await.unwrap();
    fs::create_dir(yard.at(&deep(tree::DEEPEST))).unwrap();
    assert!(matches!(yard.copy("from/d", "to/e").await, Err(FileError::WrongKind { .. })));
}

/// Larger than what may be held in memory: the peak of this process is looked at by the test of the whole program.
#[tokio::test]
async fn a_big_file_is_copied_piece_by_piece() {
    let yard = Yard::new();
    let file = fs::File::create(yard.at("from/big")).unwrap();
    file.set_len(300 << 20).unwrap();
    {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = file;
        file.seek(SeekFrom::Start(299 << 20)).unwrap();
        file.write_all(b"near the end").unwrap();
    }
    assert_eq!(yard.copy("from/big", "to/big").await.unwrap().bytes, 300 << 20);
    let copy = fs::read(yard.at("to/big")).unwrap();
    assert_eq!(copy.len(), 300 << 20);
    assert!(copy[299 << 20..].starts_with(b"near the end") && copy[..299 << 20].iter().all(|byte| *byte == 0));
}
