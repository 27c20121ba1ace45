//! The repository's filter language, as far as it is asked here.
//!
//! A [`Filter`] is held as the text that a person would write; it is escaped in two steps that are easily mistaken for one. Within the language
//! a quote of a literal is doubled, here at once. On the wire every character that means something in a URL is percent-encoded,
//! when the request is made: a `#` in a tag's name would cut the address otherwise, an `&` split it and a `+` become a blank.

use std::fmt;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

/// All but the characters that no URL gives a meaning.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A condition on what the repository lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// The object of this id.
    #[must_use]
    pub fn id(id: Uuid) -> Self {
        Self::guid("id", id)
    }

    /// Those whose member `path` is this id.
    #[must_use]
    pub fn guid(path: &str, id: Uuid) -> Self {
        Self(format!("{path} eq {id}"))
    }

    /// Those whose member `path` is this text. Over a list it is true if any element fits.
    #[must_use]
    pub fn text(path: &str, value: &str) -> Self {
        Self(format!("{path} eq '{}'", value.replace('\'', "''")))
    }

    /// Those whose member `path` is this moment or a later one.
    #[must_use]
    pub fn since(path: &str, moment: Timestamp) -> Self {
        Self(format!("{path} ge '{}'", date(moment)))
    }

    /// Those whose member `path` is a moment before this one.
    #[must_use]
    pub fn before(path: &str, moment: Timestamp) -> Self {
        Self(format!("{path} lt '{}'", date(moment)))
    }

    /// Those whose member `path` is one of these numbers.
    #[must_use]
    pub fn any_number(path: &str, numbers: &[i64]) -> Self {
        let each: Vec<_> = numbers.iter().map(|number| format!("{path} eq {number}")).collect();
        Self(each.join(" or "))
    }

    /// Both conditions. Over lists, each may be met by another element.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(format!("({}) and ({})", self.0, other.0))
    }

    /// As it stands in a query string.
    #[must_use]
    pub fn encoded(&self) -> String {
        encode(&self.0)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A date as the repository reads and writes it: in UTC, to the millisecond.
fn date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Percent-encodes everything that a URL could give a meaning.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_are_doubled_and_reserved_characters_encoded() {
        let filter = Filter::text("tags.name", "It's 100% R&D #1+2; 🚀 Räkna");
        insta::assert_snapshot!(filter, @"tags.name eq 'It''s 100% R&D #1+2; 🚀 Räkna'");
        insta::assert_snapshot!(filter.encoded(), @"tags.name%20eq%20%27It%27%27s%20100%25%20R%26D%20%231%2B2%3B%20%F0%9F%9A%80%20R%C3%A4kna%27");
    }

    #[test]
    fn ids_stand_unquoted() {
        let id = Uuid::from_u128(0xe959_f40a_67be_4a5b_ae83_a292_f96b_a078);
        let filter = Filter::id(id).and(Filter::text("name", "x"));
        insta::assert_snapshot!(filter, @"(id eq e959f40a-67be-4a5b-ae83-a292f96ba078) and (name eq 'x')");
    }

    proptest! {
        #[test]
        fn any_text_survives_the_query_string(value in ".*") {
            let filter = Filter::text("name", &value);
            let url = url::Url::parse(&format!("https://h/qrs/task?filter={}&xrfkey=0123456789abcdef", filter.encoded())).unwrap();
            let pairs: Vec<_> = url.query_pairs().collect();
            prop_assert_eq!(pairs.len(), 2);
            let wanted = format!("name eq '{}'", value.replace('\'', "''"));
            prop_assert_eq!(&*pairs[0].1, wanted.as_str());
        }
    }
}
