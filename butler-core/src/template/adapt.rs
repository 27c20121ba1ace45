//! Makes a compiled template behave as Handlebars for JavaScript does, and reads off it what it shows.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};

use super::Escape;
use super::helpers::{GET, IS_LIST, IS_PARTED, SHOW, SHOW_SLACK};

/// What is found on the way through a template and its partials.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Every name that a path or a text in the template names: a superset of the fields that it shows.
    pub(super) names: BTreeSet<String>,
    /// Which partials are included by which; the empty name is the template itself.
    pub(super) includes: BTreeMap<String, BTreeSet<String>>,
    /// Templates that include partials whose name is decided at rendering.
    pub(super) dynamic: BTreeSet<String>,
}

/// Adapts `template`, known as the partial `within` or, if that is empty, the template itself.
pub(super) fn adapt(template: &mut Template, escape: Escape, within: &str, findings: &mut Findings) {
    findings.includes.entry(within.to_owned()).or_default();
    for element in &mut template.elements {
        match element {
            TemplateElement::Expression(expression) => {
                show(expression, if escape == Escape::SlackJson { SHOW_SLACK } else { SHOW }, findings);
            }
            TemplateElement::HtmlExpression(expression) => {
                show(expression, SHOW, findings);
                if escape.is_json() {
                    *element = TemplateElement::Expression(expression.clone());
                }
            }
            TemplateElement::HelperBlock(block) => {
                section(block);
                // `each` and `with` need to know the place of their value, which only a plain path tells.
                let conditional = matches!(block.name.as_name(), Some("if" | "unless"));
                for parameter in block.params.iter_mut().chain(block.hash.values_mut()) {
                    note(parameter, findings);
                    if conditional {
                        leaf(parameter);
                    }
                }
                for branch in [&mut block.template, &mut block.inverse].into_iter().flatten() {
                    adapt(branch, escape, within, findings);
                }
            }
            TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                match partial.name.as_name() {
                    Some("@partial-block") => {}
                    Some(name) => {
                        findings.includes.entry(within.to_owned()).or_default().insert(name.to_owned());
                    }
                    None => {
                        findings.dynamic.insert(within.to_owned());
                    }
                }
                partial.params.iter().chain(partial.hash.values()).for_each(|parameter| note(parameter, findings));
                if let Some(content) = &mut partial.template {
                    adapt(content, escape, within, findings);
                }
            }
            TemplateElement::DecoratorBlock(decorator) | TemplateElement::DecoratorExpression(decorator) => {
                let name = match decorator.params.first() {
                    Some(Parameter::Literal(name)) => name.as_str().unwrap_or(within).to_owned(),
                    _ => within.to_owned(),
                };
                if let Some(content) = &mut decorator.template {
                    adapt(content, escape, &name, findings);
                }
            }
            _ => {}
        }
    }
}

/// A block named after a field, not a helper, is a loop if the field is a list, `with` if it has parts of its own, else `if`.
fn section(block: &mut HelperTemplate) {
    const HELPERS: [&str; 11] = ["if", "unless", "each", "with", "lookup", "log", "raw", "eq", IS_LIST, IS_PARTED, "else"];
    let is_field = block.params.is_empty() && block.hash.is_empty() && block.name.as_name().is_some_and(|name| !HELPERS.contains(&name));
    let Some(Ok(field)) = block.name.as_name().filter(|_| is_field).map(Parameter::parse) else { return };
    block.params = vec![field];
    let named = |name: &str| {
        let mut block = block.clone();
        block.name = Parameter::Name(name.to_owned());
        block
    };
    let only = |block: HelperTemplate| {
        let mut template = Template::new();
        template.elements.push(TemplateElement::HelperBlock(Box::new(block)));
        Some(template)
    };
    let (mut is_list, mut is_parted) = (named(IS_LIST), named(IS_PARTED));
    is_parted.template = only(named("with"));
    is_parted.inverse = only(named("if"));
    is_list.template = only(named("each"));
    is_list.inverse = only(is_parted);
    *block = is_list;
}

/// Turns `{{x}}` and `{{helper x}}` into `{{show x}}` and `{{show (helper x)}}`.
fn show(expression: &mut HelperTemplate, with: &str, findings: &mut Findings) {
    let mut params = std::mem::take(&mut expression.params);
    let hash = std::mem::take(&mut expression.hash);
    let name = std::mem::replace(&mut expression.name, Parameter::Name(with.to_owned()));
    params.iter().chain(hash.values()).for_each(|parameter| note(parameter, findings));
    let mut value = if params.is_empty() && hash.is_empty() {
        note(&name, findings);
        name
    } else {
        params.iter_mut().for_each(leaf);
        Parameter::Subexpression(Subexpression::new(name, params, hash))
    };
    leaf(&mut value);
    expression.params = vec![value];
}

/// Lets a path of several parts be found by our own look-up, which knows `length` and takes what is not there as missing.
fn leaf(parameter: &mut Parameter) {
    match parameter {
        Parameter::Path(_) => {
            let Some(path) = parameter.as_name() else { return };
            if path.trim_start_matches("../").contains(['.', '/']) {
                let path = Parameter::Literal(path.into());
                *parameter = Parameter::Subexpression(Subexpression::new(Parameter::Name(GET.to_owned()), vec![path], Default::default()));
            }
        }
        Parameter::Subexpression(inner) => {
            // A look-up's own parameters stay paths: it tells a list from what is in it.
            if let TemplateElement::Expression(expression) = &mut *inner.element
                && !matches!(expression.name.as_name(), Some("lookup" | GET))
            {
                expression.params.iter_mut().for_each(leaf);
            }
        }
        _ => {}
    }
}

fn note(parameter: &Parameter, findings: &mut Findings) {
    match parameter {
        Parameter::Name(path) => findings.names.extend(path.split(['.', '/']).map(str::to_owned)),
        Parameter::Path(_) => {
            let parts = parameter.as_name().unwrap_or_default().split(['.', '/', '[', ']']);
            findings.names.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
        }
        Parameter::Literal(value) => findings.names.extend(value.as_str().map(str::to_owned)),
        Parameter::Subexpression(inner) => {
            let params = inner.params().into_iter().flatten();
            let hash = inner.hash().into_iter().flat_map(|hash| hash.values());
            params.chain(hash).for_each(|parameter| note(parameter, findings));
        }
        _ => {}
    }
}

impl Findings {
    /// A partial that, over others or at once, includes itself; rendering it might not end.
    pub(super) fn cycle(&self) -> Option<&str> {
        self.includes.keys().filter(|name| !name.is_empty()).map(String::as_str).find(|start| {
            let mut reached = BTreeSet::new();
            let mut open = vec![*start];
            while let Some(name) = open.pop() {
                if !name.is_empty() && self.dynamic.contains(name) {
                    return true;
                }
                for next in self.includes.get(name).into_iter().flatten() {
                    if next == start {
                        return true;
                    }
                    if reached.insert(next.as_str()) {
                        open.push(next);
                    }
                }
            }
            false
        })
    }
}
