use super::*;

#[tokio::test]
async fn files_and_directories_are_deleted() {
    let yard = Yard::new();
    yard.write("gone/a", "x");
    yard.write("gone/d/b/c", "x");
    yard.write("gone/d/e", "x");
    assert_eq!(yard.delete("gone//./a").await.unwrap().path, yard.text("gone/a"));
    yard.delete("gone/d/").await.unwrap();
    assert!(yard.names("gone").is_empty());
    assert!(matches!(yard.delete("gone/a").await, Err(FileError::Missing { .. })));
    assert!(matches!(yard.delete("gone/a/b").await, Err(FileError::Missing { .. })));
}

#[tokio::test]
async fn an_approved_directory_stays_and_what_holds_it() {
    let yard = Yard::with(|settings| {
        let gone = settings.delete[0].clone();
        settings.delete.push(gone.join("inner/approved"));
    });
    yard.write("gone/inner/approved/x", "x");
    assert_eq!(why(yard.delete("gone").await), Refusal::NotListed);
    assert_eq!(why(yard.delete("gone/.").await), Refusal::NotListed);
    assert_eq!(why(yard.delete("gone/inner").await), Refusal::Approved);
    assert_eq!(why(yard.delete("gone/inner/approved").await), Refusal::Approved);
    assert_eq!(yard.read("gone/inner/approved/x"), "x");
    yard.delete("gone/inner/approved/x").await.unwrap();
}

#[tokio::test]
async fn what_is_elsewhere_is_not_deleted_nor_known() {
    let yard = Yard::new();
    for path in ["outside/secret.txt", "outside/none", "gone/../outside/secret.txt", "gonee/x", "from/x"] {
        assert_eq!(why(yard.delete(path).await), Refusal::NotListed, "{path}");
    }
    assert_eq!(yard.read("outside/secret.txt"), SECRET);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_deleted_and_not_what_it_leads_to() {
    let yard = Yard::new();
    std::os::unix::fs::symlink(yard.at("outside"), yard.at("gone/link")).unwrap();
    std::os::unix::fs::symlink(yard.at("outside/none"), yard.at("gone/dangling")).unwrap();
    fs::create_dir(yard.at("gone/d")).unwrap();
    std::os::unix::fs::symlink(yard.at("outside"), yard.at("gone/d/link")).unwrap();
    nix::unistd::mkfifo(&yard.at("gone/d/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in ["gone/link", "gone/dangling", "gone/d"] {
        yard.delete(path).await.unwrap();
    }
    assert!(yard.names("gone").is_empty());
    assert_eq!(yard.read("outside/secret.txt"), SECRET);
}

#[tokio::test]
async fn however_deep_a_directory_is_it_goes_as_a_whole() {
    let yard = Yard::new();
    let deep = format!("gone/d{}", "/d".repeat(350));
    fs::create_dir_all(yard.at(&deep)).unwrap();
    yard.write(&format!("{deep}/a"), "x");
    yard.write("gone/d/d/a", "x");
    yard.delete("gone/d").await.unwrap();
    assert!(yard.names("gone").is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn links_on_the_way_to_an_approved_directory_stay() {
    let yard = Yard::with(|settings| {
        let (gone, qvd) = (settings.delete[0].clone(), settings.qvd_folder.clone().unwrap());
        settings.qvd_folder = Some(gone.join("way/qvd"));
        settings.delete.push(qvd);
    });
    fs::create_dir_all(yard.at("outside/qvd")).unwrap();
    std::os::unix::fs::symlink(yard.at("outside"), yard.at("gone/way")).unwrap();
    std::os::unix::fs::symlink(yard.at("gone"), yard.at("qvd/gone")).unwrap();
    // Whether it was found yet or not.
    assert_eq!(why(yard.delete("gone/way").await), Refusal::Approved);
    yard.files.find().await;
    assert_eq!(why(yard.delete("gone/way").await), Refusal::Approved);
    assert!(yard.at("gone/way/qvd").is_dir());
}

/// A directory on a machine that is switched off would hold up those that look for it.
#[cfg(unix)]
#[tokio::test]
async fn other_directories_are_not_looked_for() {
    use std::os::unix::fs::symlink;
    let yard = Yard::with(|settings| settings.qvd_folder = Some(settings.delete[0].with_file_name("link")));
    fs::create_dir(yard.at("first")).unwrap();
    symlink(yard.at("first"), yard.at("link")).unwrap();
    yard.write("gone/a", "x");
    yard.write("gone/d/a", "x");
    yard.delete("gone/a").await.unwrap();
    yard.delete("gone/d").await.unwrap();
    // It is found now, and not where it was then.
    fs::remove_file(yard.at("link")).unwrap();
    symlink(yard.at("qvd"), yard.at("link")).unwrap();
    yard.files.create_dir_qvd(CreateDirRequest { directory: "x".into() }).await.unwrap();
    assert!(yard.at("qvd/x").is_dir());
}
