//! From the text of a filter to its meaning. It never panics, whatever the text.

use std::iter::Peekable;
use std::str::FromStr;
use std::vec::IntoIter;

use super::{Condition, Filter, Op, Value};

/// How deep parentheses may be nested.
const DEEPEST: usize = 64;

/// The text is no filter. The repository's reply quotes it and says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct NoFilter;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Word(String),
    Text(String),
}

impl FromStr for Filter {
    type Err = NoFilter;

    fn from_str(text: &str) -> Result<Self, NoFilter> {
        let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), depth: 0 };
        let filter = parser.expression()?;
        if parser.tokens.next().is_none() { Ok(filter) } else { Err(NoFilter) }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, NoFilter> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '(' => {
                tokens.push(Token::Open);
                &rest[1..]
            }
            ')' => {
                tokens.push(Token::Close);
                &rest[1..]
            }
            '\'' => {
                let (literal, after) = literal(&rest[1..])?;
                tokens.push(Token::Text(literal));
                after
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'')).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
        }
        .trim_start();
    }
    Ok(tokens)
}

/// A text up to the quote that ends it, and what follows. Two quotes are one that does not.
fn literal(text: &str) -> Result<(String, &str), NoFilter> {
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'').ok_or(NoFilter)?;
        literal.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                literal.push('\'');
                rest = more;
            }
            None => return Ok((literal, after)),
        }
    }
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn expression(&mut self) -> Result<Filter, NoFilter> {
        let mut all = vec![self.conjunction()?];
        while self.takes("or") {
            all.push(self.conjunction()?);
        }
        Ok(alone(all, Filter::Or))
    }

    fn conjunction(&mut self) -> Result<Filter, NoFilter> {
        let mut all = vec![self.term()?];
        while self.takes("and") {
            all.push(self.term()?);
        }
        Ok(alone(all, Filter::And))
    }

    fn term(&mut self) -> Result<Filter, NoFilter> {
        match self.tokens.next() {
            Some(Token::Open) if self.depth < DEEPEST => {
                self.depth += 1;
                let inner = self.expression()?;
                self.depth -= 1;
                if self.tokens.next() == Some(Token::Close) { Ok(inner) } else { Err(NoFilter) }
            }
            Some(Token::Word(path)) => {
                let Some(Token::Word(op)) = self.tokens.next() else { return Err(NoFilter) };
                let value = match self.tokens.next() {
                    Some(Token::Text(text)) => Value::Text(text),
                    Some(Token::Word(word)) => value(word)?,
                    _ => return Err(NoFilter),
                };
                Ok(Filter::Condition(Condition { path: names(&path)?, op: Op::read(&op).ok_or(NoFilter)?, value }))
            }
            _ => Err(NoFilter),
        }
    }

    fn takes(&mut self, wanted: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted))).is_some()
    }
}

fn alone(mut all: Vec<Filter>, many: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (last, _) => many(all.into_iter().chain(last).collect()),
    }
}

fn names(path: &str) -> Result<Vec<String>, NoFilter> {
    let is_name = |name: &str| name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(is_of_name);
    let names: Vec<_> = path.split('.').map(str::to_owned).collect();
    if names.iter().all(|name| is_name(name)) { Ok(names) } else { Err(NoFilter) }
}

fn is_of_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn value(word: String) -> Result<Value, NoFilter> {
    if word.len() == 36
        && let Ok(id) = word.parse()
    {
        return Ok(Value::Guid(id));
    }
    if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return word.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number).ok_or(NoFilter);
    }
    match word.to_ascii_lowercase().as_str() {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        // Where a value is missing, what stands there instead is none.
        "and" | "or" => Err(NoFilter),
        _ if word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.bytes().all(is_of_name) => Ok(Value::Name(word)),
        _ => Err(NoFilter),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<Filter>().map_or_else(|_| "none".to_owned(), |filter| filter.to_string())
    }

    #[test]
    fn what_is_asked_of_repositories_is_understood() {
        for text in [
            "id eq e959f40a-67be-4a5b-ae83-a292f96ba078",
            "tags.name eq 'It''s 100% R&D #1+2; 🚀 (new) and ''quoted'''",
            "customProperties.definition.name eq 'Butler' and customProperties.value eq 'start'",
            "lastUsed le '2024-06-27T21:59:59.999Z'",
            "enabled eq true and maxRetries ge 1",
            "operational.lastExecutionResult.status eq FinishedFail",
            "name sw 'a' or name ew 'b' or name so 'c'",
            "name eq ''",
        ] {
            assert_eq!(parsed(text), text);
        }
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert_eq!(parsed("a eq 1 or b eq 2 and c eq 3"), "a eq 1 or (b eq 2 and c eq 3)");
        assert_eq!(parsed("(a eq 1 or b eq 2) AND c EQ 3"), "(a eq 1 or b eq 2) and c eq 3");
        assert_eq!(parsed("((a eq 1))and(b eq 2)"), "a eq 1 and b eq 2");
    }

    #[test]
    fn everything_else_is_none() {
        for text in [
            "",
            "id",
            "id eq",
            "id like 'x'",
            "name eq 'x",
            "name eq x'",
            "(name eq 'x'",
            "name eq 'x')",
            "name eq 'x' name eq 'y'",
            "name eq 'x' and",
            "and name eq 'x'",
            "name eq and",
            "a..b eq 1",
            "'name' eq 'x'",
            "name eq 1e999",
            "name eq {e959f40a-67be-4a5b-ae83-a292f96ba078}",
        ] {
            assert_eq!(parsed(text), "none", "{text}");
        }
        assert_eq!(parsed(&format!("{}a eq 1{}", "(".repeat(100_000), ")".repeat(100_000))), "none");
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let value = prop_oneof![
            any::<u128>().prop_map(|id| Value::Guid(uuid::Uuid::from_u128(id))),
            (-1e9..1e9).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Bool),
            any::<String>().prop_map(Value::Text),
            "[A-Z][a-z]{3,8}[A-Z]".prop_map(Value::Name),
        ];
        let op = prop::sample::select(vec![Op::Eq, Op::Ne, Op::Gt, Op::Ge, Op::Lt, Op::Le, Op::StartsWith, Op::EndsWith, Op::SubstringOf]);
        let path = prop::collection::vec("[a-z][A-Za-z0-9_]{0,6}", 1..4);
        let condition = (path, op, value).prop_map(|(path, op, value)| Filter::Condition(Condition { path, op, value }));
        condition.prop_recursive(4, 16, 3, |inner| {
            let many = prop::collection::vec(inner, 2..4);
            prop_oneof![many.clone().prop_map(Filter::And), many.prop_map(Filter::Or)]
        })
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,80}") {
            let _ = text.parse::<Filter>();
        }

        #[test]
        fn nearly_right_texts_are_no_trouble(text in "([()']|and|or|eq|ne|[a-z.]{1,4}|'[^']{0,3}'|-?[0-9.e]{1,5}| ){0,24}") {
            if let Ok(filter) = text.parse::<Filter>() {
                prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
            }
        }

        #[test]
        fn what_is_written_is_read_again(filter in filters()) {
            prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
        }
    }
}
