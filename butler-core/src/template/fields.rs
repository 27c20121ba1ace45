//! The values that templates show.
//!
//! Every field of the original is there for every event, also where it supplied less; a value that is not known is empty. Names are the original's:
//!
//! * the event: `hostName`, `user`, `logTimeStamp`, `logLevel`, `logMessage`, `executionId`;
//! * the task: `taskName`, `taskId`, `taskCustomProperties`, `taskTags`, `taskIsManuallyTriggered`, `taskIsPartialReload`, `taskMaxRetries`,
//!   `taskModifiedByUsername`, `taskModifiedDate`, `taskSessionTimeout`, `taskNextExecution`;
//! * the app: `appName`, `appId`, `appUrl`, `appDescription`, `appFileSize`, `appLastSuccessfulReload`, `appLastModifiedDate`, `appLastModifiedByUserName`,
//!   `appPublishTime`, `appPublished`, `appStreamName`, `appCustomProperties`, `appTags`, `appOwnerName`, `appOwnerUserId`, `appOwnerUserDirectory`, `appOwnerEmail`;
//! * the execution: `executingNodeName`, `executionDuration`, `executionStartTime`, `executionStopTime`, `executionStatusNum`, `executionStatusText`,
//!   `executionDetails`, `executionDetailsConcatenated`, `executionDetailsText`;
//! * the script log: `scriptLogHead`, `scriptLogTail`, `scriptLogHeadCount`, `scriptLogTailCount`, `scriptLogSize`, `scriptLogSizeRows`, `scriptLogSizeCharacters`;
//! * links: `qlikSenseQMC`, `qlikSenseHub`, `genericUrls`; and `butlerVersion`.
//!
//! In messages about preload tasks that failed, the node, the state, the details and the next execution read `N/A` where they are not known, as they always did.
//!
//! Ours are `event` (the kind's name), `eventId`, `eventTime` (six forms), `headline` (the event in one line), `taskType`, `outcome`, `siteName`,
//! `durationText` (`2 min 7 s`), `nextRun` (the next execution in local time, or that there is none),
//! `missing` (a list: what was looked for in vain), `heldBack` (how many messages like this were held back), `notes` (a list: both of these in words, and
//! whatever else has to be said), `appOwnerEmails`, `scriptLogError` (why the reload failed, as the script log says it), `scriptLogErrorStatement` (the statement that
//! failed, in the numbered lines of the log), `scriptLogErrorRow` (which line of the log it is) and `scriptLogMissing` (why there is no script log).
//!
//! An engine reload has `sessionId`, `userDirectory` and `userId` beside these. A notice has `title`, `text` and its own fields by their own names, and
//! all of them in `fields` (a list of `name` and `value`).

use serde_json::{Map, Value, json};

use super::helpers::TEXT_KEY;
use super::times;
use crate::event::{Body, CustomProperty, ExecutionResult, Kind, LogLines, Needs, Notice, TaskOutcome, TaskType};
use crate::sink::{Rendering, UserForm, words};

/// What differs between destinations.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How the user is written.
    pub user: UserForm,
    /// How many lines of the script log's ends are shown.
    pub script_log: LogLines,
}

/// The values for a message.
#[must_use]
pub fn of(rendering: &Rendering<'_>, options: &Options) -> Value {
    let mut fields = Map::new();
    // A notice's own fields come first, so that none of them can hide one of ours.
    if let Body::Notice(notice) = &rendering.event.body {
        fields.extend(notice.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
    }
    event(&mut fields, rendering, options.user);
    task(&mut fields, rendering);
    app(&mut fields, rendering);
    execution(&mut fields, rendering);
    script_log(&mut fields, rendering, options.script_log);
    not_available(&mut fields, &rendering.event.kind);
    ours(&mut fields, rendering);
    Value::Object(fields)
}

/// What has to be known for what a template shows, given whether it mentions a field.
#[must_use]
pub fn needs(mentions: impl Fn(&str) -> bool, script_log: LogLines) -> Needs {
    const TASK: [&str; 10] = [
        "taskCustomProperties",
        "taskTags",
        "taskIsManuallyTriggered",
        "taskIsPartialReload",
        "taskMaxRetries",
        "taskModifiedByUsername",
        "taskModifiedDate",
        "taskSessionTimeout",
        "taskNextExecution",
        "nextRun",
    ];
    const APP: [&str; 10] = [
        "appDescription",
        "appFileSize",
        "appLastSuccessfulReload",
        "appLastModifiedDate",
        "appLastModifiedByUserName",
        "appPublishTime",
        "appPublished",
        "appStreamName",
        "appCustomProperties",
        "appTags",
    ];
    const OWNER: [&str; 5] = ["appOwnerName", "appOwnerUserId", "appOwnerUserDirectory", "appOwnerEmail", "appOwnerEmails"];
    const RESULT: [&str; 11] = [
        "executingNodeName",
        "executionDuration",
        "durationText",
        "executionStartTime",
        "executionStopTime",
        "executionStatusNum",
        "executionStatusText",
        "executionDetails",
        "executionDetailsConcatenated",
        "executionDetailsText",
        "scriptLogSize",
    ];
    const SCRIPT_LOG: [&str; 8] = [
        "scriptLogHead",
        "scriptLogTail",
        "scriptLogSizeRows",
        "scriptLogSizeCharacters",
        "scriptLogError",
        "scriptLogErrorStatement",
        "scriptLogErrorRow",
        "scriptLogMissing",
    ];
    let any = |names: &[&str]| names.iter().any(|name| mentions(name));
    let lines = LogLines {
        head: if mentions("scriptLogHead") { script_log.head } else { 0 },
        tail: if mentions("scriptLogTail") { script_log.tail } else { 0 },
    };
    Needs { task: any(&TASK), app: any(&APP), owner: any(&OWNER), result: any(&RESULT), script_log: any(&SCRIPT_LOG).then_some(lines) }
}

fn set(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    fields.insert(name.to_owned(), value.into());
}

fn event(fields: &mut Map<String, Value>, rendering: &Rendering<'_>, user: UserForm) {
    let event = rendering.event;
    set(fields, "hostName", event.host());
    let (user, time, level, message, execution) = match &event.body {
        Body::Task(task) => {
            (user.apply(&task.user), task.log_time.clone(), task.log_level.as_str(), task.message.clone(), task.execution_id)
        }
        Body::EngineReload(reload) => {
            set(fields, "sessionId", reload.session_id.as_str());
            set(fields, "userDirectory", reload.user_directory.as_str());
            set(fields, "userId", reload.user_id.as_str());
            let name = user.apply(&format!("{}\\{}", reload.user_directory, reload.user_id));
            (name, reload.log_time.clone(), reload.log_level.as_str(), reload.message.clone(), None)
        }
        Body::Notice(notice) => {
            set(fields, "title", notice.title.as_str());
            set(fields, "text", notice.text.as_str());
            (String::new(), times::plain(event.at, &rendering.site.time_zone), "", notice.text.clone(), None)
        }
    };
    set(fields, "user", user);
    set(fields, "logTimeStamp", time);
    set(fields, "logLevel", level);
    set(fields, "logMessage", message);
    set(fields, "executionId", execution.map(|id| id.to_string()).unwrap_or_default());
}

fn properties(properties: &[CustomProperty]) -> Value {
    properties.iter().map(|property| json!({ "name": property.name, "value": property.value })).collect()
}

fn task(fields: &mut Map<String, Value>, rendering: &Rendering<'_>) {
    let facts = rendering.facts.task.known().cloned().unwrap_or_default();
    let name = match &rendering.event.body {
        Body::Task(task) => words::task_name(task, rendering),
        Body::Notice(Notice { task: Some(task), .. }) => task.task_name.clone(),
        _ => String::new(),
    };
    set(fields, "taskName", name);
    set(fields, "taskId", rendering.event.task_id().map(|id| id.to_string()).unwrap_or_default());
    set(fields, "taskCustomProperties", properties(&facts.custom_properties));
    set(fields, "taskTags", facts.tags);
    set(fields, "taskIsManuallyTriggered", facts.is_manually_triggered);
    set(fields, "taskIsPartialReload", facts.is_partial_reload);
    set(fields, "taskMaxRetries", facts.max_retries);
    set(fields, "taskModifiedByUsername", facts.modified_by);
    set(fields, "taskModifiedDate", facts.modified_date);
    set(fields, "taskSessionTimeout", facts.session_timeout);
    set(fields, "nextRun", facts.next_execution.as_deref().map(|next| times::next(next, &rendering.site.time_zone)).unwrap_or_default());
    let next = facts.next_execution.map(|next| if next == "1753-01-01T00:00:00.000Z" { "Never".to_owned() } else { next });
    set(fields, "taskNextExecution", next);
}

fn app(fields: &mut Map<String, Value>, rendering: &Rendering<'_>) {
    let facts = rendering.facts.app.known().cloned().unwrap_or_default();
    let of_task = rendering.facts.task.known().and_then(|task| task.app_id);
    let id = rendering.event.app_id().or(of_task);
    let name = match &rendering.event.body {
        Body::Task(task) => words::app_name(task, rendering),
        Body::Notice(Notice { task: Some(task), .. }) if facts.name.is_empty() => task.app_name.clone(),
        _ => facts.name,
    };
    set(fields, "appName", name);
    set(fields, "appId", id.map(|id| id.to_string()).unwrap_or_default());
    set(fields, "appUrl", id.map(|id| rendering.site.links.app(id)).unwrap_or_default());
    set(fields, "appDescription", facts.description);
    set(fields, "appFileSize", facts.file_size);
    set(fields, "appLastSuccessfulReload", facts.last_reload_time);
    set(fields, "appLastModifiedDate", facts.modified_date);
    set(fields, "appLastModifiedByUserName", facts.modified_by);
    set(fields, "appPublishTime", facts.publish_time);
    set(fields, "appPublished", facts.published);
    let stream = facts.stream.map_or_else(|| Value::from(""), |stream| json!({ "name": stream, TEXT_KEY: stream }));
    set(fields, "appStreamName", stream);
    set(fields, "appCustomProperties", properties(&facts.custom_properties));
    set(fields, "appTags", facts.tags);
    let owner = rendering.facts.owner.known().cloned().unwrap_or_default();
    set(fields, "appOwnerName", owner.name);
    set(fields, "appOwnerUserId", owner.user_id);
    set(fields, "appOwnerUserDirectory", owner.directory);
    set(fields, "appOwnerEmail", owner.emails.first().cloned().unwrap_or_default());
    set(fields, "appOwnerEmails", owner.emails);
}

fn execution(fields: &mut Map<String, Value>, rendering: &Rendering<'_>) {
    let zone = &rendering.site.time_zone;
    let time = |name: &str, text: &str| {
        let mut forms = Map::new();
        times::insert(&mut forms, name, text, zone);
        forms
    };
    let Some(result) = rendering.facts.result.known() else {
        for name in ["executingNodeName", "executionStatusNum", "executionStatusText", "executionDetailsText"] {
            set(fields, name, Value::Null);
        }
        for name in ["executionDuration", "executionStartTime", "executionStopTime"] {
            set(fields, name, json!({}));
        }
        set(fields, "executionDetails", json!([]));
        set(fields, "executionDetailsConcatenated", "");
        set(fields, "durationText", "");
        return;
    };
    let ExecutionResult { executing_node, status, start_time, stop_time, duration_ms, details, .. } = result;
    let seconds = duration_ms.max(&0) / 1000;
    set(fields, "durationText", words::duration(*duration_ms));
    set(fields, "executingNodeName", executing_node.as_str());
    set(fields, "executionDuration", json!({ "hours": seconds / 3600, "minutes": seconds / 60 % 60, "seconds": seconds % 60 }));
    set(fields, "executionStartTime", time("startTime", start_time));
    set(fields, "executionStopTime", time("stopTime", stop_time));
    set(fields, "executionStatusNum", status.0);
    set(fields, "executionStatusText", status.text());
    let list = details.iter().map(|detail| {
        let mut forms = time("timestamp", &detail.at);
        set(&mut forms, "message", detail.message.as_str());
        set(&mut forms, "detailsType", detail.details_type);
        Value::Object(forms)
    });
    set(fields, "executionDetails", list.collect::<Vec<_>>());
    let text: String = details.iter().map(|detail| format!("{}\t{}\n", detail.at, detail.message)).collect();
    set(fields, "executionDetailsText", text.as_str());
    set(fields, "executionDetailsConcatenated", text);
}

/// Puts a word in place of what is not known, where the original's template for failed preload tasks counts on one.
fn not_available(fields: &mut Map<String, Value>, kind: &Kind) {
    if *kind != (Kind::Task { task_type: Some(TaskType::Preload), outcome: TaskOutcome::Failed }) {
        return;
    }
    for name in ["executingNodeName", "executionStatusNum", "executionStatusText", "executionDetailsText", "taskNextExecution"] {
        let is_empty = fields.get(name).is_none_or(|value| value.is_null() || *value == json!("") || *value == json!(0));
        if is_empty {
            set(fields, name, "N/A");
        }
    }
}

fn script_log(fields: &mut Map<String, Value>, rendering: &Rendering<'_>, wanted: LogLines) {
    let log = &rendering.facts.script_log;
    let lines = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let (head, tail) = log.known().map_or((&[][..], &[][..]), |log| (&log.head[..], &log.tail[..]));
    set(fields, "scriptLogHead", head[..head.len().min(lines(wanted.head))].join("\r\n"));
    set(fields, "scriptLogTail", tail[tail.len().saturating_sub(lines(wanted.tail))..].join("\r\n"));
    set(fields, "scriptLogHeadCount", wanted.head);
    set(fields, "scriptLogTailCount", wanted.tail);
    let size = rendering.facts.result.known().map(|result| result.script_log_size);
    let characters = log.known().map(|log| log.characters);
    set(fields, "scriptLogSize", size.map(Value::from).or(characters.map(Value::from)));
    set(fields, "scriptLogSizeRows", log.known().map(|log| log.rows));
    set(fields, "scriptLogSizeCharacters", characters);
    let error = log.known().and_then(|log| log.error.as_ref());
    set(fields, "scriptLogError", error.map(|error| error.text.as_str()).unwrap_or_default());
    set(fields, "scriptLogErrorStatement", error.map(|error| error.statement.join("\r\n")).unwrap_or_default());
    set(fields, "scriptLogErrorRow", error.map(|error| error.row));
    set(fields, "scriptLogMissing", log.missing().unwrap_or_default());
}

fn ours(fields: &mut Map<String, Value>, rendering: &Rendering<'_>) {
    let (event, links) = (rendering.event, &rendering.site.links);
    set(fields, "qlikSenseQMC", links.qmc.as_str());
    set(fields, "qlikSenseHub", links.hub.as_str());
    let generic =
        links.generic.iter().map(|link| json!({ "id": link.id, "linkText": link.link_text, "comment": link.comment, "url": link.url }));
    set(fields, "genericUrls", generic.collect::<Vec<_>>());
    set(fields, "butlerVersion", env!("CARGO_PKG_VERSION"));
    set(fields, "event", event.kind.to_string());
    set(fields, "eventId", event.id.to_string());
    let mut forms = Map::new();
    times::insert(&mut forms, "eventTime", &event.at.to_string(), &rendering.site.time_zone);
    set(fields, "eventTime", forms);
    set(fields, "headline", words::headline(rendering));
    set(fields, "taskType", if event.kind.outcome().is_some() { words::task_type(&event.kind) } else { "" });
    set(fields, "outcome", event.kind.outcome().map(words::outcome).unwrap_or_default());
    set(fields, "siteName", rendering.site.name.as_str());
    set(fields, "missing", rendering.missing);
    set(fields, "heldBack", rendering.held_back);
    set(fields, "notes", words::notes(rendering));
    let own = match &event.body {
        Body::Notice(notice) => notice.fields.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect(),
        _ => Vec::new(),
    };
    set(fields, "fields", own);
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::event::{ExecutionStatus, Fact};
    use crate::template::{Escape, Template};
    use crate::testkit::sink_samples::Sample;

    const OPTIONS: Options = Options { user: UserForm::Slash, script_log: LogLines { head: 1, tail: 15 } };

    fn render(sample: &Sample, source: &str) -> String {
        let fields = of(&sample.rendering(), &OPTIONS);
        Template::compile("t", source, Escape::None).and_then(|t| t.render(&fields)).unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    #[test]
    fn fields_of_every_sort_of_event() {
        for (name, sample) in Sample::all() {
            let fields = of(&sample.rendering(), &OPTIONS);
            let text = serde_json::to_string_pretty(&fields).unwrap_or_default().replace(env!("CARGO_PKG_VERSION"), "VERSION");
            insta::with_settings!({ snapshot_suffix => name.replace([',', ' '], "_"), prepend_module_to_snapshot => true }, {
                insta::assert_snapshot!(text);
            });
        }
    }

    #[test]
    fn every_event_has_every_field() {
        let names = |sample: &Sample| match of(&sample.rendering(), &OPTIONS) {
            Value::Object(fields) => fields.keys().cloned().collect::<std::collections::BTreeSet<_>>(),
            _ => Default::default(),
        };
        let all = names(&Sample::reload(TaskOutcome::Failed));
        for (name, sample) in Sample::all() {
            assert!(all.is_subset(&names(&sample)), "{name}");
        }
    }

    #[test]
    fn the_stream_is_a_text_and_has_a_name() {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        assert_eq!(render(&sample, "{{appStreamName}} {{appStreamName.name}}"), "Finance Finance");
        if let Fact::Known(app) = &mut sample.facts.app {
            app.stream = None;
        }
        assert_eq!(render(&sample, "[{{appStreamName}}{{appStreamName.name}}{{#if appStreamName}}x{{/if}}]"), "[]");
    }

    #[test]
    fn durations_states_and_times_are_derived() {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        if let Fact::Known(result) = &mut sample.facts.result {
            result.duration_ms = 90_061_000;
            result.status = ExecutionStatus(14);
            result.start_time = "1753-01-01T00:00:00.000Z".into();
        }
        let shown = render(
            &sample,
            "{{executionDuration.hours}}:{{executionDuration.minutes}}:{{executionDuration.seconds}} {{executionStatusText}} {{executionStartTime.startTimeLocal3}} {{executionStopTime.stopTimeLocal1}}",
        );
        assert_eq!(shown, "25:1:1 DistributionRunning - 2024-05-13 06:02:10");
        let row = "{{#each executionDetails}}{{#if @first}}{{timestampLocal1}} {{message}} {{detailsType}}{{/if}}{{/each}}";
        assert_eq!(render(&sample, row), "2024-05-13 06:00:02 Changing task state to Triggered 2");
    }

    #[test]
    fn what_is_not_known_of_a_failed_preload_task_is_said_in_a_word() {
        const ALL: &str = "{{executingNodeName}} {{executionStatusNum}} {{executionStatusText}} {{executionDetailsText}} {{taskNextExecution}}{{executionStartTime.startTimeLocal1}}{{executionDuration.hours}}";
        let mut sample = Sample::reload(TaskOutcome::Failed).unknown();
        assert_eq!(render(&sample, ALL), "    ");
        sample.event.kind = Kind::Task { task_type: Some(TaskType::Preload), outcome: TaskOutcome::Failed };
        assert_eq!(render(&sample, ALL), "N/A N/A N/A N/A N/A");
        let mut known = Sample::reload(TaskOutcome::Failed);
        known.event.kind = sample.event.kind.clone();
        if let Fact::Known(result) = &mut known.facts.result {
            result.executing_node = String::new();
            result.details.truncate(1);
        }
        let shown = render(&known, "{{executingNodeName}} {{executionStatusNum}} {{executionDetailsText}} {{taskNextExecution}}");
        assert_eq!(shown, "N/A 8 2024-05-13T04:00:02.900Z\tChanging task state to Triggered\n 2024-05-14T04:00:00.000Z");
    }

    #[test]
    fn the_next_run_and_the_duration_are_told_in_words() {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        assert_eq!(
            render(&sample, "{{durationText}}, {{nextRun}}, {{taskNextExecution}}"),
            "2 min 7 s, 2024-05-14 06:00:00, 2024-05-14T04:00:00.000Z"
        );
        if let Fact::Known(task) = &mut sample.facts.task {
            task.next_execution = Some("1753-01-01T00:00:00.000Z".into());
        }
        assert_eq!(render(&sample, "{{nextRun}}, {{taskNextExecution}}"), "none is planned, Never");
        assert_eq!(render(&sample.unknown(), "[{{durationText}}{{nextRun}}]"), "[]");
    }

    #[test]
    fn ends_of_the_log_are_cut_to_what_is_wanted() {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        if let Fact::Known(log) = &mut sample.facts.script_log {
            log.head = vec!["1".into(), "2".into(), "3".into()];
            log.tail = log.head.clone();
        }
        assert_eq!(render(&sample, "{{scriptLogHead}}|{{scriptLogTail}}|{{scriptLogTailCount}}"), "1|1\r\n2\r\n3|15");
    }

    #[test]
    fn the_user_is_written_as_each_destination_has_it() {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        sample.task().user = r"LAB\\eva".into();
        let user = |form| of(&sample.rendering(), &Options { user: form, ..OPTIONS })["user"].clone();
        assert_eq!([UserForm::Slash, UserForm::Single, UserForm::AsReceived].map(user), ["LAB//eva", r"LAB\eva", r"LAB\\eva"]);
    }

    #[test]
    fn unsure_names_come_from_the_repository() {
        let mut sample = Sample::reload(TaskOutcome::Failed);
        sample.task().task_name = "glued;names".into();
        assert_eq!(render(&sample, "{{taskName}}"), "glued;names");
        sample.task().names_unsure = true;
        assert_eq!(render(&sample, "{{taskName}}"), "Reload sales");
    }

    #[test]
    fn a_notice_cannot_hide_our_fields() {
        let mut sample = Sample::notice();
        if let Body::Notice(notice) = &mut sample.event.body {
            notice.fields.insert("siteName".into(), "other".into());
        }
        assert_eq!(render(&sample, "{{siteName}} {{path}}"), "prod /var/lib/butler");
    }

    #[test]
    fn needs_are_read_off_the_template() {
        let needs = |source: &str| {
            let template = Template::compile("t", source, Escape::Html).unwrap_or_else(|error| panic!("{error}"));
            needs(|field| template.mentions(field), LogLines { head: 3, tail: 4 })
        };
        assert!(needs("{{taskName}} {{appUrl}} failed").is_none());
        assert_eq!(needs("{{#if appStreamName.name}}{{/if}}"), Needs { app: true, ..Needs::NONE });
        assert_eq!(needs("{{#each taskTags}}{{../appOwnerName}}{{/each}}"), Needs { task: true, owner: true, ..Needs::NONE });
        assert_eq!(needs("{{{@root.scriptLogTail}}}").script_log, Some(LogLines { head: 0, tail: 4 }));
        assert_eq!(needs("{{lookup this 'scriptLogHead'}}").script_log, Some(LogLines { head: 3, tail: 0 }));
        assert!(needs("{{executionDuration.hours}}").result);
        assert_eq!(needs("{{scriptLogError}}").script_log, Some(LogLines::default()));
    }

    #[test]
    fn why_it_failed_is_a_field_of_its_own() {
        const ALL: &str = "{{scriptLogError}}|{{scriptLogErrorStatement}}|{{scriptLogErrorRow}}|{{scriptLogMissing}}";
        let sample = Sample::reload(TaskOutcome::Failed);
        assert_eq!(
            render(&sample, ALL),
            "Error: Field 'Amount' not found in C:\\Data\\new\\sales.qvd <header>|0018 facts:\r\n0019 LOAD \"Region\" FROM [lib://Data/sales & more.qvd] (qvd)|310|"
        );
        assert_eq!(render(&Sample::reload(TaskOutcome::Success), ALL), "|||");
        let unknown = render(&sample.unknown(), ALL);
        assert!(unknown.starts_with("|||") && unknown.len() > 3, "{unknown}");
    }
}
