//! How the engine and the connectors word their errors.

/// How much a line says about why a reload failed, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// No more than that it did.
    Ended,
    /// That there was an error.
    Unnamed,
    /// That the error comes next.
    Announced,
    /// Which error.
    Named,
}

const ENDED: [&str; 4] = ["execution failed", "execution finished with error", "execution terminated", "reload failed"];

const UNNAMED: [&str; 6] =
    ["general script error", "script error", "scripterror", "internal error", "internal inconsistency", "unknown error"];

const ANNOUNCED: [&str; 2] = ["the following error occurred", "an error occurred"];

/// The beginnings of lines that name an error, in lower case.
const NAMED: [&str; 52] = [
    // The script.
    "syntax error",
    "semantic error",
    "unknown statement",
    "unexpected token",
    "unexpected end of",
    "error in expression",
    "invalid expression",
    "expression error",
    "illegal combination of operators",
    "aggregation expressions required by group by",
    "field not found",
    "field names must be unique",
    "table not found",
    "no such table",
    "unable to ",
    "failed to ",
    "macro parse failed",
    "script line error",
    "stack overflow",
    // Files.
    "cannot ",
    "can't ",
    "could not ",
    "file not found",
    "path not found",
    "invalid path",
    "file error",
    "access denied",
    "access is denied",
    "access was denied",
    "bad zip file",
    "encountered an error",
    // Data connections.
    "connector reply error",
    "connector error",
    "connection aborted",
    "connection failed",
    "connection refused",
    "connection timed out",
    "connection lost",
    "data connection not found",
    "lib connection not found",
    "sql##f",
    "sqlstate",
    "errorsource",
    "odbc read failed",
    "oledb read failed",
    "custom read failed",
    "qvx_",
    // What there is too little of.
    "out of memory",
    "out of virtual and/or logical memory",
    "not enough memory",
    "timeout expired",
    "timed out",
];

/// Lines of this form name the object first: `Field 'Rate' not found`.
const OBJECTS: [&str; 8] = ["field ", "table ", "file ", "lib ", "connection ", "data connection ", "variable ", "function "];
const FAULTS: [&str; 9] = [
    "not found",
    "does not exist",
    "is missing",
    "cannot be",
    "could not be",
    "access denied",
    "already exists",
    "is not valid",
    "must be unique",
];

/// What a line of the engine says of a failure; `None` if it is about something else.
pub(super) fn shape(text: &str) -> Option<Shape> {
    // No error has its first words behind these many bytes.
    let start = text[..text.floor_char_boundary(512)].to_lowercase();
    let (labelled, said) = match start.strip_prefix("error:").or_else(|| start.strip_prefix("fatal error:")) {
        Some(said) => (true, said.trim()),
        None => (false, start.as_str()),
    };
    let begins = |list: &[&str]| list.iter().any(|words| said.starts_with(words));
    if begins(&ENDED) {
        return Some(Shape::Ended);
    }
    if begins(&ANNOUNCED) {
        // Some connectors say it all in one line.
        let more = said.split_once(':').is_some_and(|(_, more)| !more.trim().is_empty());
        return Some(if more { Shape::Named } else { Shape::Announced });
    }
    if begins(&UNNAMED) {
        let more = said.split_once(':').is_some_and(|(_, more)| !more.trim().is_empty());
        return Some(if more { Shape::Named } else { Shape::Unnamed });
    }
    if labelled {
        return Some(if said.is_empty() { Shape::Announced } else { Shape::Named });
    }
    // What is read may be called anything: `Error log << facts 12 lines fetched`.
    if said.ends_with("lines fetched") || said.contains("fields found:") {
        return None;
    }
    let about_object = begins(&OBJECTS) && FAULTS.iter().any(|fault| said.contains(fault));
    (begins(&NAMED) || about_object || is_exception(text)).then_some(Shape::Named)
}

/// `System.IO.IOException: ...`, as the connectors written in .NET and Java say it.
fn is_exception(text: &str) -> bool {
    let name = text.split_once(':').map_or("", |(name, _)| name);
    name.ends_with("Exception") && !name.contains(char::is_whitespace)
}

/// Whether the engine says that the script is over, well or not.
pub(super) fn ends_script(text: &str) -> bool {
    let start = text[..text.floor_char_boundary(64)].to_lowercase();
    start.starts_with("execution ") && (ENDED.iter().any(|words| start.starts_with(words)) || start.starts_with("execution finished"))
}

/// Whether the statement comes next that failed.
pub(super) fn is_where(text: &str) -> bool {
    text[..text.floor_char_boundary(64)].to_lowercase().starts_with("the error occurred here")
}
