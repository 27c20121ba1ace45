//! `[files]`.

use std::path::{Path, PathBuf};

use crate::config::issues::Issues;
use crate::config::load::Config;
use crate::config::model::DirectoryPairConfig;
use crate::files::path::is_unc;
use crate::files::{DirectoryPair, FileSettings};

/// What load scripts may do with files.
pub(super) fn resolve(config: &Config, issues: &mut Issues) -> FileSettings {
    let files = &config.files;
    let base = &config.base_dir;
    if config.api.enabled && config.api.endpoints.create_dir && files.create.is_none() {
        issues.warn_with_help(
            "api.endpoints.create_dir",
            "whoever calls this endpoint may create directories anywhere on this machine",
            "list directories in `[files] create` to have them created only there",
        );
    }
    issues.within("files", |issues| {
        let pairs = |key: &str, pairs: &[DirectoryPairConfig], issues: &mut Issues| {
            let pair = |(index, pair): (usize, &DirectoryPairConfig)| {
                let from = directory(&pair.from, &format!("{key}[{index}].from"), base, issues);
                let to = directory(&pair.to, &format!("{key}[{index}].to"), base, issues);
                Some(DirectoryPair { from: from?, to: to? })
            };
            pairs.iter().enumerate().filter_map(pair).collect()
        };
        let list = |key: &str, paths: &[String], issues: &mut Issues| {
            let one = |(index, path): (usize, &String)| directory(path, &format!("{key}[{index}]"), base, issues);
            paths.iter().enumerate().filter_map(one).collect()
        };
        FileSettings {
            copy: pairs("copy", &files.copy, issues),
            r#move: pairs("move", &files.r#move, issues),
            delete: list("delete", &files.delete.0, issues),
            create: files.create.as_ref().map(|paths| list("create", &paths.0, issues)),
            qvd_folder: files.qvd_folder.as_ref().and_then(|path| directory(&path.to_string_lossy(), "qvd_folder", base, issues)),
            follow_links: files.follow_links,
            ..FileSettings::default()
        }
    })
}

/// The directory, as a whole path; `None` if there can't be any.
fn directory(path: &str, key: &str, base: &Path, issues: &mut Issues) -> Option<PathBuf> {
    if path.is_empty() {
        issues.at_with_help(key, "the directory is missing", "name a directory; everything below it counts");
        return None;
    }
    if path.contains('\0') {
        issues.at(key, "the path holds a NUL");
        return None;
    }
    if cfg!(not(windows)) && is_unc(path) {
        issues.warn_with_help(
            key,
            format!("UNC paths won't work on non-Windows OSs (\"{path}\"). OS is \"{}\".", std::env::consts::OS),
            "mount the share, and name the directory that it is mounted at",
        );
        return None;
    }
    if path.contains(['*', '?']) {
        issues.warn(key, "there are no wildcards: everything below a directory counts, and this one would be called so");
    }
    let whole = base.join(path.replace('\\', "/"));
    if whole.components().all(|part| !matches!(part, std::path::Component::Normal(_))) {
        issues.warn(key, format!("this is everything on `{path}`"));
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> (FileSettings, String) {
        let config = Config::from_toml(text, "/etc/butler").unwrap();
        let mut issues = config.found.clone();
        let settings = resolve(&config, &mut issues);
        (settings, issues.to_string())
    }

    #[test]
    fn nothing_is_approved_unless_it_is_said() {
        assert_eq!(resolved(""), (FileSettings::default(), String::new()));
        let (settings, _) = resolved("files.create = []");
        assert_eq!(settings.create, Some(Vec::new()));
    }

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        let (settings, issues) = resolved(
            r#"
            [files]
            copy = [{ from = "in", to = '..\qvd' }]
            move = [{ from = "/data/in", to = "/data/out" }, { from = "a", to = "b" }]
            delete = "/data/gone"
            create = ["/data", "x"]
            qvd_folder = "/data/qvd"
            follow_links = true
            "#,
        );
        assert_eq!(issues, "");
        let pair = |from: &str, to: &str| DirectoryPair { from: from.into(), to: to.into() };
        let settings_expected = FileSettings {
            copy: vec![pair("/etc/butler/in", "/etc/butler/../qvd")],
            r#move: vec![pair("/data/in", "/data/out"), pair("/etc/butler/a", "/etc/butler/b")],
            delete: vec!["/data/gone".into()],
            create: Some(vec!["/data".into(), "/etc/butler/x".into()]),
            qvd_folder: Some("/data/qvd".into()),
            follow_links: true,
            ..FileSettings::default()
        };
        assert_eq!(settings, settings_expected);
    }

    #[test]
    fn what_is_wrong_or_hardly_meant_is_said_at_its_key() {
        let (settings, issues) = resolved(
            r#"
            [api.endpoints]
            create_dir = true
            [files]
            copy = [{ from = "", to = "/data/out" }, { from = "/data/in" }, { form = "x", from = "a", to = "b" }]
            delete = ["/data/*/tmp", "/"]
            qvd_folder = ""
            folow_links = true
            "#,
        );
        insta::assert_snapshot!(issues, @r#"
        configuration:3: warning: api.endpoints.create_dir: whoever calls this endpoint may create directories anywhere on this machine
          list directories in `[files] create` to have them created only there
        configuration:5: files.copy[2].form: unknown key
          did you mean `from`?
        configuration:5: files.copy[0].from: the directory is missing
          name a directory; everything below it counts
        configuration:5: files.copy[1].to: the directory is missing
          name a directory; everything below it counts
        configuration:6: warning: files.delete[0]: there are no wildcards: everything below a directory counts, and this one would be called so
        configuration:6: warning: files.delete[1]: this is everything on `/`
        configuration:7: files.qvd_folder: the directory is missing
          name a directory; everything below it counts
        configuration:8: files.folow_links: unknown key
          did you mean `follow_links`?
        "#);
        assert_eq!(settings.copy.len(), 1);
        assert_eq!(settings.delete.len(), 2);
    }

    #[cfg(not(windows))]
    #[test]
    fn shares_of_windows_are_nowhere_else() {
        let (settings, issues) =
            resolved(r"files = { delete = ['\\srv\share\x', '/data'], copy = [{ from = '//srv/share', to = '/data' }] }");
        assert_eq!((settings.delete.len(), settings.copy.len()), (1, 0));
        let said = issues.replace(std::env::consts::OS, "OS");
        insta::assert_snapshot!(said, @r#"
        configuration:1: warning: files.copy[0].from: UNC paths won't work on non-Windows OSs ("//srv/share"). OS is "OS".
          mount the share, and name the directory that it is mounted at
        configuration:1: warning: files.delete[0]: UNC paths won't work on non-Windows OSs ("\\srv\share\x"). OS is "OS".
          mount the share, and name the directory that it is mounted at
        "#);
    }
}
