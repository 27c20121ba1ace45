//! The words and numbers of a schedule, with their places.

/// A word, a number, or a sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it begins, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// In lower case.
    Word(String),
    Number(u32),
    Sign(char),
}

/// The tokens of a text. A number that is too large is the largest, which is out of any range.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let length = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let (kind, length) = match first {
            c if c.is_whitespace() => (None, c.len_utf8()),
            c if c.is_ascii_digit() => {
                let length = length(|c| c.is_ascii_digit());
                (Some(Kind::Number(rest[..length].parse().unwrap_or(u32::MAX))), length)
            }
            c if c.is_alphabetic() => {
                let length = length(char::is_alphabetic);
                (Some(Kind::Word(rest[..length].to_lowercase())), length)
            }
            c => (Some(Kind::Sign(c)), c.len_utf8()),
        };
        tokens.extend(kind.map(|kind| Token { kind, start, end: start + length }));
        rest = &rest[length..];
    }
    tokens
}
