//! Import and export of schedule files.

use std::path::Path;

use butler_core::schedule::yaml::{Fate, ImportReport, ImportedSchedule, Level};
use reqwest::Method;

use super::say;
use crate::args::{Global, Import};
use crate::client::Client;
use crate::{Exit, output};

pub(super) async fn import(global: &Global, client: &Client, import: &Import) -> Result<(), Exit> {
    let Import { file, dry_run, time_zone, original_zone, replace } = import;
    let text = tokio::fs::read(file).await;
    let text = text.map_err(|error| Exit::unavailable(format!("can't read `{}`: {error}", file.display())))?;
    let mut query = vec![("dry_run", dry_run.to_string()), ("time_zone", time_zone.clone()), ("replace", replace.to_string())];
    query.extend(original_zone.iter().map(|zone| ("original_zone", zone.clone())));
    let request = client.request(Method::POST, "/api/schedules/import", &query)?.header("content-type", "application/yaml").body(text);
    let report: ImportReport = client.answer(request).await?;
    say(global, &report, || told(&report))?;
    match report.refused {
        0 => Ok(()),
        refused => Err(Exit::usage(format!("{refused} of {} schedules were not taken", report.schedules.len()))),
    }
}

pub(super) async fn export(client: &Client, file: Option<&Path>) -> Result<(), Exit> {
    let response = client.send(client.request(Method::GET, "/api/schedules/export", &[])?).await?;
    let text = response.text().await.map_err(|_| Exit::unavailable("the export broke off. Is `butler-cli serve` still running?"))?;
    let Some(file) = file else {
        output::write(&text);
        return Ok(());
    };
    let written = tokio::fs::write(file, &text).await;
    written.map_err(|error| Exit::unavailable(format!("can't write `{}`: {error}", file.display())))?;
    // What the original can't do stands above the schedules; here it is seen.
    let remarks = text.lines().take_while(|line| line.starts_with('#'));
    output::foreign(&remarks.map(|line| format!("{}\n", line.trim_start_matches(['#', ' ']))).collect::<String>());
    Ok(())
}

/// A report, line by line of the file.
fn told(report: &ImportReport) -> String {
    let ImportReport { dry_run, added, replaced, there, refused, schedules } = report;
    let mut text = String::new();
    for ImportedSchedule { line, id, name, fate, remarks } in schedules {
        let became = match fate {
            Fate::Added => "added",
            Fate::Replaced => "replaced",
            Fate::Unchanged => "there already: it was imported before",
            Fate::Kept => "there already, otherwise than in the file, and left as it is",
            Fate::Refused => "not taken",
        };
        text += &format!("line {line}: {id} ({name}): {became}\n");
        for remark in remarks {
            let level = match remark.level {
                Level::Note => "note",
                Level::Warning => "warning",
                Level::Error => "error",
            };
            text += &format!("  line {}: {level}: {}\n", remark.line, remark.text);
        }
    }
    let total = schedules.len();
    text += &format!("{total} schedules: {added} added, {replaced} replaced, {there} there already, {refused} not taken\n");
    if *dry_run {
        text += "Nothing was changed: this was a dry run.\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_told_line_by_line() {
        let one = |line: u64, fate: &str, remarks: serde_json::Value| json!({ "line": line, "id": format!("s{line}"), "name": "Sales", "fate": fate, "remarks": remarks });
        let report: ImportReport =
            serde_json::from_value(json!({ "dry_run": true, "added": 1, "replaced": 0, "there": 2, "refused": 1, "schedules": [
            one(2, "added", json!([{ "line": 3, "level": "note", "text": "months are counted from 1 here" }])),
            one(9, "unchanged", json!([])),
            one(16, "kept", json!([{ "line": 18, "level": "warning", "text": "there is no time zone `Mars`" }])),
            one(23, "refused", json!([{ "line": 24, "level": "error", "text": "it names no task" }])),
        ] }))
            .expect("a report");
        insta::assert_snapshot!(told(&report), @r"
        line 2: s2 (Sales): added
          line 3: note: months are counted from 1 here
        line 9: s9 (Sales): there already: it was imported before
        line 16: s16 (Sales): there already, otherwise than in the file, and left as it is
          line 18: warning: there is no time zone `Mars`
        line 23: s23 (Sales): not taken
          line 24: error: it names no task
        4 schedules: 1 added, 0 replaced, 2 there already, 1 not taken
        Nothing was changed: this was a dry run.
        ");
    }
}
