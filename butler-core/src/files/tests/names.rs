use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn only_what_is_listed_is_approved() {
    let yard = Yard::new();
    yard.write("from/a", "x");
    yard.write("fromage/a", "x");
    for (from, to) in [
        ("fromage/a", "to/a"),
        ("from/a", "too/a"),
        ("from/../fromage/a", "to/a"),
        ("from/a", "to/../outside/a"),
        ("outside/secret.txt", "to/a"),
        ("outside/none", "to/a"),
        ("from", "to/a"),
        ("from/a", "to"),
        ("to/a", "from/a"),
        ("", "to/a"),
    ] {
        assert_eq!(why(yard.copy(from, to).await), Refusal::NotListed, "{from} {to}");
        assert_eq!(why(yard.move_to(from, to, true).await), Refusal::NotListed, "{from} {to}");
    }
    assert!(yard.names("to").is_empty());
}

#[tokio::test]
async fn one_pair_has_to_fit_on_both_sides() {
    let yard = Yard::with(|settings| {
        let top = settings.copy[0].from.parent().unwrap().to_owned();
        settings.copy.push(DirectoryPair { from: top.join("gone"), to: top.join("qvd") });
    });
    yard.write("from/a", "x");
    yard.write("gone/a", "x");
    assert_eq!(why(yard.copy("from/a", "qvd/a").await), Refusal::NotListed);
    yard.copy("gone/a", "qvd/a").await.unwrap();
}

#[tokio::test]
async fn relative_paths_start_at_the_working_directory() {
    let yard = Yard::new();
    yard.write("from/a", "x");
    // The same names without the first slash are another path.
    let from = yard.text("from/a").trim_start_matches('/').to_owned();
    if cfg!(unix) {
        let request = CopyRequest { from, to: yard.text("to/a"), ..CopyRequest::default() };
        assert_eq!(why(yard.files.copy(request).await), Refusal::NotListed);
    }
}

#[cfg(not(windows))]
#[tokio::test]
async fn shares_of_windows_are_refused_elsewhere_and_nothing_is_done() {
    let yard = Yard::with(|settings| settings.delete.push("/".into()));
    yard.write("gone/a", "x");
    for path in [format!("/{}", yard.text("gone/a")), r"\\srv\share\x".to_owned()] {
        let deleted = yard.files.delete(DeleteRequest { path: path.clone() }).await;
        assert!(matches!(deleted, Err(FileError::Unc { path: given }) if given == path));
    }
    assert_eq!(yard.read("gone/a"), "x");
}

#[tokio::test]
async fn everything_is_below_the_root() {
    let yard = Yard::with(|settings| {
        let root: PathBuf = settings.delete[0].ancestors().last().unwrap().to_owned();
        settings.delete = vec![root];
    });
    yard.write("outside/a", "x");
    yard.delete("outside/a").await.unwrap();
    assert_eq!(yard.names("outside"), ["secret.txt"]);
}

#[tokio::test]
async fn names_too_long_or_with_nul_are_refused_and_harmless() {
    let yard = Yard::new();
    yard.write("from/a", "x");
    let long = "x".repeat(300);
    assert!(matches!(yard.copy(&format!("from/{long}"), "to/a").await, Err(FileError::Io { .. } | FileError::Missing { .. })));
    assert!(matches!(yard.copy("from/a", &format!("to/{long}")).await, Err(FileError::Io { .. })));
    assert!(matches!(yard.copy("from/a\0b", "to/a").await, Err(FileError::InvalidPath { .. })));
    assert!(matches!(yard.copy(&format!("from/{}", "a/".repeat(20_000)), "to/a").await, Err(FileError::InvalidPath { .. })));
    assert!(matches!(yard.delete("gone/\0").await, Err(FileError::InvalidPath { .. })));
    assert!(yard.names("to").is_empty());
    // The longest name that there can be, though what is written has another one at first.
    let longest = format!("to/{}", "y".repeat(if cfg!(windows) { 120 } else { 255 }));
    yard.copy("from/a", &longest).await.unwrap();
    assert_eq!(yard.read(&longest), "x");
}

#[cfg(windows)]
#[tokio::test]
async fn names_that_mean_something_else_are_refused() {
    let yard = Yard::new();
    yard.write("from/a", "x");
    for name in ["CON", "nul.txt", "a:stream", "a::$DATA", "b.", "b ", "COM1"] {
        for (from, to) in [
            ("from/a".to_owned(), format!("to/{name}")),
            (format!("from/{name}"), "to/a".to_owned()),
            ("from/a".into(), format!("to/{name}/x")),
        ] {
            assert!(matches!(yard.copy(&from, &to).await, Err(FileError::InvalidPath { .. })), "{from} {to}");
        }
    }
    assert!(yard.names("to").is_empty());
    // Case does not matter.
    let from = yard.text("FROM/A").to_uppercase();
    yard.files.copy(CopyRequest { from, to: yard.text("To/b"), ..CopyRequest::default() }).await.unwrap();
    assert_eq!(yard.read("to/b"), "x");
}

/// Pieces of which paths are made that would like to lead out.
fn path() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "..",
        ".",
        "",
        "from",
        "to",
        "gone",
        "outside",
        "secret.txt",
        "a",
        "link",
        "in",
        "/",
        "\\",
        "//",
        "\\..\\",
        "%2e%2e",
        "..%2f",
        "．．",
        "a\u{202e}",
        "~",
        "CON",
        "a:b",
        "\0",
        "\n",
        "..;",
        "....//",
    ]);
    (proptest::sample::select(vec!["", "from/", "to/", "gone/", "gone/link/", "from/in/"]), proptest::collection::vec(piece, 1..7))
        .prop_map(|(start, pieces)| format!("{start}{}", pieces.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is asked for: what is outside stays as it is, and is not read.
    #[test]
    fn no_path_leads_out(requests in proptest::collection::vec((0..5u8, path(), path(), any::<bool>()), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let yard = Yard::with(|settings| settings.create = Some(vec![settings.copy[0].to.clone()]));
        yard.write("from/a", "x");
        yard.write("gone/a/a", "x");
        #[cfg(unix)]
        for folder in ["from", "to", "gone", "qvd"] {
            std::os::unix::fs::symlink(yard.at("outside"), yard.at(folder).join("link")).unwrap();
            std::os::unix::fs::symlink("../outside", yard.at(folder).join("in")).unwrap();
        }
        runtime.block_on(async {
            for (operation, one, other, overwrite) in &requests {
                // What becomes of each does not matter here.
                match operation {
                    0 => drop(yard.files.copy(CopyRequest { overwrite: *overwrite, ..yard.copying(one, other) }).await),
                    1 => drop(yard.move_to(one, other, *overwrite).await),
                    2 => drop(yard.delete(one).await),
                    3 => drop(yard.files.create_dir_qvd(CreateDirRequest { directory: one.clone() }).await),
                    _ => drop(yard.files.create_dir(CreateDirRequest { directory: yard.text(one) }).await),
                }
            }
        });
        prop_assert_eq!(yard.names("outside"), ["secret.txt"]);
        prop_assert_eq!(yard.read("outside/secret.txt"), SECRET);
        let mut tops: Vec<_> = fs::read_dir(yard.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        tops.sort();
        prop_assert_eq!(tops, ["from", "gone", "outside", "qvd", "to"]);
        for folder in ["from", "to", "gone", "qvd"] {
            for name in yard.names(folder) {
                let path = yard.at(folder).join(&name);
                if fs::symlink_metadata(&path).unwrap().is_file() {
                    prop_assert_ne!(fs::read_to_string(&path).unwrap(), SECRET);
                }
            }
        }
    }
}
