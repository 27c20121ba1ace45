//! What a reload writes into its script log.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::outcome::{Failure, Outcome};

/// A reload that writes a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reload<'a> {
    pub(super) node: &'a str,
    pub(super) app: &'a str,
    pub(super) start: Timestamp,
    pub(super) stop: Timestamp,
}

/// The log of a reload that ends so, in the node's local time; its lines end in LF.
pub(super) fn text(reload: Reload<'_>, outcome: Outcome, zone: &TimeZone) -> String {
    let Reload { node, app, start, stop } = reload;
    let mut log = Log { text: String::new(), at: start, stop, zone };
    log.line("Execution started.");
    log.line("Product Version: 14.173.4");
    log.line("Platform: Windows");
    log.line(&format!("Machine Name: {}", node.to_uppercase()));
    log.line("Execution started with a 2 core limit.");
    log.line(&format!("App Title: {app}"));
    for (number, line) in SETTINGS.iter().enumerate() {
        log.script(number + 2, line);
    }
    log.at = middle(start, stop);
    log.script(13, "calendar:");
    log.script(14, "LOAD Date(MakeDate(2020) + RecNo() - 1) AS Date AUTOGENERATE 2192");
    log.line("      1 fields found: Date, ");
    log.line("      2,192 lines fetched");
    log.script(16, &format!("TRACE Loading what {app} is about"));
    log.line(&format!("Loading what {app} is about"));
    log.at = stop;
    match outcome {
        Outcome::Success => {
            log.script(18, "facts:");
            log.script(19, &format!("LOAD * FROM [lib://Data/{app}.qvd] (qvd)"));
            log.line("      4 fields found: Date, Customer, Product, Amount, ");
            log.line("      184,203 lines fetched");
            log.line("Search indexing started");
            log.line("Search index creation completed successfully");
            log.line("Execution finished.");
        }
        Outcome::Aborted => {
            log.script(18, "facts:");
            log.script(19, &format!("LOAD * FROM [lib://Data/{app}.qvd] (qvd)"));
            log.line("Execution aborted.");
            log.line("Execution finished.");
        }
        Outcome::Failed(failure) => {
            for line in script_of(failure, app) {
                log.line(&line);
            }
            log.line("Execution Failed");
            log.line("Execution finished.");
        }
    }
    log.text
}

const SETTINGS: [&str; 10] = [
    "SET ThousandSep=','",
    "SET DecimalSep='.'",
    "SET MoneyFormat='$ ###0.00;-$ ###0.00'",
    "SET TimeFormat='hh:mm:ss'",
    "SET DateFormat='YYYY-MM-DD'",
    "SET TimestampFormat='YYYY-MM-DD hh:mm:ss[.fff]'",
    "SET FirstWeekDay=0",
    "SET CollationLocale='en-US'",
    "SET CreateSearchIndexOnReload=1",
    "SET NumericalAbbreviation='3:k;6:M;9:G;12:T;15:P;18:E;21:Z;24:Y;-3:m;-6:μ;-9:n;-12:p;-15:f;-18:a;-21:z;-24:y'",
];

fn script_of(failure: Failure, app: &str) -> Vec<String> {
    match failure {
        Failure::MissingFile => vec![
            "0018 facts:".into(),
            format!("0019 LOAD * FROM [lib://Data/{app}.qvd] (qvd)"),
            "Error: The following error occurred:".into(),
            format!("Error: Cannot open file: 'lib://Data/{app}.qvd' (Native Path: D:\\QlikData\\{app}.qvd Error: The system cannot find the file specified.)"),
        ],
        Failure::MissingField => vec![
            "0018 facts:".into(),
            "0019 LOAD Date, Customer, Amount * Rate AS Amount RESIDENT staging".into(),
            "Error: The following error occurred:".into(),
            "Error: Field 'Rate' not found".into(),
        ],
        Failure::Connection => vec![
            "0018 LIB CONNECT TO 'Warehouse'".into(),
            "Connected".into(),
            "0020 facts:".into(),
            "0021 SQL SELECT * FROM dbo.facts".into(),
            "Error: The following error occurred:".into(),
            "Error: Connector reply error: SQL##f - SqlState: 08S01, ErrorCode: 10054, ErrorMsg: [Microsoft][ODBC Driver 17 for SQL Server]TCP Provider: \
             An existing connection was forcibly closed by the remote host."
                .into(),
        ],
        Failure::Syntax => vec![
            "0018 facts:".into(),
            "0019 LOAD Date, Customer, FROM [lib://Data/facts.qvd] (qvd)".into(),
            "Error: The following error occurred:".into(),
            "Error: Unexpected token: 'FROM', expected one of: 'OPERATOR_PLUS', 'OPERATOR_MINUS', 'OPERATOR_NOT', 'LITERAL_NUMBER', 'LITERAL_STRING', ...".into(),
        ],
        Failure::Memory => vec![
            "0018 facts:".into(),
            "0019 OUTER JOIN (customers) LOAD * RESIDENT products".into(),
            "Error: The following error occurred:".into(),
            "Error: Out of virtual and/or logical memory, allocating 4MB".into(),
        ],
    }
}

struct Log<'a> {
    text: String,
    at: Timestamp,
    stop: Timestamp,
    zone: &'a TimeZone,
}

impl Log<'_> {
    fn line(&mut self, text: &str) {
        let at = self.at.min(self.stop).to_zoned(self.zone.clone());
        // Writing to a text can't fail.
        let _ = writeln!(self.text, "{}      {text}", at.strftime("%Y-%m-%d %H:%M:%S"));
    }

    fn script(&mut self, number: usize, text: &str) {
        self.line(&format!("{number:04} {text}"));
    }
}

fn middle(start: Timestamp, stop: Timestamp) -> Timestamp {
    start.checked_add(stop.duration_since(start) / 2).unwrap_or(start)
}

/// The text as it is downloaded.
pub(super) fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_reload_says_why() {
        let (start, stop) = ("2024-05-13T04:02:02Z".parse().unwrap(), "2024-05-13T04:02:10Z".parse().unwrap());
        let reload = Reload { node: "sense-node-1", app: "Sales", start, stop };
        let log = text(reload, Outcome::FAILED, &TimeZone::fixed(jiff::tz::offset(2)));
        assert!(log.starts_with("2024-05-13 06:02:02      Execution started.\n"), "{log}");
        let tail: Vec<_> = log.lines().rev().take(3).collect();
        insta::assert_snapshot!(tail.join("\n"), @r"
        2024-05-13 06:02:10      Execution finished.
        2024-05-13 06:02:10      Execution Failed
        2024-05-13 06:02:10      Error: Cannot open file: 'lib://Data/Sales.qvd' (Native Path: D:\QlikData\Sales.qvd Error: The system cannot find the file specified.)
        ");
        let logs: std::collections::HashSet<_> =
            Failure::ALL.into_iter().map(|failure| text(reload, Outcome::Failed(failure), &TimeZone::UTC)).collect();
        assert_eq!(logs.len(), Failure::ALL.len());
    }
}
