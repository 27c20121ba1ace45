use super::*;

#[tokio::test]
async fn files_and_directories_are_moved() {
    let yard = Yard::new();
    yard.write("from/a", "one");
    yard.write("from/d/b/c", "two");
    let receipt = yard.move_to("from//a", "to/x/a", false).await.unwrap();
    assert_eq!((receipt.from, receipt.to), (yard.text("from/a"), yard.text("to/x/a")));
    yard.move_to("from/d", "to/d", false).await.unwrap();
    assert_eq!(yard.names("to"), ["d/", "d/b/", "d/b/c", "x/", "x/a"]);
    assert!(yard.names("from").is_empty());
}

#[tokio::test]
async fn what_is_there_is_an_error_unless_it_may_go() {
    let yard = Yard::new();
    yard.write("from/a", "new");
    yard.write("to/a", "old");
    assert!(matches!(yard.move_to("from/a", "to/a", false).await, Err(FileError::Exists { .. })));
    assert_eq!((yard.read("from/a"), yard.read("to/a")), ("new".into(), "old".into()));
    yard.move_to("from/a", "to/a", true).await.unwrap();
    assert_eq!(yard.read("to/a"), "new");
    // Whole directories too, and one in place of the other.
    yard.write("from/d/x", "new");
    yard.write("to/d/y/z", "old");
    assert!(matches!(yard.move_to("from/d", "to/d", false).await, Err(FileError::Exists { .. })));
    yard.move_to("from/d", "to/d", true).await.unwrap();
    yard.write("from/f", "file");
    yard.move_to("from/f", "to/d", true).await.unwrap();
    yard.write("from/e/x", "new");
    yard.move_to("from/e", "to/a", true).await.unwrap();
    assert_eq!(yard.names("to"), ["a/", "a/x", "d"]);
    assert!(yard.names("from").is_empty());
}

#[tokio::test]
async fn nothing_is_moved_into_itself_and_nothing_is_lost() {
    let yard = Yard::with(|settings| {
        settings.r#move.push(DirectoryPair { from: settings.copy[0].from.clone(), to: settings.copy[0].from.clone() })
    });
    yard.write("from/d/e/a", "precious");
    for overwrite in [false, true] {
        assert!(matches!(yard.move_to("from/d", "from/d", overwrite).await, Err(FileError::Same { .. })));
        assert!(matches!(yard.move_to("from/d", "from/d/e/f", overwrite).await, Err(FileError::Within { .. })));
        assert!(matches!(yard.move_to("from/d/e", "from/d", overwrite).await, Err(FileError::Within { .. })));
        assert!(matches!(yard.move_to("from/none", "to/x", overwrite).await, Err(FileError::Missing { .. })));
    }
    assert_eq!(yard.read("from/d/e/a"), "precious");
    // Another name in the same directory is fine.
    yard.move_to("from/d", "from/D2", false).await.unwrap();
    assert_eq!(yard.read("from/D2/e/a"), "precious");
}

#[tokio::test]
async fn an_approved_directory_is_not_overwritten() {
    let yard = Yard::with(|settings| {
        let to = settings.copy[0].to.clone();
        settings.delete.push(to.join("inner/kept"));
    });
    yard.write("from/d/x", "new");
    yard.write("to/inner/kept/file", "old");
    yard.files.find().await;
    assert_eq!(why(yard.move_to("from/d", "to/inner", true).await), Refusal::Approved);
    assert_eq!(why(yard.move_to("from/d", "to/inner/kept", true).await), Refusal::Approved);
    assert_eq!((yard.read("from/d/x"), yard.read("to/inner/kept/file")), ("new".into(), "old".into()));
}

/// Memory is another file system than the disk on Linux.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_file_system_is_reached_by_copying() {
    use std::os::unix::fs::MetadataExt;
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let yard = Yard::with(|settings| settings.r#move[0].to = elsewhere.path().to_owned());
    if fs::metadata(elsewhere.path()).unwrap().dev() == fs::metadata(yard.at("from")).unwrap().dev() {
        return;
    }
    let to = |name: &str| format!("{}/{name}", elsewhere.path().display());
    let moving = |from: &str, name: &str, overwrite| yard.files.move_to(MoveRequest { from: yard.text(from), to: to(name), overwrite });
    yard.write("from/a", "one");
    let time = fs::metadata(yard.at("from/a")).unwrap().modified().unwrap();
    moving("from/a", "x/a", false).await.unwrap();
    assert_eq!(fs::read_to_string(to("x/a")).unwrap(), "one");
    assert_eq!(fs::metadata(to("x/a")).unwrap().modified().unwrap(), time);
    yard.write("from/a", "two");
    assert!(matches!(moving("from/a", "x/a", false).await, Err(FileError::Exists { .. })));
    moving("from/a", "x/a", true).await.unwrap();
    assert_eq!(fs::read_to_string(to("x/a")).unwrap(), "two");
    yard.write("from/d/e/f", "three");
    std::os::unix::fs::symlink("e/f", yard.at("from/d/link")).unwrap();
    moving("from/d", "d", false).await.unwrap();
    assert_eq!(fs::read_to_string(to("d/link")).unwrap(), "three");
    std::os::unix::fs::symlink("a", yard.at("from/link")).unwrap();
    yard.write("from/a", "four");
    moving("from/link", "link", false).await.unwrap();
    assert_eq!(fs::read_link(to("link")).unwrap(), Path::new("a"));
    assert_eq!(yard.names("from"), ["a"]);
    let left: Vec<_> = fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(part::PREFIX)), "{left:?}");
}
