//! What differs from run to run, made alike: for snapshots of what the program says.

use std::process::Output;

use crate::World;

/// How a run ended and what it said. Whatever is on stdout comes under a line of its own.
#[must_use]
pub fn ending(world: &World, output: &Output) -> String {
    let code = output.status.code().map_or_else(|| "none: it was killed".to_owned(), |code| code.to_string());
    let mut text = format!("exit code {code}\n{}", String::from_utf8_lossy(&output.stderr));
    if !output.stdout.is_empty() {
        text.push_str("stdout:\n");
        text.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    redacted(world, &text)
}

/// A text with the test's folder, ids, times, ports and process numbers replaced by words, and the system's own words for its errors left out.
#[must_use]
pub fn redacted(world: &World, text: &str) -> String {
    let text = without_folder(text, world);
    let text = text.replace("butler-under-test.exe", "butler-cli").replace("butler-under-test", "butler-cli");
    // Windows has another tool to find out who has a port.
    let text =
        text.replace("netstat -abno -p UDP | findstr", "ss -lunp sport =").replace("netstat -abno -p TCP | findstr", "ss -ltnp sport =");
    // Wine has no words at all for errors of sockets.
    let text = without_system_words(&mask(&text, " (FormatMessageW() returned error #", ""));
    [
        ("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "ID"),
        ("####-##-##T##:##:##.######Z", "TIME"),
        ("####-##-##T##:##:##Z", "TIME"),
        ("####-##-## ##:##:##", "TIME"),
        ("127.0.0.1:#####", "127.0.0.1:PORT"),
        ("#.# MiB", "SIZE"),
        ("Port #", "Port PORT"),
        ("process #", "process NUMBER"),
        (" :#", " :PORT"),
    ]
    .iter()
    .fold(text, |text, (pattern, word)| mask(&text, pattern, word))
}

fn without_folder(text: &str, world: &World) -> String {
    let folder = world.folder().display().to_string();
    // The rest of a path is written as the system does it.
    let mut parts = text.split(folder.as_str());
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || c == '`').unwrap_or(part.len());
        out.push_str("FOLDER");
        out.push_str(&part[..end].replace('\\', "/"));
        out.push_str(&part[end..]);
    }
    out
}

/// Every system has other words for the same error; they end with its number.
fn without_system_words(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(" (os error ") {
        let start = rest[..at].rfind([':', '(']).map_or(0, |start| start + 1);
        let start = start + rest[start..].len() - rest[start..].trim_start().len();
        let end = rest[at + 1..].find(')').map_or(rest.len(), |end| at + 1 + end + 1);
        out.push_str(&rest[..start]);
        out.push_str("SYSTEM ERROR");
        rest = &rest[end..];
    }
    out + rest
}

/// Replaces what fits a pattern: `x` is a hexadecimal digit, `#` a digit, at the pattern's end one or more; all else is itself.
fn mask(text: &str, pattern: &str, word: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(length) = fits(rest, pattern) {
            out.push_str(word);
            rest = &rest[length..];
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

fn fits(text: &str, pattern: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let fitting = pattern.bytes().enumerate().all(|(at, wanted)| match (bytes.get(at), wanted) {
        (Some(found), b'#') => found.is_ascii_digit(),
        (Some(found), b'x') => found.is_ascii_hexdigit(),
        (found, wanted) => found == Some(&wanted),
    });
    let more =
        if pattern.ends_with('#') { bytes[pattern.len().min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count() } else { 0 };
    fitting.then_some(pattern.len() + more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_made_alike() {
        assert_eq!(mask("a 127.0.0.1:54321, b", "127.0.0.1:#", "PORT"), "a PORT, b");
        assert_eq!(mask("at 2026-01-02 03:04:05.", "####-##-## ##:##:##", "TIME"), "at TIME.");
        assert_eq!(mask("#12 ä", "###", "N"), "#12 ä");
        assert_eq!(
            without_system_words("can't: No such file (os error 2). Do (Broken pipe (os error 32))"),
            "can't: SYSTEM ERROR. Do (SYSTEM ERROR)"
        );
    }
}
