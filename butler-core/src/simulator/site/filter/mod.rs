//! The repository's filter language, from its text to a yes or no about an object.
//!
//! ```text
//! expr   := term { ("and" | "or") term }        "and" binds tighter than "or"
//! term   := "(" expr ")" | path op value
//! path   := name { "." name }                   names in any case
//! op     := eq | ne | gt | ge | lt | le | sw (starts with) | ew (ends with) | so (substring of)
//! value  := guid | number | true | false | 'text' | name of an enumeration's value
//! ```
//!
//! In a text two quotes stand for one. Over a list a condition is true if it is true of any element, each condition by itself.

mod matching;
mod parse;

pub(super) use matching::{fits, makes_sense};

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

/// A condition on objects.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    /// One member and a value.
    Condition(Condition),
    /// All of these.
    And(Vec<Filter>),
    /// Any of these.
    Or(Vec<Filter>),
}

/// One member and a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub(super) path: Vec<String>,
    pub(super) op: Op,
    pub(super) value: Value,
}

/// How a member and a value are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    StartsWith,
    EndsWith,
    SubstringOf,
}

impl Op {
    const ALL: [(&'static str, Self); 10] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("gt", Self::Gt),
        ("ge", Self::Ge),
        ("lt", Self::Lt),
        ("le", Self::Le),
        ("sw", Self::StartsWith),
        ("ew", Self::EndsWith),
        ("so", Self::SubstringOf),
        ("po", Self::SubstringOf),
    ];

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, op)| op)
    }
}

/// What a member is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Guid(Uuid),
    Number(f64),
    Bool(bool),
    Text(String),
    /// A value of an enumeration, by its name.
    Name(String),
}

impl Filter {
    /// The id that every object has to have in the member `path`, if the filter leaves no choice.
    pub(super) fn pinned(&self, path: &str) -> Option<Uuid> {
        match self {
            Self::Condition(Condition { path: own, op: Op::Eq, value: Value::Guid(id) }) => {
                (own.len() == 1 && own[0].eq_ignore_ascii_case(path)).then_some(*id)
            }
            Self::And(all) => all.iter().find_map(|filter| filter.pinned(path)),
            _ => None,
        }
    }
}

impl Filter {
    /// Between which moments, both included, the member `path` of every object has to be, as far as the filter leaves no choice.
    pub(super) fn range(&self, path: &str) -> (Option<Timestamp>, Option<Timestamp>) {
        match self {
            Self::Condition(Condition { path: own, op, value: Value::Text(text) })
                if own.len() == 1 && own[0].eq_ignore_ascii_case(path) =>
            {
                let moment = text.parse().ok();
                match op {
                    Op::Gt | Op::Ge => (moment, None),
                    Op::Lt | Op::Le => (None, moment),
                    _ => (None, None),
                }
            }
            Self::And(all) => all
                .iter()
                .map(|filter| filter.range(path))
                .fold((None, None), |(first, last), (from, to)| (first.max(from), [last, to].into_iter().flatten().min())),
            _ => (None, None),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, all: &[Self], word: &str| {
            all.iter().enumerate().try_for_each(|(index, filter)| {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match filter {
                    Self::Condition(_) => write!(f, "{filter}"),
                    _ => write!(f, "({filter})"),
                }
            })
        };
        match self {
            Self::And(all) => join(f, all, "and"),
            Self::Or(all) => join(f, all, "or"),
            Self::Condition(Condition { path, op, value }) => {
                let op = Op::ALL.iter().find(|(_, known)| known == op).map_or("eq", |(name, _)| name);
                write!(f, "{} {op} ", path.join("."))?;
                match value {
                    Value::Guid(id) => write!(f, "{id}"),
                    Value::Number(number) => write!(f, "{number}"),
                    Value::Bool(value) => write!(f, "{value}"),
                    Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
                    Value::Name(name) => f.write_str(name),
                }
            }
        }
    }
}
