//! A line of a script log, taken apart.

/// A line without its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) timed: bool,
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// Takes the time off: `20240513T060211.123+0200`, `2024-05-13 06:02:11`, `5/13/2024 6:02:11 AM`.
    pub(super) fn of(line: &'a str) -> Self {
        let line = line.trim();
        let (first, rest) = word(line);
        if !is_date(first) {
            return Self { timed: false, text: line };
        }
        let rest = match word(rest) {
            (time, rest) if is_time(time) => rest,
            _ => rest,
        };
        let rest = match word(rest) {
            ("AM" | "PM" | "am" | "pm", rest) => rest,
            _ => rest,
        };
        Self { timed: true, text: rest }
    }

    /// The number and the text of a line of the script.
    pub(super) fn script(&self) -> Option<(&'a str, &'a str)> {
        // What is indented stays so.
        let (number, text) = self.text.split_once(char::is_whitespace).unwrap_or((self.text, ""));
        let is_number = number.len() >= 4 && number.bytes().all(|b| b.is_ascii_digit());
        // `1200 lines fetched` is no line of the script.
        let is_count = text.ends_with("lines fetched") || text.contains("fields found:");
        (is_number && !is_count).then_some((number, text))
    }
}

fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn is_date(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_of_one = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'/' | b'.' | b':' | b'+' | b',' | b'T' | b'Z');
    let has_mark = word.bytes().any(|b| matches!(b, b'-' | b'/' | b'.' | b'T'));
    digits >= 6 && has_mark && word.bytes().all(is_of_one) && word.starts_with(|c: char| c.is_ascii_digit())
}

fn is_time(word: &str) -> bool {
    word.contains(':') && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b',' | b'+' | b'Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_the_time_is_taken_off() {
        for time in [
            "20240513T060211.123+0200",
            "20240513T040211.123Z",
            "2024-05-13 06:02:11",
            "2024-05-13T06:02:11.123",
            "5/13/2024 6:02:11 AM",
            "13.05.2024 06:02:11:",
        ] {
            let line = format!("{time}      0019 LOAD *");
            assert_eq!(Line::of(&line), Line { timed: true, text: "0019 LOAD *" }, "{time}");
            assert_eq!(Line::of(time).text, "");
        }
    }

    #[test]
    fn what_is_no_time_is_text() {
        for text in ["0019 LOAD *", "Error: 2024-05-13", "1.5 seconds", "-1", "", "12", "184,203 lines fetched"] {
            assert_eq!(Line::of(text), Line { timed: false, text }, "{text}");
        }
    }

    #[test]
    fn lines_of_the_script_have_a_number() {
        let script = |text: &'static str| Line::of(text).script();
        assert_eq!(script("0019 LOAD *"), Some(("0019", "LOAD *")));
        assert_eq!(script("12345     a AS b,"), Some(("12345", "    a AS b,")));
        assert_eq!(script("0020"), Some(("0020", "")));
        for other in ["4 fields found: Error, b", "1200 lines fetched", "Error: 0019", "00x9 a"] {
            assert_eq!(script(other), None, "{other}");
        }
    }
}
