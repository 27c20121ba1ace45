//! Values that are written as text: durations, sizes, one text or several.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration, written with its units: `30s`, `5m`, `1h 30m`, `30d`. A number without a unit is refused, for nobody can tell what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(value_type = String, example = "90d"))]
pub struct Period(pub Duration);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write a duration as a number and its unit, such as \"30s\", \"5m\", \"1h 30m\" or \"30d\"")]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PeriodError("a duration is missing".into()));
        }
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(PeriodError(format!("`{text}` has no unit")));
        }
        // `M` would mean months, and is hardly ever meant.
        if text.contains('M') {
            return Err(PeriodError(format!("`{text}` is no duration: minutes are `m`, milliseconds `ms`")));
        }
        match humantime::parse_duration(text) {
            Ok(duration) => Ok(Self(duration)),
            Err(humantime::DurationError::UnknownUnit { unit, .. }) if !unit.is_empty() => {
                Err(PeriodError(format!("`{unit}` is no unit of time")))
            }
            Err(error) => Err(PeriodError(format!("`{text}` is no duration ({error})"))),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        // Whole days stay days: `30d`, where other writers say a month.
        match (seconds, self.0.subsec_nanos()) {
            (seconds, 0) if seconds > 0 && seconds.is_multiple_of(86_400) => write!(f, "{}d", seconds / 86_400),
            _ => humantime::format_duration(self.0).fmt(f),
        }
    }
}

/// A number of bytes, written with its unit: `2 GiB`, `500 MB`. A number by itself is bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no size; write a number and its unit, such as \"500 MB\", \"64 KiB\" or \"2 GiB\"")]
pub struct ByteSizeError(String);

impl ByteSize {
    const UNITS: [(&'static str, u64); 9] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
        ("B", 1),
    ];
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let fault = || ByteSizeError(text.chars().take(40).collect());
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(end);
        let unit = unit.trim();
        let scale = Self::UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, scale)| *scale).ok_or_else(fault)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let whole: u64 = whole.parse().map_err(|_| fault())?;
        if part.is_empty() || part.len() > 9 {
            return Err(fault());
        }
        let part = u128::from(part.parse::<u64>().map_err(|_| fault())?) * u128::from(scale) / 10u128.pow(part.len() as u32);
        let bytes = u128::from(whole) * u128::from(scale) + part;
        u64::try_from(bytes).map(Self).map_err(|_| fault())
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, scale): &&(&str, u64)| self.0 >= *scale && self.0.is_multiple_of(*scale);
        match Self::UNITS.iter().find(fits) {
            Some((name, scale)) => write!(f, "{} {name}", self.0 / scale),
            None => write!(f, "{} B", self.0),
        }
    }
}

/// One text, or an array of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Texts(pub Vec<String>);

impl Texts {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, or an array of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written {
            expecting: "a duration in quotes, such as \"30s\" or \"5m\"",
            number: |number| format!("{number}").parse(),
            it: PhantomData,
        })
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written {
            expecting: "a size in quotes, such as \"500 MB\" or \"2 GiB\"",
            number: |bytes| u64::try_from(bytes).map(Self).map_err(|_| ByteSizeError(bytes.to_string())),
            it: PhantomData,
        })
    }
}

/// Reads what is written as text; what a bare number means, the type says.
struct Written<T: FromStr> {
    expecting: &'static str,
    number: fn(i64) -> Result<T, T::Err>,
    it: PhantomData<T>,
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        (self.number)(number).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_need_their_unit() {
        let seconds = |text: &str| text.parse::<Period>().map(|period| period.0.as_secs());
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("1h 30m"), Ok(5400));
        assert_eq!(seconds(" 30 s "), Ok(30));
        assert_eq!(seconds("30d"), Ok(30 * 86_400));
        assert_eq!(seconds("0s"), Ok(0));
        for bad in ["", "5", "1.5", "5M", "5 parsecs", "-5m", "m", "soon", "99999999999999999999d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        insta::assert_snapshot!(
            "5".parse::<Period>().unwrap_err(),
            @r#"`5` has no unit; write a duration as a number and its unit, such as "30s", "5m", "1h 30m" or "30d""#
        );
    }

    #[test]
    fn sizes_have_units_of_both_kinds() {
        let bytes = |text: &str| text.parse::<ByteSize>().map(|size| size.0);
        assert_eq!(bytes("2 GiB"), Ok(2 << 30));
        assert_eq!(bytes("500mb"), Ok(500_000_000));
        assert_eq!(bytes("1.5KiB"), Ok(1536));
        assert_eq!(bytes("7 B"), Ok(7));
        for bad in ["", "2", "2 G", "GiB", "1. GiB", "1.2.3 GiB", "-1 GiB", "99999999 TiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_text_is_a_list_of_one() {
        #[derive(Deserialize)]
        struct Holder {
            it: Texts,
        }
        let read = |text: &str| toml::from_str::<Holder>(text).map(|holder| holder.it.0);
        assert_eq!(read("it = 'a'").unwrap(), ["a"]);
        assert_eq!(read("it = ['a', 'b']").unwrap(), ["a", "b"]);
        assert!(read("it = 1").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0u64..1 << 40, bytes: u64) {
            let period = Period(Duration::from_millis(millis));
            prop_assert_eq!(period.to_string().parse(), Ok(period));
            let size = ByteSize(bytes);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_is_too_odd(text in ".*") {
            let _ = text.parse::<Period>();
            let _ = text.parse::<ByteSize>();
        }
    }
}
