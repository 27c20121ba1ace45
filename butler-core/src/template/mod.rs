//! Templates: Handlebars as users of the original know it.
//!
//! A [`Template`] is compiled once and rendered with the values of [`fields`]. The engine is the `handlebars` crate; a compiled template is adapted so that
//! it behaves as Handlebars for JavaScript does where the two differ: a list is shown joined by commas, an object as `[object Object]`, `eq`
//! compares without conversion, `list.length` works, and what counts as false in `#if` is what counts as false there.
//!
//! What a value looks like in the output depends on where the output goes, see [`Escape`]: a task's name with a backslash or a quote in it
//! must not break a JSON message, and a subject is no HTML.
//!
//! Templates are files of people who run Butler. One that would not end is stopped all the same: partials that include each other are refused, and so is
//! output of more than [`MAX_OUTPUT`] bytes.

mod adapt;
mod engine;
mod escape;
pub mod fields;
mod file;
mod helpers;
mod times;

pub use engine::{MAX_OUTPUT, MAX_SOURCE, Template, TemplateError};
pub use escape::Escape;
pub use file::{Partials, TemplateFile};
