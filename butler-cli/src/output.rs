//! The one place that prints. A reader that went away is no fault.
#![expect(clippy::print_stderr, reason = "a last resort when even stderr can't be locked")]

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::Exit;

/// Prints a line.
pub(crate) fn line(text: impl AsRef<str>) {
    write(text.as_ref());
    write("\n");
}

/// Prints text as it is.
pub(crate) fn write(text: &str) {
    let mut out = io::stdout().lock();
    // Whoever has seen enough closes the pipe; there is nobody left to tell.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints bytes as they are, and says if that can't be done: for what has to be whole.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Prints text in which others had a say: names, log lines, what a remote answered. Nothing in it moves the cursor or changes the terminal.
pub(crate) fn foreign(text: &str) {
    write(&harmless(text));
}

/// The text without control characters, but for the ends of its lines; a tab is a blank.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// Prints a value for programs.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Exit> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Exit::internal(error.to_string()))?;
    line(text);
    Ok(())
}

/// Says on stderr why the program ends.
pub(crate) fn fault(exit: &Exit) {
    let mut err = io::stderr().lock();
    let text = exit.message().trim_end();
    // Without stderr there is still the exit code.
    let _ = if text.contains('\n') { writeln!(err, "{text}") } else { writeln!(err, "butler-cli: {text}") };
}

/// Says something on stderr that is no fault.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// What clap has to say: help goes to stdout with 0, a fault to stderr with 64.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Without stdout or stderr there is still the exit code.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Exit::usage("").code()) } else { ExitCode::SUCCESS }
}

/// Whether colour is wanted: on a terminal that knows it, unless `NO_COLOR` is set.
pub(crate) fn has_colour(stream: &impl IsTerminal) -> bool {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Consoles of Windows take colours only once they were told to, and very old ones never.
    is_wanted && stream.is_terminal() && anstyle_query::windows::enable_ansi_colors().unwrap_or(true)
}

/// Paints text, if colour is wanted.
pub(crate) fn paint(text: &str, colour: Colour) -> String {
    if has_colour(&io::stdout()) { colour.wrap(text) } else { text.to_owned() }
}

/// A colour of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

impl Colour {
    fn wrap(self, text: &str) -> String {
        let code = match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_does_not_reach_the_terminal_as_a_command() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{9b}31mc\r\u{7}d\ne\tå🙂"), "a[2Jb31mcd\ne å🙂");
    }
}
