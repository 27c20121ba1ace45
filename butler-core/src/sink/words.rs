//! What messages say in words: a headline, lines, notes. All sinks draw on these, so that the same event reads the same everywhere; a sink of your own may
//! as well.

use super::Rendering;
use crate::event::{Body, ExecutionResult, Kind, ScriptError, TaskEvent, TaskOutcome, TaskType};

/// How the user of a task event is written. The log writes `DIRECTORY\user`, some installations with the backslash doubled, and what is shown
/// of it differs by destination since long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserForm {
    /// Every backslash becomes a slash.
    Slash,
    /// A doubled backslash becomes a single one.
    Single,
    /// As it was received.
    AsReceived,
}

impl UserForm {
    /// The user in this form.
    #[must_use]
    pub fn apply(self, user: &str) -> String {
        match self {
            Self::Slash => user.replace('\\', "/"),
            Self::Single => user.replace("\\\\", "\\"),
            Self::AsReceived => user.to_owned(),
        }
    }
}

/// What a single line may hold: no control characters, so that no value can start a line of its own.
#[must_use]
pub fn one_line(text: &str) -> String {
    let spaced = text.replace("\r\n", " ");
    spaced.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text of at most so many characters; one that is longer ends in dots.
#[must_use]
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some(_) => text.chars().take(longest.saturating_sub(3)).chain("...".chars()).collect(),
        None => text.to_owned(),
    }
}

/// The task's name: as received, unless a `;` made it unsure; then as the repository knows it.
#[must_use]
pub fn task_name(task: &TaskEvent, rendering: &Rendering<'_>) -> String {
    let known = rendering.facts.task.known().map(|facts| facts.name.as_str()).filter(|name| !name.is_empty());
    match known {
        Some(known) if task.names_unsure || task.task_name.is_empty() => known.to_owned(),
        _ => task.task_name.clone(),
    }
}

/// The app's name: as received, unless a `;` made it unsure or none was received; then as the repository knows it.
#[must_use]
pub fn app_name(task: &TaskEvent, rendering: &Rendering<'_>) -> String {
    let app = rendering.facts.app.known().map(|app| app.name.as_str());
    let of_task = rendering.facts.task.known().and_then(|task| task.app_name.as_deref());
    match app.or(of_task).filter(|name| !name.is_empty()) {
        Some(known) if task.names_unsure || task.app_name.is_empty() => known.to_owned(),
        _ => task.app_name.clone(),
    }
}

/// `Reload task`, `External program task`, ...
#[must_use]
pub fn task_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Task { task_type: Some(TaskType::Reload), .. } => "Reload task",
        Kind::Task { task_type: Some(TaskType::ExternalProgram), .. } => "External program task",
        Kind::Task { task_type: Some(TaskType::UserSync), .. } => "User sync task",
        Kind::Task { task_type: Some(TaskType::Distribute), .. } => "Distribute task",
        Kind::Task { task_type: Some(TaskType::Preload), .. } => "Preload task",
        _ => "Task",
    }
}

/// `failed`, `was aborted`, ...
#[must_use]
pub fn outcome(outcome: TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Failed => "failed",
        TaskOutcome::Aborted => "was aborted",
        TaskOutcome::Success => "succeeded",
        TaskOutcome::Unsettled => "ended, its outcome is not known yet",
    }
}

/// The event in one line: `Reload task failed: Reload sales`.
#[must_use]
pub fn headline(rendering: &Rendering<'_>) -> String {
    let text = match (&rendering.event.body, &rendering.event.kind) {
        (Body::Task(task), kind) => {
            let name = task_name(task, rendering);
            let name = if name.is_empty() { task.task_id.to_string() } else { name };
            let outcome = kind.outcome().map_or("ended", outcome);
            format!("{} {outcome}: {name}", task_type(kind))
        }
        (Body::EngineReload(reload), _) => {
            let name = rendering.facts.app.known().map(|app| app.name.clone()).filter(|name| !name.is_empty());
            let name = name.or_else(|| reload.app_id.map(|id| id.to_string())).unwrap_or_else(|| "an app that is not named".to_owned());
            format!("App reload failed: {name}")
        }
        (Body::Notice(notice), _) if !notice.title.is_empty() => notice.title.clone(),
        (_, kind) => kind.to_string(),
    };
    one_line(&text)
}

/// What the script log says of an error, with what it is called: a reload that failed, failed for it.
#[must_use]
pub fn reason<'a>(rendering: &Rendering<'a>) -> Option<(&'static str, &'a ScriptError)> {
    let error = rendering.facts.script_log.known()?.error.as_ref()?;
    let label = match rendering.event.kind.outcome() {
        Some(TaskOutcome::Failed) => "Why it failed",
        _ => "Error in the script log",
    };
    Some((label, error))
}

/// The particulars, each with its label; only those that are known.
#[must_use]
pub fn lines(rendering: &Rendering<'_>) -> Vec<(&'static str, String)> {
    let facts = rendering.facts;
    let mut lines: Vec<_> = reason(rendering).map(|(label, error)| (label, error.text.clone())).into_iter().collect();
    lines.push(("Site", rendering.site.name.to_string()));
    match &rendering.event.body {
        Body::Task(task) => {
            lines.push(("Task", task_name(task, rendering)));
            lines.push(("App", app_name(task, rendering)));
            lines.push(("App owner", facts.owner.known().map(|owner| owner.name.clone()).unwrap_or_default()));
            lines.push(("User", UserForm::Single.apply(&task.user)));
            lines.push(("Host", task.host.clone()));
            lines.push(("Time", task.log_time.clone()));
            lines.push(("Log message", task.message.clone()));
            lines.push(("Status", facts.result.known().map(status).unwrap_or_default()));
            lines.push(("Task id", task.task_id.to_string()));
            lines.push(("Execution id", task.execution_id.map(|id| id.to_string()).unwrap_or_default()));
        }
        Body::EngineReload(reload) => {
            lines.push(("App", facts.app.known().map(|app| app.name.clone()).unwrap_or_default()));
            lines.push(("App id", reload.app_id.map(|id| id.to_string()).unwrap_or_default()));
            lines.push(("User", format!("{}\\{}", reload.user_directory, reload.user_id)));
            lines.push(("Host", reload.host.clone()));
            lines.push(("Time", reload.log_time.clone()));
            lines.push(("Log message", reload.message.clone()));
        }
        Body::Notice(notice) => {
            lines.push(("Time", rendering.event.at.to_zoned(rendering.site.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()));
            if notice.text != notice.title {
                lines.push(("Message", notice.text.clone()));
            }
            if let Some(task) = &notice.task {
                lines.push(("Task", task.task_name.clone()));
                lines.push(("App", task.app_name.clone()));
                lines.push(("App owner", facts.owner.known().map(|owner| owner.name.clone()).unwrap_or_default()));
                lines.push(("Task id", task.task_id.to_string()));
            }
        }
    }
    let of_task = facts.task.known().and_then(|task| task.app_id);
    if let Some(app) = rendering.event.app_id().or(of_task) {
        lines.push(("App page", rendering.site.links.app(app)));
    }
    lines.push(("QMC", rendering.site.links.qmc.clone()));
    lines.retain(|(_, text)| !text.is_empty());
    for (_, text) in &mut lines {
        *text = one_line(text);
    }
    lines
}

/// How long something took: `2 min 7 s`; empty for less than a second, which is what a repository says that does not know.
#[must_use]
pub fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let parts = parts.iter().skip_while(|(count, _)| *count <= 0).map(|(count, unit)| format!("{count} {unit}"));
    parts.collect::<Vec<_>>().join(" ")
}

/// The line among those that are missing which says that a result is known, but not whose.
pub(crate) const UNCERTAIN: &str = "execution result: it is that of the task's latest run, which need not be the one that this is about";

/// `FinishedFail after 2 min 7 s`.
fn status(result: &ExecutionResult) -> String {
    match duration(result.duration_ms) {
        took if took.is_empty() => result.status.text(),
        took => format!("{} after {took}", result.status.text()),
    }
}

/// What has to be said beside the event: what is missing, what was held back, what is not certain. Empty most of the time.
#[must_use]
pub fn notes(rendering: &Rendering<'_>) -> Vec<String> {
    let mut notes = missing(rendering.missing);
    if rendering.missing.iter().any(|line| line == UNCERTAIN) {
        notes.push("The execution details are those of the task's latest run, which need not be the one that this is about.".to_owned());
    }
    match rendering.held_back {
        0 => {}
        1 => notes.push("1 message like this was held back since the last one was sent.".to_owned()),
        count => notes.push(format!("{count} messages like this were held back since the last one was sent.")),
    }
    notes
}

/// One note for everything that is missing for the same reason.
fn missing(lines: &[String]) -> Vec<String> {
    by_reason(lines).into_iter().map(|what| one_line(&format!("Not known: {what}"))).collect()
}

/// What is missing, with everything that is for the same reason in one: `task, app (the repository does not answer)`.
pub(crate) fn by_reason(lines: &[String]) -> Vec<String> {
    let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines.iter().filter(|line| *line != UNCERTAIN) {
        let (what, why) = line.split_once(": ").unwrap_or((line, ""));
        match by_reason.iter_mut().find(|(known, _)| *known == why) {
            Some((_, all)) => all.push(what),
            None => by_reason.push((why, vec![what])),
        }
    }
    let words = |(why, what): (&str, Vec<&str>)| match why {
        "" => what.join(", "),
        why => format!("{} ({why})", what.join(", ")),
    };
    by_reason.into_iter().map(words).collect()
}

/// The whole message as plain text; `fault` says why it is no more than that.
#[must_use]
pub fn plain_text(rendering: &Rendering<'_>, fault: Option<&str>) -> String {
    let mut text = headline(rendering);
    text.push_str("\n\n");
    for (label, line) in lines(rendering) {
        text.push_str(&format!("{label}: {line}\n"));
    }
    if let Some((_, error)) = reason(rendering).filter(|(_, error)| !error.statement.is_empty()) {
        text.push_str(&format!("\nThe statement that failed:\n\n{}\n", error.statement.join("\n")));
    }
    let notes = notes(rendering);
    if !notes.is_empty() {
        text.push_str(&format!("\n{}\n", notes.join("\n")));
    }
    if let Some(fault) = fault {
        text.push_str(&format!("\n{}\n", makeshift(fault)));
    }
    text
}

/// What a message says that is no more than plain words, and why.
#[must_use]
pub fn makeshift(fault: &str) -> String {
    format!("This is a plain message because its template could not be used: {}", one_line(fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_for_one_reason_is_one_note() {
        let lines = ["task: down", "app: down", UNCERTAIN, "script log: gone: for good", "owner"].map(str::to_owned);
        assert_eq!(missing(&lines), ["Not known: task, app (down)", "Not known: script log (gone: for good)", "Not known: owner"]);
    }

    #[test]
    fn durations_have_no_more_units_than_they_need() {
        assert_eq!(
            [127_335, 90_061_000, 3_600_000, 59_999, 999, 0, -5].map(duration),
            ["2 min 7 s", "25 h 1 min 1 s", "1 h 0 min 0 s", "59 s", "", "", ""]
        );
    }

    #[test]
    fn a_shortened_text_has_the_length_that_is_wanted() {
        assert_eq!(["abcd", "abcde", "åäöåäö", ""].map(|text| shortened(text, 4)), ["abcd", "a...", "å...", ""]);
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("a\r\nb\tc\u{0}d"), "a b c d");
    }
}
