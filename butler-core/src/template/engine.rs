//! A template, compiled.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use handlebars::{Context, Handlebars, Output, RenderContext, RenderErrorReason, Renderable, TemplateErrorReason};
use serde_json::Value;

use super::Escape;
use super::adapt::{Findings, adapt};
use super::helpers;

/// The longest output of a template, in bytes.
pub const MAX_OUTPUT: usize = 4 << 20;
/// The longest template, in bytes.
pub const MAX_SOURCE: usize = 1 << 20;
/// How deep blocks and sub-expressions may nest.
const MAX_NESTING: usize = 100;

/// A template, compiled once and rendered as often as wanted.
///
/// ```
/// use butler_core::template::{Escape, Template};
/// use serde_json::json;
///
/// let template = Template::compile("subject", "{{taskName}} failed{{#if taskTags.length}} ({{taskTags}}){{/if}}", Escape::None)?;
/// assert_eq!(template.render(&json!({ "taskName": "Reload sales", "taskTags": ["Prod", "Finance"] }))?, "Reload sales failed (Prod,Finance)");
/// # Ok::<(), butler_core::template::TemplateError>(())
/// ```
pub struct Template {
    name: String,
    registry: Handlebars<'static>,
    main: handlebars::Template,
    names: BTreeSet<String>,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({})", self.name)
    }
}

/// What is wrong with a template, with its name and place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}{}: {why}", Place(*.place))]
pub struct TemplateError {
    name: String,
    place: Option<(usize, usize)>,
    why: String,
}

struct Place(Option<(usize, usize)>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(line, column)| write!(f, ", line {line}, column {column}"))
    }
}

impl Template {
    /// Compiles a template without partials. `name` is what errors call it.
    ///
    /// # Errors
    /// What the engine does not understand, with its place; a template that is too long or nested too deep.
    pub fn compile(name: &str, source: &str, escape: Escape) -> Result<Self, TemplateError> {
        Self::compile_with(name, source, escape, &[])
    }

    /// Compiles a template that may include these partials, each a name and a source.
    ///
    /// # Errors
    /// As [`compile`](Self::compile), of the template or of a partial; partials that include themselves or each other in a circle.
    pub fn compile_with(name: &str, source: &str, escape: Escape, partials: &[(String, String)]) -> Result<Self, TemplateError> {
        let mut findings = Findings::default();
        let mut registry = Handlebars::new();
        registry.register_escape_fn(escape.outer());
        helpers::register(&mut registry);
        for (partial, source) in partials {
            let mut compiled = parse(&format!("partial `{partial}`"), source)?;
            adapt(&mut compiled, escape, partial, &mut findings);
            compiled.name = Some(partial.clone());
            registry.register_template(partial, compiled);
        }
        let mut main = parse(name, source)?;
        adapt(&mut main, escape, "", &mut findings);
        if let Some(partial) = findings.cycle() {
            let why = format!("the partial `{partial}` includes itself, at once or over others; that would not end");
            return Err(TemplateError { name: name.to_owned(), place: None, why });
        }
        Ok(Self { name: name.to_owned(), registry, main, names: findings.names })
    }

    /// Renders it.
    ///
    /// # Errors
    /// A helper or a partial that does not exist, output that is too long.
    pub fn render(&self, fields: &Value) -> Result<String, TemplateError> {
        let fault = |place, why| TemplateError { name: self.name.clone(), place, why };
        let context = Context::wraps(fields).map_err(|error| fault(None, error.reason().to_string()))?;
        let mut out = Limited { text: String::new(), full: false };
        let rendered = self.main.render(&self.registry, &context, &mut RenderContext::new(None), &mut out);
        if out.full {
            return Err(fault(None, format!("the output is longer than {MAX_OUTPUT} bytes")));
        }
        match rendered {
            Ok(()) => Ok(out.text),
            Err(error) => {
                let why = match error.reason() {
                    RenderErrorReason::HelperNotFound(name) => format!("there is no helper `{name}`"),
                    RenderErrorReason::PartialNotFound(name) => format!("there is no partial `{name}`"),
                    RenderErrorReason::ParamNotFoundForIndex(helper, _) => format!("the helper `{helper}` needs a value to work on"),
                    other => other.to_string(),
                };
                let mut fault = fault(error.line_no.zip(error.column_no), why);
                if let Some(partial) = error.template_name {
                    fault.name = format!("{}, partial `{partial}`", self.name);
                }
                Err(fault)
            }
        }
    }

    /// What errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a field is shown, or may be, by the template or one of its partials.
    #[must_use]
    pub fn mentions(&self, field: &str) -> bool {
        self.names.contains(field)
    }
}

fn parse(name: &str, source: &str) -> Result<handlebars::Template, TemplateError> {
    let fault = |place, why| TemplateError { name: name.to_owned(), place, why };
    if source.len() > MAX_SOURCE {
        return Err(fault(None, format!("it is longer than {MAX_SOURCE} bytes")));
    }
    let source = in_other_words(source.strip_prefix('\u{feff}').unwrap_or(source));
    if nesting(&source) > MAX_NESTING {
        return Err(fault(None, format!("blocks or brackets are nested more than {MAX_NESTING} deep")));
    }
    handlebars::Template::compile(&source).map_err(|error| {
        let why = match error.reason() {
            // The parser draws the place in several lines, and names rules of its grammar.
            TemplateErrorReason::InvalidSyntax(why) if why.contains("helper_block_end") => {
                "a block such as `{{#if ...}}` is opened before this and not closed, or a tag is not well formed".to_owned()
            }
            TemplateErrorReason::InvalidSyntax(_) => "this is no well formed tag; `{{` starts one, and `}}` ends it".to_owned(),
            other => other.to_string(),
        };
        fault(error.pos(), why)
    })
}

/// Writes what the parser does not know in words that mean the same: `this` for a lone `.` in a tag, and `{{#x}}{{else}}` for `{{^x}}`.
fn in_other_words(source: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = source[at..].find("{{").map(|start| at + start + 2) {
        let end = source[start..].find("}}").map_or(source.len(), |end| start + end);
        let tag = &source[start..end];
        at = end;
        if tag.starts_with('!') {
            continue;
        }
        let indent = tag.len() - tag.trim_start_matches(['~', ' ']).len();
        if tag[indent..].starts_with('^') && !tag[indent + 1..].trim_matches(['~', ' ']).is_empty() {
            out.push_str(&source[copied..start + indent]);
            out.push('#');
            out.push_str(&source[start + indent + 1..end]);
            out.push_str("}}{{else");
            copied = end;
            continue;
        }
        let mut quote = None;
        let mut before = ' ';
        for (offset, c) in tag.char_indices() {
            match quote {
                Some(open) => quote = (c != open).then_some(open),
                None if c == '"' || c == '\'' => quote = Some(c),
                None if c == '.' && matches!(before, ' ' | '\t' | '\r' | '\n' | '{' | '(' | '=' | '~' | '&') => {
                    let after = tag[offset + 1..].chars().next();
                    if after.is_none_or(|after| matches!(after, ' ' | '\t' | '\r' | '\n' | '}' | ')' | '~')) {
                        out.push_str(&source[copied..start + offset]);
                        out.push_str("this");
                        copied = start + offset + 1;
                    }
                }
                None => {}
            }
            before = c;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(source);
    }
    out.push_str(&source[copied..]);
    Cow::Owned(out)
}

/// How deep the template nests at most, judged by its tags alone: enough to keep the parser's recursion short.
fn nesting(source: &str) -> usize {
    let (mut blocks, mut brackets, mut deepest) = (0_usize, 0_usize, 0);
    let mut rest = source;
    while let Some(start) = rest.find("{{") {
        rest = rest[start + 2..].trim_start_matches(['{', '~', ' ']);
        match rest.as_bytes().first() {
            Some(b'#') => blocks += 1,
            Some(b'/') => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        for byte in rest.split("}}").next().unwrap_or_default().bytes() {
            match byte {
                b'(' | b'[' | b'{' => brackets += 1,
                b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(blocks).max(brackets);
        }
        brackets = 0;
        deepest = deepest.max(blocks);
    }
    deepest
}

/// Output that ends at [`MAX_OUTPUT`].
struct Limited {
    text: String,
    full: bool,
}

impl Output for Limited {
    fn write(&mut self, part: &str) -> std::io::Result<()> {
        if self.text.len() + part.len() > MAX_OUTPUT {
            self.full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.text.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
