//! Paths as text: how they are written in one way, and whether one lies below another. Nothing here looks at a disk.

use std::path::{Path, PathBuf};

/// Longer ones are refused before anything is done with them. No system takes longer ones.
const LONGEST: usize = 32_767;

/// The usual form: slashes, each once, but for the two of a UNC path; `.` and `..` resolved; a leading `./` kept.
pub(super) fn normal(raw: &str) -> String {
    let slashed = raw.replace('\\', "/");
    let unc = slashed.starts_with("//");
    let rooted = slashed.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in slashed.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let mut text = parts.join("/");
    if slashed.ends_with('/') && !text.is_empty() {
        text.push('/');
    }
    if unc {
        format!("//{text}")
    } else if rooted {
        format!("/{text}")
    } else if text.is_empty() {
        if slashed.ends_with('/') { "./".into() } else { ".".into() }
    } else if slashed.starts_with("./") && !text.starts_with("..") {
        format!("./{text}")
    } else {
        text
    }
}

/// Whether it names a share of a machine: two separators or more, a name, a separator, a name.
pub(crate) fn is_unc(raw: &str) -> bool {
    let separator = |c: char| matches!(c, '/' | '\\');
    let rest = raw.trim_start_matches(separator);
    let share = rest.split_once(separator).map(|(_, share)| share.trim_start_matches(separator));
    raw.len() - rest.len() >= 2 && share.is_some_and(|share| !share.is_empty())
}

/// What is wrong with it on any disk.
pub(super) fn fault(raw: &str) -> Option<&'static str> {
    if raw.contains('\0') {
        Some("it holds a NUL")
    } else if raw.len() > LONGEST {
        Some("it is too long")
    } else {
        None
    }
}

/// A whole path, as its parts. Of a path of Windows the first is the drive, `e:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// The first parts are a machine and a share.
    unc: bool,
    parts: Vec<String>,
}

impl Whole {
    /// Of a path in its usual form, which starts at `base` if it is a relative one.
    pub(super) fn of(normal: &str, base: &Path) -> Self {
        Self::on(normal, &base.to_string_lossy(), cfg!(windows))
    }

    fn on(text: &str, base: &str, windows: bool) -> Self {
        let drive = |text: &str| {
            windows
                && matches!(text.as_bytes(), [letter, b':', rest @ ..] if letter.is_ascii_alphabetic() && matches!(rest, [] | [b'/', ..]))
        };
        let text = if text.starts_with("//") || drive(text) || (text.starts_with('/') && !windows) {
            text.to_owned()
        } else if text.starts_with('/') {
            // It starts at the root of the drive that the base is on.
            let base = normal(base);
            let root = base.split('/').next().filter(|root| drive(root)).unwrap_or_default();
            format!("{root}{text}")
        } else {
            normal(&format!("{base}/{text}"))
        };
        let unc = windows && text.starts_with("//");
        Self { unc, parts: text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect() }
    }

    /// The parts below a directory, if it lies there; none if it is the directory itself.
    pub(super) fn below(&self, directory: &Self) -> Option<&[String]> {
        let count = directory.parts.len();
        let same = self.unc == directory.unc
            && self.parts.len() >= count
            && self.parts.iter().zip(&directory.parts).all(|(one, other)| same_name(one, other));
        same.then(|| &self.parts[count..])
    }

    /// As the system takes it.
    pub(super) fn to_path(&self) -> PathBuf {
        let joined = self.parts.join(std::path::MAIN_SEPARATOR_STR);
        match (self.unc, cfg!(windows)) {
            (true, _) => format!(r"\\{joined}").into(),
            // A drive alone would be the working directory there.
            (false, true) if self.parts.len() == 1 => format!(r"{joined}\").into(),
            (false, true) => joined.into(),
            (false, false) => format!("/{joined}").into(),
        }
    }
}

/// Names are the same whatever their case on Windows.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    if cfg!(windows) { same_on_windows(one, other) } else { one == other }
}

/// It takes one character for one other, and each of these two for the other: `ß` is not `SS` there, nor is `ı` an `I`.
fn same_on_windows(one: &str, other: &str) -> bool {
    fn upper(c: char) -> char {
        let (mut upper, whole) = (c.to_uppercase(), c.to_uppercase().len() == 1);
        upper.next().filter(|upper| whole && upper.to_lowercase().eq([c])).unwrap_or(c)
    }
    one.chars().map(upper).eq(other.chars().map(upper))
}

/// What is wrong with a name of a file or directory, which may otherwise mean a device, a stream of another file, or the file of another name.
pub(super) fn name_fault(name: &str) -> Option<&'static str> {
    if cfg!(windows) { windows_name_fault(name) } else { None }
}

fn windows_name_fault(name: &str) -> Option<&'static str> {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    if name.contains(|c: char| c.is_control() || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '/' | '\\')) {
        return Some("a name holds a character that Windows does not take in names");
    }
    if name.ends_with(['.', ' ']) {
        return Some("a name ends in a dot or a blank, which Windows would drop");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|device| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|number| matches!(number.chars().collect::<Vec<_>>()[..], ['0'..='9' | '¹' | '²' | '³']))
    });
    (numbered || DEVICES.contains(&stem.as_str())).then_some("a name is that of a device")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn there_is_one_way_to_write_a_path() {
        for (given, usual) in [
            ("/data//abc//..", "/data"),
            (r"\\srv\share\x\..\y", "//srv/share/y"),
            ("///srv/x", "//srv/x"),
            (r"e:\data\qvd\", "e:/data/qvd/"),
            ("/a/../../b", "/b"),
            ("", "."),
            (".", "."),
            ("./", "./"),
            ("./a", "./a"),
            ("./../a", "../a"),
            ("../../a/..", "../.."),
            ("a/./b/", "a/b/"),
            ("a/..", "."),
            ("/", "/"),
            ("/..", "/"),
            ("/data/x%23y", "/data/x%23y"),
        ] {
            assert_eq!(normal(given), usual, "{given}");
        }
    }

    #[test]
    fn shares_of_machines_are_told_from_the_rest() {
        for path in ["//srv/share", r"\\srv\share", "///a//b", "//srv/share/x/y", r"\/srv\share"] {
            assert!(is_unc(path), "{path}");
        }
        for path in ["", "/", "//", "//a", "//a/", "/a/b", "a//b/c", "e:/x", r"\a\b"] {
            assert!(!is_unc(path), "{path}");
        }
    }

    #[test]
    fn relative_paths_start_at_the_base() {
        let whole = |text: &str| Whole::on(&normal(text), "/home/butler", false).parts.join("|");
        assert_eq!(whole("data/x"), "home|butler|data|x");
        assert_eq!(whole("../x"), "home|x");
        assert_eq!(whole("../../../../x"), "x");
        assert_eq!(whole("/x"), "x");
        assert_eq!(whole("e:/x"), "home|butler|e:|x");
        let whole = |text: &str| {
            let whole = Whole::on(&normal(text), r"C:\butler", true);
            format!("{}{}", if whole.unc { "unc:" } else { "" }, whole.parts.join("|"))
        };
        assert_eq!(whole(r"data\x"), "C:|butler|data|x");
        assert_eq!(whole(r"\data"), "C:|data");
        assert_eq!(whole(r"e:\data\..\x"), "e:|x");
        assert_eq!(whole(r"e:x"), "C:|butler|e:x");
        assert_eq!(whole(r"\\srv\share\x"), "unc:srv|share|x");
        assert_eq!(whole(r"\\?\e:\x"), "unc:?|e:|x");
    }

    #[test]
    fn only_whole_names_make_a_directory() {
        let whole = |text: &str| Whole::on(&normal(text), "/", false);
        let below = |path: &str, directory: &str| whole(path).below(&whole(directory)).map(|rest| rest.join("/"));
        assert_eq!(below("/data/from/a/b", "/data/from/").as_deref(), Some("a/b"));
        assert_eq!(below("/data/from", "/data/from").as_deref(), Some(""));
        assert_eq!(below("/data/fromage", "/data/from"), None);
        assert_eq!(below("/data", "/data/from"), None);
        assert_eq!(below("/x/y", "/").as_deref(), Some("x/y"));
        assert_eq!(same_name("ÄB", "äb"), cfg!(windows));
    }

    #[test]
    fn windows_takes_one_character_for_one_other() {
        for (one, other) in [("ÄB", "äb"), ("Qvd", "qVD"), ("ñ", "Ñ"), ("ж1", "Ж1"), ("ß", "ß"), ("ı", "ı")] {
            assert!(same_on_windows(one, other), "{one} {other}");
        }
        for (one, other) in [("ß", "ss"), ("ß", "SS"), ("ﬁ", "FI"), ("ı", "i"), ("ſ", "s"), ("a", "ab"), ("a", "á")] {
            assert!(!same_on_windows(one, other), "{one} {other}");
        }
    }

    #[test]
    fn names_that_mean_something_else_on_windows_are_known() {
        for name in
            ["CON", "con.txt", "Nul", "COM1", "lpt9.qvd", "COM¹", "a:b", "a.qvd::$DATA", "a.", "a ", "a*", "a?", "\u{1}", "CON .txt", "aux"]
        {
            assert!(windows_name_fault(name).is_some(), "{name}");
        }
        for name in ["a.qvd", "CONSOLE", "COM10", "com", ".hidden", "a b", "ümläut", "a..b", "PROGRA~1"] {
            assert_eq!(windows_name_fault(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_usual_form_has_one_form(path in r"[./\\a-c:]{0,24}") {
            let once = normal(&path);
            prop_assert_eq!(normal(&once), once.clone());
            prop_assert!(!once.contains('\\') && !once[1.min(once.len())..].contains("//"));
        }

        #[test]
        fn a_whole_path_has_nothing_that_climbs(path in "\\PC{0,40}") {
            let whole = Whole::on(&normal(&path), "/base", false);
            prop_assert!(whole.parts.iter().all(|part| !matches!(part.as_str(), "" | "." | "..") && !part.contains('/')));
        }
    }
}
