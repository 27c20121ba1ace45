//! A point, and how it is written in line protocol.
//!
//! What a database would refuse, and with it the whole point, never stands in the line: it is changed or left out, and [`Point::flaws`] says so.
//! Tags can't hold line ends, and no backslash before a comma, an equals sign, a space or their end, for there it would say that the next character is
//! meant; both become what comes nearest, a space and a slash.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

/// The longest name and the longest value of a tag, in bytes.
const LONGEST_TAG: usize = 4 * 1024;
/// The longest measurement with all its tags; the databases take 64 KiB less a byte.
const LONGEST_KEY: usize = 60_000;
/// The longest text in a field, in bytes.
const LONGEST_TEXT: usize = 64_000;
/// Names that the databases keep for themselves.
const RESERVED: [&str; 3] = ["time", "_field", "_measurement"];

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    /// Always written as a floating-point number, for that is what the columns of existing databases are.
    Number(f64),
    Text(String),
}

/// One row of a measurement.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    measurement: String,
    tags: Vec<(String, String)>,
    fields: BTreeMap<String, Field>,
    nanoseconds: i64,
    flaws: Vec<String>,
}

impl Point {
    pub(super) fn new(measurement: String, nanoseconds: i64) -> Self {
        Self { measurement, nanoseconds, ..Self::default() }
    }

    /// Sets a tag. An empty value is none; a later value takes the place of an earlier one.
    pub(super) fn tag(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() || name.is_empty() {
            return;
        }
        match self.tags.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.tags.push((name.to_owned(), value)),
        }
    }

    /// Sets a number; what is none is left out.
    pub(super) fn number(&mut self, name: &str, value: f64) {
        if value.is_finite() {
            self.field(name, Field::Number(value));
        } else {
            self.flaw(format!("field `{}` is no number", shown(name)));
        }
    }

    /// Sets a text; a long one loses its middle.
    pub(super) fn text(&mut self, name: &str, value: impl Into<String>) {
        let mut value = value.into();
        if value.len() > LONGEST_TEXT {
            value = without_middle(&value, LONGEST_TEXT);
            self.flaw(format!("field `{}` is cut in its middle", shown(name)));
        }
        self.field(name, Field::Text(value));
    }

    /// Cuts every text to this many bytes.
    pub(super) fn shorten(&mut self, longest: usize) {
        for field in self.fields.values_mut() {
            if let Field::Text(text) = field
                && text.len() > longest
            {
                *text = without_middle(text, longest);
            }
        }
    }

    fn field(&mut self, name: &str, value: Field) {
        if name.is_empty() || RESERVED.contains(&name) {
            return self.flaw(format!("field `{}` can't be called so", shown(name)));
        }
        self.fields.insert(name.to_owned(), value);
    }

    fn flaw(&mut self, what: String) {
        self.flaws.push(what);
    }

    /// The line, without an end, and what of the point is not in it as it was. `sorted` puts the tags in the order of their names.
    pub(super) fn write(mut self, sorted: bool) -> (String, Vec<String>) {
        let mut line = escaped(&self.measurement).into_owned();
        let mut tags = std::mem::take(&mut self.tags);
        if sorted {
            tags.sort();
        }
        for (name, value) in tags {
            if RESERVED.contains(&&*name) {
                self.flaw(format!("tag `{}` can't be called so", shown(&name)));
                continue;
            }
            let tag = format!(",{}={}", escaped(&name), escaped(&value));
            if name.len().max(value.len()) > LONGEST_TAG || line.len() + tag.len() > LONGEST_KEY {
                self.flaw(format!("tag `{}` is too long", shown(&name)));
                continue;
            }
            line.push_str(&tag);
        }
        for (separator, (name, value)) in std::iter::once(' ').chain(std::iter::repeat(',')).zip(&self.fields) {
            line.push(separator);
            line.push_str(&escaped(name));
            match value {
                Field::Number(number) => line.push_str(&format!("={number}")),
                Field::Text(text) => line.push_str(&format!("=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
            }
        }
        line.push_str(&format!(" {}", self.nanoseconds));
        (line, self.flaws)
    }
}

/// The nanoseconds of a time, those below a millisecond taken from `salt`; `None` beyond what the databases can hold.
pub(super) fn nanoseconds(at: Timestamp, salt: u64) -> Option<i64> {
    // The first and the last nanosecond of both are reserved.
    const RANGE: std::ops::Range<i64> = -9_223_372_036_854..9_223_372_036_854;
    let milliseconds = at.as_millisecond();
    let below = i64::try_from(salt % 1_000_000).unwrap_or_default();
    RANGE.contains(&milliseconds).then(|| milliseconds * 1_000_000 + below)
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// A measurement, a name or the value of a tag as it stands in a line.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains([',', '=', ' ', '\\']) && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let is_special = |c: char| matches!(c, ',' | '=' | ' ') || c.is_control();
    let mut line = String::with_capacity(text.len() + 8);
    let mut backslashes = 0;
    for c in text.chars() {
        if c == '\\' {
            backslashes += 1;
            continue;
        }
        line.extend(std::iter::repeat_n(if is_special(c) { '/' } else { '\\' }, backslashes));
        backslashes = 0;
        if is_special(c) {
            line.push('\\');
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line.extend(std::iter::repeat_n('/', backslashes));
    Cow::Owned(line)
}

/// The beginning and the end of a text, together no longer than this.
fn without_middle(text: &str, longest: usize) -> String {
    const GAP: &str = " ... ";
    let half = longest.saturating_sub(GAP.len()) / 2;
    let (start, end) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{}{GAP}{}", &text[..start], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(fill: impl FnOnce(&mut Point)) -> (String, Vec<String>) {
        let mut point = Point::new("m".into(), 7);
        fill(&mut point);
        point.write(false)
    }

    type Pairs = Vec<(String, String)>;

    /// Reads a line as the databases do: split at what is not escaped, then unescape. Its measurement, tags, fields and time.
    fn read(line: &str) -> (String, Pairs, Pairs, String) {
        let mut parts = vec![vec![(String::new(), false)]];
        let (mut quoted, mut characters) = (false, line.chars().peekable());
        while let Some(c) = characters.next() {
            let is_field = parts.len() == 2;
            let words = parts.last_mut().unwrap();
            let is_value = is_field && words.last().unwrap().1;
            let next = characters.peek().copied();
            let word = &mut words.last_mut().unwrap().0;
            match (c, next) {
                ('\\', Some(next @ ('"' | '\\'))) if quoted => {
                    word.push(next);
                    characters.next();
                }
                ('\\', Some(next @ (',' | '=' | ' '))) if !quoted => {
                    word.push(next);
                    characters.next();
                }
                // Quotes mean something around the values of fields alone.
                ('"', _) if is_value => quoted = !quoted,
                (',' | '=', _) if !quoted => words.push((String::new(), c == '=')),
                (' ', _) if !quoted => parts.push(vec![(String::new(), false)]),
                _ => word.push(c),
            }
        }
        assert!(!quoted && parts.len() == 3, "{line}");
        let pairs = |words: &[(String, bool)]| {
            let pairs = words.chunks(2);
            pairs
                .map(|pair| {
                    assert!(pair.len() == 2 && !pair[0].1 && pair[1].1, "{line}");
                    (pair[0].0.clone(), pair[1].0.clone())
                })
                .collect::<Pairs>()
        };
        (parts[0][0].0.clone(), pairs(&parts[0][1..]), pairs(&parts[1]), parts[2][0].0.clone())
    }

    fn plain(tag: &str) -> String {
        escaped(tag).replace("\\ ", " ").replace("\\,", ",").replace("\\=", "=")
    }

    proptest! {
        #[test]
        fn every_text_reads_back(name in "\\PC{1,8}", value in "(\\PC|[,= \\\\\"\n\r\t]){0,40}", number: f64) {
            let (written, flaws) = line(|point| {
                point.tag(&name, value.clone());
                point.text(&format!("f{name}"), value.clone());
                point.number("n", number);
            });
            let (measurement, tags, fields, time) = read(&written);
            let text_field = (plain(&format!("f{}", name)), value.clone());
            prop_assert_eq!((measurement.as_str(), time.as_str()), ("m", "7"));
            let expected = if value.is_empty() { vec![] } else { vec![(plain(&name), plain(&value))] };
            prop_assert_eq!(tags, expected);
            prop_assert!(fields.contains(&text_field));
            let read_number = fields.iter().find(|(name, _)| name == "n").map(|(_, number)| number.parse::<f64>().unwrap());
            prop_assert_eq!(read_number, number.is_finite().then_some(number));
            prop_assert_eq!(flaws.is_empty(), number.is_finite());
        }

        #[test]
        fn tags_change_in_nothing_but_what_can_not_be_written(value in "(\\PC|[,= \\\\\n]){1,40}") {
            let read = plain(&value);
            prop_assert_eq!(read.chars().count(), value.chars().count());
            for (was, is) in value.chars().zip(read.chars()) {
                prop_assert!(was == is || (was == '\\' && is == '/') || (was.is_control() && is == ' '), "{:?} {:?}", value, read);
            }
        }
    }

    #[test]
    fn texts_are_escaped_where_they_stand() {
        let (written, _) = line(|point| {
            point.tag("task_name", "Reload sales, A=B");
            point.tag("user", r"LAB\eva");
            point.tag("odd", r"a\ b\");
            point.text("text", "say \"C:\\x\"\r\nnext");
            point.number("task_executionDuration_min", 2.0 + 7.0 / 60.0);
            point.number("whole", 35.0);
        });
        assert_eq!(
            written,
            concat!(
                r"m,task_name=Reload\ sales\,\ A\=B,user=LAB\eva,odd=a/\ b/ ",
                r#"task_executionDuration_min=2.1166666666666667,text="say \"C:\\x\""#,
                "\r\nnext\",whole=35 7"
            )
        );
    }

    #[test]
    fn what_would_be_refused_is_left_out_and_said() {
        let (written, flaws) = line(|point| {
            point.tag("time", "now");
            point.tag("long", "x".repeat(LONGEST_TAG + 1));
            point.tag("none", "");
            point.text("time", "now");
            point.number("nan", f64::NAN);
            point.text("kept", "");
        });
        assert_eq!(written, "m kept=\"\" 7");
        assert_eq!(flaws.len(), 4, "{flaws:?}");
    }

    #[test]
    fn the_key_stays_below_what_databases_take() {
        let (written, flaws) = line(|point| {
            (0..40).for_each(|number| point.tag(&format!("t{number}"), "é".repeat(LONGEST_TAG / 2)));
            point.text("f", "é\"".repeat(LONGEST_TEXT));
        });
        let key = written.split(' ').next().unwrap_or_default();
        assert!(key.len() > LONGEST_KEY / 2 && key.len() <= LONGEST_KEY, "{}", key.len());
        assert!(flaws.len() > 20 && written.contains(" ... "), "{flaws:?}");
    }

    #[test]
    fn a_later_tag_takes_the_place_of_an_earlier_one() {
        let fill = |point: &mut Point| {
            point.tag("b", "1");
            point.tag("a", "2");
            point.tag("b", "3");
            point.tag("a", "");
            point.text("f", "");
        };
        assert_eq!(line(fill).0, "m,b=3,a=2 f=\"\" 7");
        let mut point = Point::new("m".into(), 7);
        fill(&mut point);
        assert_eq!(point.write(true).0, "m,a=2,b=3 f=\"\" 7");
    }

    #[test]
    fn times_that_no_database_can_hold_are_none() {
        assert_eq!(nanoseconds(Timestamp::constant(1, 999_999), 2_000_042), Some(1_000_000_042));
        assert_eq!(nanoseconds(Timestamp::constant(-1, 0), 5), Some(-999_999_995));
        for far in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(nanoseconds(far, 0), None);
        }
    }
}
