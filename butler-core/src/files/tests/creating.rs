use super::*;

fn asking(directory: &str) -> CreateDirRequest {
    CreateDirRequest { directory: directory.to_owned() }
}

#[tokio::test]
async fn directories_are_made_anywhere_unless_that_is_limited() {
    let yard = Yard::new();
    for _ in 0..2 {
        let receipt = yard.files.create_dir(asking(&yard.text("outside/a//b"))).await.unwrap();
        assert_eq!(receipt.directory, yard.text("outside/a//b"));
    }
    assert!(yard.at("outside/a/b").is_dir());
    let in_the_way = yard.files.create_dir(asking(&yard.text("outside/secret.txt/x"))).await;
    assert!(matches!(in_the_way, Err(FileError::Io { doing: "created", .. })), "{in_the_way:?}");
    assert!(matches!(yard.files.create_dir(asking("")).await, Err(FileError::Empty { .. })));
    assert!(matches!(yard.files.create_dir(asking("a\0b")).await, Err(FileError::InvalidPath { .. })));
    assert!(matches!(yard.files.create_dir(asking(&"a/".repeat(500_000))).await, Err(FileError::InvalidPath { .. })));
    assert!(matches!(yard.files.create_dir(asking(&yard.text(&"a/".repeat(5_000)))).await, Err(FileError::InvalidPath { .. })));

    let yard = Yard::with(|settings| settings.create = Some(vec![settings.copy[0].to.clone()]));
    yard.files.create_dir(asking(&yard.text("to/a/b"))).await.unwrap();
    yard.files.create_dir(asking(&yard.text("to"))).await.unwrap();
    assert_eq!(why(yard.files.create_dir(asking(&yard.text("to/../outside/a"))).await), Refusal::NotListed);
    assert_eq!((yard.names("to"), yard.names("outside")), (vec!["a/".into(), "a/b/".into()], vec!["secret.txt".to_owned()]));
}

#[tokio::test]
async fn directories_of_the_qvd_folder_stay_there() {
    let yard = Yard::new();
    for directory in ["a", "/b/c", r"d\e", "", ".", "../qvd/f", "a"] {
        let receipt = yard.files.create_dir_qvd(asking(directory)).await.unwrap();
        assert_eq!(receipt.directory, directory);
    }
    assert_eq!(yard.names("qvd"), ["a/", "b/", "b/c/", "d/", "d/e/", "f/"]);
    for directory in ["../x", r"..\..\x", "../qvdx", "a/../../x"] {
        assert_eq!(why(yard.files.create_dir_qvd(asking(directory)).await), Refusal::NotListed, "{directory}");
    }
    fs::remove_dir_all(yard.at("qvd")).unwrap();
    yard.files.create_dir_qvd(asking("")).await.unwrap();
    assert!(yard.at("qvd").is_dir());
    yard.write("qvd/file", "x");
    assert!(matches!(yard.files.create_dir_qvd(asking("file/x")).await, Err(FileError::WrongKind { .. })));
    let none = Yard::with(|settings| settings.qvd_folder = None);
    assert!(matches!(none.files.create_dir_qvd(asking("a")).await, Err(FileError::NoQvdFolder)));
}

#[cfg(unix)]
#[tokio::test]
async fn links_do_not_lead_out_of_it() {
    let yard = Yard::new();
    std::os::unix::fs::symlink(yard.at("outside"), yard.at("qvd/out")).unwrap();
    std::os::unix::fs::symlink(yard.at("qvd/a"), yard.at("qvd/in")).unwrap();
    fs::create_dir(yard.at("qvd/a")).unwrap();
    assert_eq!(why(yard.files.create_dir_qvd(asking("out/x")).await), Refusal::LeadsOut);
    assert_eq!(why(yard.files.create_dir_qvd(asking("out")).await), Refusal::LeadsOut);
    yard.files.create_dir_qvd(asking("in/x")).await.unwrap();
    assert!(yard.at("qvd/a/x").is_dir());
    let allowed = Yard::with(|settings| settings.follow_links = true);
    std::os::unix::fs::symlink(allowed.at("outside"), allowed.at("qvd/out")).unwrap();
    allowed.files.create_dir_qvd(asking("out/x")).await.unwrap();
    assert!(allowed.at("outside/x").is_dir());
}
