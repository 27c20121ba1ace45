//! The words of a schedule one by one, and the smallest things that they make.

use jiff::civil::Time;

use super::error::TextError;
use super::tokens::{Kind, Token, tokens};
use super::unit::{UNITS, Unit};

pub(super) const A_TIME: &str = "a time such as 14:30, 2:30 pm or 9am was expected";

pub(super) type Parsed<T> = Result<T, TextError>;

/// A text, and how far it has been read.
pub(super) struct Words<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    pub(super) at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, tokens: tokens(text), at: 0 }
    }

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// A unit, and of what it is counted.
    pub(super) fn unit(&mut self) -> Parsed<Unit> {
        let Some(unit) = self.word().and_then(|word| Unit::named(&word)) else {
            return self.fault(format!("a unit of time was expected: {UNITS}"));
        };
        self.at += 1;
        let begin = self.at;
        if self.take(&["of"]) {
            self.take(&["the"]);
            let whole = self.word().unwrap_or_default();
            self.at += 1;
            match (unit, whole.as_str()) {
                (Unit::DayOfMonth, "week") => return Ok(Unit::DayOfWeek),
                (Unit::DayOfMonth, "year") => return Ok(Unit::DayOfYear),
                (Unit::WeekOfYear, "month") => return Ok(Unit::WeekOfMonth),
                (Unit::DayOfMonth, "month") | (Unit::WeekOfYear | Unit::Month, "year") => return Ok(unit),
                (Unit::Second, "minute") | (Unit::Minute, "hour") | (Unit::Hour, "day") => return Ok(unit),
                _ => self.at = begin,
            }
        }
        Ok(unit)
    }

    /// Whether a time follows rather than a number.
    pub(super) fn is_time(&self) -> bool {
        let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
        let word = |words: &[&str]| matches!(next, Some(Kind::Word(word)) if words.contains(&word.as_str()));
        self.is(&["noon", "midnight"])
            || (matches!(self.kind(), Some(Kind::Number(_))) && (next == Some(&Kind::Sign(':')) || word(&["am", "pm"])))
    }

    pub(super) fn time(&mut self) -> Parsed<Time> {
        let begin = self.at;
        let time = self.time_of_day();
        time.map_or_else(
            || {
                self.at = begin;
                self.fault(A_TIME)
            },
            Ok,
        )
    }

    fn time_of_day(&mut self) -> Option<Time> {
        if self.take(&["midnight"]) {
            return Some(Time::midnight());
        }
        if self.take(&["noon"]) {
            return Time::new(12, 0, 0, 0).ok();
        }
        let number = |words: &mut Self, digits: std::ops::RangeInclusive<usize>| {
            let token = words.tokens.get(words.at)?;
            let Kind::Number(number) = token.kind else { return None };
            words.at += 1;
            digits.contains(&(token.end - token.start)).then_some(i8::try_from(number).ok())?
        };
        let hour = number(self, 1..=2)?;
        let minute = if self.sign(':') { Some(number(self, 2..=2)?) } else { None };
        let hour = match (self.take(&["am"]), self.take(&["pm"])) {
            (false, false) if minute.is_some() => hour,
            (true, false) if (1..=12).contains(&hour) => hour % 12,
            (false, true) if (1..=12).contains(&hour) => hour % 12 + 12,
            _ => return None,
        };
        Time::new(hour, minute.unwrap_or(0), 0, 0).ok()
    }

    pub(super) fn small(&mut self, what: &str) -> Parsed<u16> {
        let begin = self.at;
        let number = self.number().and_then(|number| u16::try_from(number).ok());
        number.map_or_else(
            || {
                self.at = begin;
                self.fault(what)
            },
            Ok,
        )
    }

    /// A number, and what makes it one in a row.
    pub(super) fn number(&mut self) -> Option<u32> {
        let Some(Kind::Number(number)) = self.kind() else { return None };
        let number = *number;
        self.at += 1;
        self.take(&["st", "nd", "rd", "th"]);
        Some(number)
    }

    pub(super) fn kind(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    pub(super) fn word(&self) -> Option<String> {
        match self.kind() {
            Some(Kind::Word(word)) => Some(word.clone()),
            _ => None,
        }
    }

    pub(super) fn is(&self, words: &[&str]) -> bool {
        matches!(self.kind(), Some(Kind::Word(word)) if words.contains(&word.as_str()))
    }

    /// Takes the next word if it is one of these.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let is = self.is(words);
        self.at += usize::from(is);
        is
    }

    /// Whether a list goes on.
    pub(super) fn joined(&mut self) -> bool {
        let comma = self.sign(',');
        self.take(&["and"]) || comma
    }

    pub(super) fn sign(&mut self, sign: char) -> bool {
        let is = self.kind() == Some(&Kind::Sign(sign));
        self.at += usize::from(is);
        is
    }

    /// What is wrong with the next word.
    pub(super) fn fault<T>(&self, fault: impl Into<String>) -> Parsed<T> {
        let token = self.tokens.get(self.at);
        let start = token.map_or(self.text.len(), |token| token.start);
        Err(TextError::NotUnderstood {
            text: self.text.escape_debug().to_string(),
            position: self.text[..start].chars().count() + 1,
            found: token.map(|token| self.text[token.start..token.end].escape_debug().to_string()),
            fault: fault.into(),
        })
    }
}
