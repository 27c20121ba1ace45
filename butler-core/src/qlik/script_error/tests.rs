//! Logs as sites have them. They are written without times; each is read in every form that a log comes in.

use proptest::prelude::*;

use super::*;
use crate::event::{LogLines, ScriptLog};
use crate::qlik::log_ends::LogEnds;

/// How the time stands before a line; and how a line ends.
const FORMS: [(&str, &str); 4] =
    [("20240513T060211.123+0200      ", "\r\n"), ("2024-05-13 06:02:11      ", "\n"), ("5/13/2024 6:02:11 AM\t", "\r\n"), ("", "\r\n")];

/// A log of lines, of which those that begin with `~` have no time: they go on with the line before.
fn dressed(log: &str, (time, end): (&str, &str)) -> String {
    let lines = log.lines().map(|line| match line.strip_prefix('~') {
        Some(more) => format!("{more}{end}"),
        None => format!("{time}{line}{end}"),
    });
    lines.collect()
}

fn read(log: &str) -> Option<ScriptError> {
    let mut ends = LogEnds::new(LogLines { head: 0, tail: 0 });
    for piece in log.as_bytes().chunks(7) {
        ends.feed(piece);
    }
    ends.finish().error
}

/// What every form of the log says; they have to agree.
#[track_caller]
fn found(log: &str) -> Option<ScriptError> {
    // A line that goes on with another can't be told where none has a time.
    let forms = if log.contains("\n~") { &FORMS[..3] } else { &FORMS[..] };
    let all: Vec<_> =
        forms.iter().flat_map(|form| [dressed(log, *form), format!("\u{feff}{}", dressed(log, *form))]).map(|log| read(&log)).collect();
    for one in &all {
        assert_eq!(*one, all[0], "{log}");
    }
    all.into_iter().next().flatten()
}

/// The error of a log, and the statement.
#[track_caller]
fn why(log: &str) -> String {
    let error = found(log).unwrap_or_else(|| panic!("nothing found in {log}"));
    let line = log.lines().nth(usize::try_from(error.row).unwrap() - 1).unwrap();
    assert!(
        error.text.starts_with(line.trim().trim_end_matches('…')) || error.text.ends_with('…'),
        "{} is not line {}: {line}",
        error.text,
        error.row
    );
    let statement: String = error.statement.iter().map(|line| format!("\n  {line}")).collect();
    format!("{}{statement}", error.text)
}

const BEGIN: &str = "Execution started.\nProduct Version: 14.173.4\nApp Title: Sales\n0002 SET ThousandSep=','\n0003 SET ErrorMode=1\n\
    0013 calendar:\n0014 LOAD Date(MakeDate(2020) + RecNo() - 1) AS Date AUTOGENERATE 2192\n      1 fields found: Date, \n      2,192 lines fetched\n";
const END: &str = "\nExecution Failed\nExecution finished.\n";

/// Logs of reloads that failed: the lines after [`BEGIN`], and what is found in them.
const FAILED: [(&str, &str, &str); 34] = [
    (
        "a file is not there",
        "0018 facts:\n0019 LOAD * FROM [lib://Data/Sales.qvd] (qvd)\nError: The following error occurred:\nError: Cannot open file: 'lib://Data/Sales.qvd' (Native Path: D:\\QlikData\\Sales.qvd Error: The system cannot find the file specified.)",
        "Error: Cannot open file: 'lib://Data/Sales.qvd' (Native Path: D:\\QlikData\\Sales.qvd Error: The system cannot find the file specified.)\n  0018 facts:\n  0019 LOAD * FROM [lib://Data/Sales.qvd] (qvd)",
    ),
    (
        "a field is not there",
        "0018 facts:\n0019 LOAD Date,\n0020     Amount * Rate AS Amount\n0021 RESIDENT staging\nThe following error occurred:\nField 'Rate' not found\nThe error occurred here:\nfacts: LOAD Date, Amount * Rate AS Amount RESIDENT staging",
        "Field 'Rate' not found\n  0018 facts:\n  0019 LOAD Date,\n  0020     Amount * Rate AS Amount\n  0021 RESIDENT staging",
    ),
    (
        "an older release names the field",
        "0019 LOAD a RESIDENT b\nError: Field not found - <a>",
        "Error: Field not found - <a>\n  0019 LOAD a RESIDENT b",
    ),
    (
        "a table is not there",
        "0025 DROP TABLE staging\nError: Table 'staging' not found",
        "Error: Table 'staging' not found\n  0025 DROP TABLE staging",
    ),
    (
        "a resident table is not there",
        "0031 LEFT JOIN (facts)\n0032 LOAD Id, Name\n0033 RESIDENT customers\nError: Table not found",
        "Error: Table not found\n  0031 LEFT JOIN (facts)\n  0032 LOAD Id, Name\n  0033 RESIDENT customers",
    ),
    (
        "the database ends the connection",
        "0018 LIB CONNECT TO 'Warehouse'\nConnected\n0020 facts:\n0021 SQL SELECT *\n0022 FROM dbo.facts f\n0023 LEFT JOIN dbo.dates d ON d.id = f.id\nError: The following error occurred:\nError: Connector reply error: SQL##f - SqlState: 08S01, ErrorCode: 10054, ErrorMsg: [Microsoft][ODBC Driver 17 for SQL Server]TCP Provider: An existing connection was forcibly closed by the remote host.",
        "Error: Connector reply error: SQL##f - SqlState: 08S01, ErrorCode: 10054, ErrorMsg: [Microsoft][ODBC Driver 17 for SQL Server]TCP Provider: An existing connection was forcibly closed by the remote host.\n  0020 facts:\n  0021 SQL SELECT *\n  0022 FROM dbo.facts f\n  0023 LEFT JOIN dbo.dates d ON d.id = f.id",
    ),
    (
        "a database says it in several lines",
        "0021 SQL SELECT * FROM facts\nError: Connector reply error: ERROR [HY000] [Qlik][Oracle]\n~ORA-00942: table or view does not exist\n~Position: 14",
        "Error: Connector reply error: ERROR [HY000] [Qlik][Oracle] ORA-00942: table or view does not exist Position: 14\n  0021 SQL SELECT * FROM facts",
    ),
    (
        "a connector announces it",
        "0021 SQL SELECT * FROM facts\nConnector reply error:\nPermission denied: user lacks SELECT on facts",
        "Connector reply error: Permission denied: user lacks SELECT on facts\n  0021 SQL SELECT * FROM facts",
    ),
    (
        "the driver alone says it",
        "0118 ODBC CONNECT TO warehouse\nSQL##f - SqlState: IM002, ErrorCode: 0, ErrorMsg: [Microsoft][ODBC Driver Manager] Data source name not found\nGeneral Script Error",
        "SQL##f - SqlState: IM002, ErrorCode: 0, ErrorMsg: [Microsoft][ODBC Driver Manager] Data source name not found\n  0118 ODBC CONNECT TO warehouse",
    ),
    ("nothing but that it failed in general", "0019 LOAD 1\nGeneral Script Error", "General Script Error\n  0019 LOAD 1"),
    ("in general, then in particular", "0019 LOAD 1\nGeneral Script Error\nFile not found", "File not found\n  0019 LOAD 1"),
    ("a script error with its reason", "0019 LOAD 1\nScript Error: the app is locked", "Script Error: the app is locked\n  0019 LOAD 1"),
    ("nothing but that it failed", "0019 LOAD 1", "Execution Failed\n  0019 LOAD 1"),
    (
        "no statement that makes sense",
        "0019 LAOD * FROM x\nError: Unknown statement: LAOD * FROM x",
        "Error: Unknown statement: LAOD * FROM x\n  0019 LAOD * FROM x",
    ),
    (
        "a word too much",
        "0018 facts:\n0019 LOAD Date, Customer, FROM [lib://Data/facts.qvd] (qvd)\nThe following error occurred:\nUnexpected token: 'FROM', expected one of: 'OPERATOR_PLUS', 'OPERATOR_MINUS', 'LITERAL_NUMBER', ...\nThe error occurred here:\nfacts: LOAD Date, Customer, >>>>>>FROM<<<<<< [lib://Data/facts.qvd] (qvd)",
        "Unexpected token: 'FROM', expected one of: 'OPERATOR_PLUS', 'OPERATOR_MINUS', 'LITERAL_NUMBER', ...\n  0018 facts:\n  0019 LOAD Date, Customer, FROM [lib://Data/facts.qvd] (qvd)",
    ),
    (
        "FROM is missing",
        "0019 LOAD Date\nSyntax error, missing/misplaced FROM:\nfacts: LOAD Date",
        "Syntax error, missing/misplaced FROM: facts: LOAD Date\n  0019 LOAD Date",
    ),
    (
        "an expression",
        "0019 LOAD Sum(a RESIDENT b\nError in expression:\n')' expected",
        "Error in expression: ')' expected\n  0019 LOAD Sum(a RESIDENT b",
    ),
    (
        "an aggregation",
        "0019 LOAD a, Sum(b) RESIDENT c\nError: Invalid expression",
        "Error: Invalid expression\n  0019 LOAD a, Sum(b) RESIDENT c",
    ),
    (
        "memory",
        "0019 OUTER JOIN (customers) LOAD * RESIDENT products\nError: Out of virtual and/or logical memory, allocating 4MB",
        "Error: Out of virtual and/or logical memory, allocating 4MB\n  0019 OUTER JOIN (customers) LOAD * RESIDENT products",
    ),
    ("memory, without the word error", "0019 LOAD 1\nOut of memory", "Out of memory\n  0019 LOAD 1"),
    (
        "a folder that is closed",
        "0019 STORE facts INTO [lib://Out/facts.qvd] (qvd)\nError: Access is denied.",
        "Error: Access is denied.\n  0019 STORE facts INTO [lib://Out/facts.qvd] (qvd)",
    ),
    (
        "a connection that is not there",
        "0018 LIB CONNECT TO 'Gone'\nError: LIB connection 'Gone' not found",
        "Error: LIB connection 'Gone' not found\n  0018 LIB CONNECT TO 'Gone'",
    ),
    (
        "a connection that is not allowed",
        "0018 LIB CONNECT TO 'Gone'\nData connection not found or access denied: 'Gone'",
        "Data connection not found or access denied: 'Gone'\n  0018 LIB CONNECT TO 'Gone'",
    ),
    (
        "a path from the past",
        "0019 LOAD * FROM C:\\facts.qvd (qvd)\nError: Cannot access the local file system in current script mode. Try including LIB path.",
        "Error: Cannot access the local file system in current script mode. Try including LIB path.\n  0019 LOAD * FROM C:\\facts.qvd (qvd)",
    ),
    (
        "section access",
        "0040 SECTION ACCESS\n0041 LOAD * INLINE [\n0042 ACCESS, USERID\n0043 USER, X\n0044 ]\nError: Section Access: no ADMIN is left, the reload would lock everybody out",
        "Error: Section Access: no ADMIN is left, the reload would lock everybody out\n  0041 LOAD * INLINE [\n  0042 ACCESS, USERID\n  0043 USER, X\n  0044 ]",
    ),
    (
        "a service takes too long",
        "0021 SQL SELECT * FROM slow\nError: Connector reply error: Timeout expired. The timeout period elapsed prior to completion of the operation.",
        "Error: Connector reply error: Timeout expired. The timeout period elapsed prior to completion of the operation.\n  0021 SQL SELECT * FROM slow",
    ),
    (
        "a server does not answer",
        "0018 LIB CONNECT TO 'W'\nConnection timed out after 30 s",
        "Connection timed out after 30 s\n  0018 LIB CONNECT TO 'W'",
    ),
    (
        "a connector throws",
        "0021 LOAD * FROM x\nSystem.Net.WebException: The remote server returned an error: (401) Unauthorized.\n~   at Qlik.Rest.Get()",
        "System.Net.WebException: The remote server returned an error: (401) Unauthorized. at Qlik.Rest.Get()\n  0021 LOAD * FROM x",
    ),
    (
        "an archive",
        "0019 LOAD * FROM [lib://Data/a.qvd] (qvd)\nError: QVD file is corrupt",
        "Error: QVD file is corrupt\n  0019 LOAD * FROM [lib://Data/a.qvd] (qvd)",
    ),
    (
        "a file to include",
        "0019 $(Must_Include=lib://Scripts/common.qvs)\nError: File not found: lib://Scripts/common.qvs",
        "Error: File not found: lib://Scripts/common.qvs\n  0019 $(Must_Include=lib://Scripts/common.qvs)",
    ),
    ("a subroutine", "0050 CALL Load('x')\nError: Unknown subroutine", "Error: Unknown subroutine\n  0050 CALL Load('x')"),
    (
        "the script shouts before it fails",
        "0016 TRACE Error: this is only said\nError: this is only said\n0019 LOAD a RESIDENT b\nField 'a' not found",
        "Field 'a' not found\n  0019 LOAD a RESIDENT b",
    ),
    (
        "the script went on after another error",
        "0015 SET ErrorMode=0\n0016 LOAD * FROM [lib://Data/optional.qvd] (qvd)\nError: Cannot open file: 'lib://Data/optional.qvd'\n0017 SET ErrorMode=1\n0019 LOAD a RESIDENT b\nError: Field 'a' not found",
        "Error: Field 'a' not found\n  0019 LOAD a RESIDENT b",
    ),
    (
        "the script went on after several",
        "0015 SET ErrorMode=0\n0016 LOAD * FROM [lib://Data/one.qvd] (qvd)\nError: Cannot open file: 'lib://Data/one.qvd'\n0017 LOAD * FROM [lib://Data/two.qvd] (qvd)\nError: Cannot open file: 'lib://Data/two.qvd'",
        "Error: Cannot open file: 'lib://Data/one.qvd'\n  0016 LOAD * FROM [lib://Data/one.qvd] (qvd)",
    ),
];

#[test]
fn why_reloads_failed() {
    for (name, log, expected) in FAILED {
        let told = why(&format!("{BEGIN}{log}{END}"));
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn what_is_no_error_is_none() {
    for (name, log) in [
        (
            "a comment, a trace, a load",
            "0015 // Error: Cannot open file\n0016 TRACE Error: none\nError: none\n0017 LOAD Error, 'Error: x' AS y RESIDENT z\n      2 fields found: Error, y, \n      12 lines fetched",
        ),
        (
            "a table and a field of that name",
            "0015 [Error log]:\n0016 LOAD * FROM x\nError log << x 12 lines fetched\n      3 fields found: Error:, Field not found, General Script Error, ",
        ),
        (
            "data that stands in the script",
            "0015 LOAD * INLINE [\n~Code, Text\n~1, Error: Cannot open file\n~General Script Error\n~]\n      2 fields found: Code, Text, ",
        ),
        (
            "a circular reference",
            "Warning: circular reference(s) between tables\n$Syn 1 = a+b\nOne or more loops have been detected in your database structure. Table(s) have been set as loosely coupled.",
        ),
        ("it was stopped", "0018 LOAD * FROM x\nExecution aborted."),
        ("words within a line", "App Title: Error: report\n      No error: 12\nErrors: 0\nThe error log is fine"),
    ] {
        assert_eq!(found(&format!("{BEGIN}{log}\nSearch indexing started\nExecution finished.\n")), None, "{name}");
    }
    for empty in ["", "\r\n\r\n", "\u{feff}"] {
        assert_eq!(read(empty), None);
    }
}

#[test]
fn where_no_statement_was_logged_the_engine_may_show_it() {
    assert_eq!(
        why(
            "Execution started.\nThe following error occurred:\nField 'a' not found\nThe error occurred here:\nLOAD a RESIDENT b\nExecution Failed"
        ),
        "Field 'a' not found\n  LOAD a RESIDENT b"
    );
}

#[test]
fn a_log_may_end_where_the_error_is_announced() {
    assert_eq!(why("0019 LOAD 1\nError: The following error occurred:"), "Error: The following error occurred:\n  0019 LOAD 1");
    assert_eq!(why("0019 LOAD 1\nThe following error occurred:\nExecution Failed"), "The following error occurred:\n  0019 LOAD 1");
}

#[test]
fn of_a_long_statement_both_ends_are_shown() {
    let fields: String = (20..80).map(|number| format!("00{number}     Field{number},\n")).collect();
    let log = format!(
        "0018 facts:\n0019 LOAD\n{fields}0080     {}\n0081 FROM [lib://Data/x.qvd] (qvd)\nError: Cannot open file",
        "x".repeat(5000)
    );
    let error = found(&log).unwrap();
    assert_eq!(error.statement.len(), statement::MAX_LINES);
    assert_eq!(error.statement[..4], ["0018 facts:", "0019 LOAD", "0020     Field20,", "…"]);
    assert!(error.statement[6].len() < 600 && error.statement[6].ends_with("x…"));
    assert_eq!(error.statement[7], "0081 FROM [lib://Data/x.qvd] (qvd)");
}

#[test]
fn it_is_found_far_from_both_ends() {
    let many: String = (0..20_000).map(|row| format!("      {row} fields found: a, \n")).collect();
    let log = format!("{BEGIN}{many}0019 LOAD a RESIDENT b\nField 'a' not found\n{many}Execution Failed\n");
    let error = read(&log).unwrap();
    assert_eq!((error.text.as_str(), error.row), ("Field 'a' not found", 20_011));
}

#[test]
fn rows_of_older_versions_are_read() {
    let old = r#"{"head":["a"],"tail":["a"],"rows":1,"characters":1}"#;
    assert_eq!(serde_json::from_str::<ScriptLog>(old).unwrap().error, None);
}

/// Bytes that a finder holds.
fn held(finder: &ErrorFinder) -> usize {
    let statement: usize = finder.statement.lines().iter().map(String::len).sum();
    let found =
        finder.found.as_ref().map_or(0, |found| found.error.text.len() + found.error.statement.iter().map(String::len).sum::<usize>());
    statement + found
}

fn any_line() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "20240513T060211.123+0200",
        "0019",
        "LOAD",
        "Error:",
        "The following error occurred:",
        "TRACE",
        "SET ErrorMode=0",
        "Field 'a' not found",
        "\u{feff}",
        "…",
        ":",
        "The error occurred here:",
        "General Script Error",
        "Execution Failed",
        "facts:",
        "SQL SELECT",
        "LEFT JOIN",
        "åäö🚀",
        "\t",
        "'",
        "ẞİ",
    ]);
    let word = prop_oneof![4 => parts.prop_map(str::to_owned), 1 => ".{0,12}", 1 => Just("🚀x".repeat(700))];
    prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn whatever_the_lines_what_is_held_is_bounded_and_was_said(lines in prop::collection::vec(any_line(), 0..60)) {
        let mut finder = ErrorFinder::default();
        for line in &lines {
            finder.line(line);
            prop_assert!(held(&finder) <= 2 * statement::MAX_LINES * 600 + MAX_TEXT + 16);
        }
        if let Some(error) = finder.finish() {
            let said = &lines[usize::try_from(error.row).unwrap() - 1];
            // What follows may be of the next line.
            let start: String = error.text.split(' ').next().unwrap_or_default().chars().take(5).collect();
            prop_assert!(said.contains(start.trim_end_matches('…').trim()), "{:?} is not of {:?}", error.text, said);
        }
    }
}
