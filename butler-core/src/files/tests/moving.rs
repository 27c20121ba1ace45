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

#[tokio::test]
async fn an_approved_directory_is_not_moved_away() {
    let yard = Yard::with(|settings| {
        let from = settings.copy[0].from.clone();
        settings.delete.push(from.join("inner/kept"));
    });
    yard.write("from/inner/kept/file", "old");
    for from in ["from/inner", "from/inner/kept"] {
        assert_eq!(why(yard.move_to(from, "to/x/y", true).await), Refusal::Approved);
    }
    assert_eq!(yard.read("from/inner/kept/file"), "old");
    assert!(yard.names("to").is_empty());
    yard.move_to("from/inner/kept/file", "to/x", false).await.unwrap();
}

#[tokio::test]
async fn what_had_to_leave_its_place_is_never_lost() {
    let yard = Yard::new();
    let to = folder::Folder::open(&fs::canonicalize(yard.at("to")).unwrap()).unwrap();
    let spot = place::Spot { folder: &to, real: Path::new("to"), name: "d".as_ref() };
    yard.write("to/d/file", "old");
    aside::Aside::of(spot).unwrap().put_back();
    assert_eq!(yard.names("to"), ["d/", "d/file"]);
    let aside = aside::Aside::of(spot).unwrap();
    let kept = aside.spot().name.to_owned().into_string().unwrap();
    yard.write("to/d", "somebody else's");
    let logs = crate::testkit::Logs::keep();
    aside.put_back();
    assert_eq!(yard.names("to"), [format!("{kept}/"), format!("{kept}/file"), "d".into()]);
    let lines = logs.lines();
    assert!(lines.iter().any(|line| line.contains(&kept) && line.contains("to/d")), "{lines:?}");
}
