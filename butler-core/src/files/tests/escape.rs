//! Links. Windows lets few make them, so they are tried on Unix.
#![cfg(unix)]

use std::os::unix::fs::symlink;

use super::*;

/// In each approved directory: `out`, which leads out; `in`, which leads to its own `real`, by its whole path; and `near`, the same by a relative one.
fn linked(follow_links: bool) -> Yard {
    let yard = Yard::with(|settings| settings.follow_links = follow_links);
    for folder in ["from", "to", "gone"] {
        yard.write(&format!("{folder}/real/a"), folder);
        symlink(yard.at("outside"), yard.at(folder).join("out")).unwrap();
        symlink(yard.at("outside/secret.txt"), yard.at(folder).join("secret")).unwrap();
        symlink(yard.at("outside/none"), yard.at(folder).join("dangling")).unwrap();
        symlink(yard.at(folder).join("real"), yard.at(folder).join("in")).unwrap();
        symlink("real/../real", yard.at(folder).join("near")).unwrap();
        symlink("round", yard.at(folder).join("round")).unwrap();
    }
    yard
}

#[tokio::test]
async fn a_link_that_leads_out_is_refused() {
    let yard = linked(false);
    for from in ["from/out/secret.txt", "from/out/none", "from/secret", "from/out", "from/dangling", "from/round", "from/round/x"] {
        assert_eq!(why(yard.copy(from, "to/x").await), Refusal::LeadsOut, "{from}");
        assert_eq!(why(yard.move_to(from, "to/x", true).await), Refusal::LeadsOut, "{from}");
    }
    // Of a source that is not there nothing is said if the destination leads out.
    for from in ["from/real/a", "from/none"] {
        for to in ["to/out/x", "to/out/secret.txt", "to/out/deep/x"] {
            assert_eq!(why(yard.copy(from, to).await), Refusal::LeadsOut, "{to}");
            assert_eq!(why(yard.move_to(from, to, true).await), Refusal::LeadsOut, "{to}");
        }
    }
    assert_eq!(why(yard.delete("gone/out/secret.txt").await), Refusal::LeadsOut);
    assert_eq!(why(yard.delete("gone/out/none").await), Refusal::LeadsOut);
    assert_eq!(yard.names("outside"), ["secret.txt"]);
    assert_eq!(yard.read("outside/secret.txt"), SECRET);
    assert_eq!(yard.read("from/real/a"), "from");
}

#[tokio::test]
async fn a_link_that_stays_within_is_followed() {
    let yard = linked(false);
    yard.copy("from/in/a", "to/1").await.unwrap();
    yard.copy("from/near/a", "to/in/2").await.unwrap();
    yard.copy("from/near/a", "to/near/deep/3").await.unwrap();
    assert_eq!((yard.read("to/1"), yard.read("to/real/2"), yard.read("to/real/deep/3")), ("from".into(), "from".into(), "from".into()));
    // As the source it stands for what it leads to.
    symlink("in/a", yard.at("from/link")).unwrap();
    yard.copy("from/link", "to/4").await.unwrap();
    assert!(fs::symlink_metadata(yard.at("to/4")).unwrap().is_file());
    yard.copy("from/in", "to/5").await.unwrap();
    assert_eq!(yard.names("to/5"), ["a"]);
    // What is moved is the link.
    yard.move_to("from/link", "to/6", false).await.unwrap();
    assert_eq!(fs::read_link(yard.at("to/6")).unwrap(), Path::new("in/a"));
    yard.delete("gone/in/a").await.unwrap();
    assert!(yard.names("gone/real").is_empty());
}

#[tokio::test]
async fn a_destination_that_is_a_link_is_replaced_and_never_written_through() {
    let yard = linked(false);
    assert_eq!(yard.copy("from/real/a", "to/secret").await.unwrap().files, 0);
    assert_eq!(yard.copy("from/real/a", "to/dangling").await.unwrap().files, 0);
    for name in ["secret", "dangling", "out"] {
        let request = CopyRequest { overwrite: true, ..yard.copying("from/real/a", &format!("to/{name}")) };
        assert_eq!(yard.files.copy(request).await.unwrap().files, 1);
        assert!(fs::symlink_metadata(yard.at("to").join(name)).unwrap().is_file());
    }
    assert_eq!((yard.names("outside"), yard.read("outside/secret.txt")), (vec!["secret.txt".to_owned()], SECRET.to_owned()));
}

#[tokio::test]
async fn links_in_a_tree_are_copied_if_they_stay_in_it() {
    let yard = Yard::new();
    yard.write("from/t/a/b", "x");
    symlink("a/b", yard.at("from/t/good")).unwrap();
    symlink("../good", yard.at("from/t/a/better")).unwrap();
    symlink(".", yard.at("from/t/self")).unwrap();
    yard.copy("from/t", "to/t").await.unwrap();
    assert_eq!((yard.read("to/t/good"), yard.read("to/t/a/better")), ("x".into(), "x".into()));
    for bad in ["../other", "/etc", "self/../../x"] {
        symlink(bad, yard.at("from/t/bad")).unwrap();
        assert_eq!(why(yard.copy("from/t", "to/u").await), Refusal::LeadsOut, "{bad}");
        assert!(!yard.at("to/u").exists());
        fs::remove_file(yard.at("from/t/bad")).unwrap();
    }
}

#[tokio::test]
async fn links_lead_out_where_that_is_allowed() {
    let yard = linked(true);
    yard.copy("from/out/secret.txt", "to/1").await.unwrap();
    yard.copy("from/secret", "to/2").await.unwrap();
    yard.copy("from/real/a", "to/out/3").await.unwrap();
    assert_eq!((yard.read("to/1"), yard.read("to/2"), yard.read("outside/3")), (SECRET.into(), SECRET.into(), "from".into()));
    yard.delete("gone/out/3").await.unwrap();
    assert!(matches!(yard.copy("from/dangling", "to/4").await, Err(FileError::Missing { .. })));
    assert!(matches!(yard.copy("from/round/x", "to/4").await, Err(FileError::Io { .. })));
    assert_eq!(yard.names("outside"), ["secret.txt"]);
}

#[tokio::test]
async fn an_approved_directory_may_be_a_link_but_not_become_another_one() {
    let yard = Yard::with(|settings| settings.delete = vec![settings.delete[0].with_file_name("link")]);
    symlink(yard.at("gone"), yard.at("link")).unwrap();
    yard.write("gone/a", "x");
    yard.write("gone/b", "x");
    yard.files.find().await;
    yard.delete("link/a").await.unwrap();
    // The link is another one now: what was found at first counts.
    fs::remove_file(yard.at("link")).unwrap();
    symlink(yard.at("outside"), yard.at("link")).unwrap();
    assert!(matches!(yard.delete("link/secret.txt").await, Err(FileError::Missing { .. })));
    yard.delete("link/b").await.unwrap();
    // And what was found is a link now.
    fs::rename(yard.at("gone"), yard.at("gone2")).unwrap();
    symlink(yard.at("outside"), yard.at("gone")).unwrap();
    assert_eq!(why(yard.delete("link/secret.txt").await), Refusal::Replaced);
    assert_eq!(yard.read("outside/secret.txt"), SECRET);
}

#[tokio::test]
async fn the_link_that_an_approved_directory_is_configured_by_stays() {
    let yard = Yard::with(|settings| settings.qvd_folder = Some(settings.delete[0].join("qvd")));
    symlink(yard.at("qvd"), yard.at("gone/qvd")).unwrap();
    assert_eq!(why(yard.delete("gone/qvd").await), Refusal::Approved);
    yard.files.create_dir_qvd(CreateDirRequest { directory: "a".into() }).await.unwrap();
    assert!(yard.at("qvd/a").is_dir());
}

#[tokio::test]
async fn an_approved_directory_is_not_made_by_way_of_a_link() {
    let yard = Yard::with(|settings| settings.qvd_folder = settings.qvd_folder.take().map(|folder| folder.join("mid/deep")));
    let create = |directory: &str| yard.files.create_dir_qvd(CreateDirRequest { directory: directory.into() });
    create("a").await.unwrap();
    fs::remove_dir_all(yard.at("qvd/mid")).unwrap();
    // Made again it is where it was.
    create("b").await.unwrap();
    assert_eq!(yard.names("qvd"), ["mid/", "mid/deep/", "mid/deep/b/"]);
    fs::remove_dir_all(yard.at("qvd/mid")).unwrap();
    symlink(yard.at("outside"), yard.at("qvd/mid")).unwrap();
    assert_eq!(why(create("c").await), Refusal::Replaced);
    assert_eq!(yard.names("outside"), ["secret.txt"]);
}
