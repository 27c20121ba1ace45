//! Which measurement, tags and fields an event is.
//!
//! For tasks that failed or succeeded these are the original's, its misspelt tag `task_exeuctionStatusText` and its floating-point numbers included, because
//! dashboards read them. What the original never wrote is of the same make.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::line::{Point, nanoseconds};
use crate::event::{Body, EngineReload, Event, Kind, LogLines, Notice, TaskEvent, TaskOutcome, TaskType};
use crate::monitor::uptime;
use crate::sink::kinds::ByKind;
use crate::sink::{Rendering, UserForm, words};
use crate::template::fields;

/// The longest text of a makeshift, in bytes.
const MAKESHIFT: usize = 200;
const NO_LOG: &str = "Script log not available";

/// Tags by their names.
pub(super) type Tags = BTreeMap<String, String>;

/// What the options say of points.
#[derive(Debug)]
pub(super) struct Style {
    /// On every point; whatever else has the same name comes before.
    pub(super) tags: Tags,
    /// On the points of some kinds, before everything else.
    pub(super) event_tags: ByKind<Tags>,
    /// `appTag_NAME` for each tag of the app.
    pub(super) app_tags: bool,
    /// `taskTag_NAME` for each tag of the task.
    pub(super) task_tags: bool,
    pub(super) script_log: LogLines,
}

impl Style {
    /// The point of an event; with `fault`, a short one that says what is wrong.
    pub(super) fn point(&self, rendering: &Rendering<'_>, fault: Option<&str>) -> Point {
        let event = rendering.event;
        let values = fields::of(rendering, &fields::Options { user: UserForm::Slash, script_log: self.script_log });
        let mut point = Point::new(measurement(event), time(event));
        for (name, value) in &self.tags {
            point.tag(name, value.as_str());
        }
        match &event.body {
            Body::Task(task) => Task { event, task, rendering, values: &values, style: self }.fill(&mut point, fault.is_none()),
            Body::EngineReload(reload) => engine_reload(&mut point, reload, &values),
            Body::Notice(notice) if is_uptime(&event.kind) => memory(&mut point, notice),
            Body::Notice(notice) => self.notice(&mut point, notice, rendering),
        }
        for (name, value) in self.event_tags.find(&event.kind).into_iter().flatten() {
            point.tag(name, value.as_str());
        }
        if let Some(fault) = fault {
            point.shorten(MAKESHIFT);
            point.text("fault", fault);
        }
        point
    }

    fn dynamic_tags(&self, point: &mut Point, rendering: &Rendering<'_>, has_app: bool) {
        let of_app = rendering.facts.app.known().filter(|_| self.app_tags && has_app).map(|app| ("appTag_", &app.tags));
        let of_task = rendering.facts.task.known().filter(|_| self.task_tags).map(|task| ("taskTag_", &task.tags));
        for (start, tags) in of_app.into_iter().chain(of_task) {
            for tag in tags {
                point.tag(&format!("{start}{tag}"), "true");
            }
        }
    }

    fn notice(&self, point: &mut Point, notice: &Notice, rendering: &Rendering<'_>) {
        point.tag("site", rendering.site.name.as_str());
        if let Some(task) = &notice.task {
            point.tag("task_id", task.task_id.to_string());
            point.tag("task_name", task.task_name.as_str());
            point.tag("app_id", task.app_id.map(|id| id.to_string()).unwrap_or_default());
            point.tag("app_name", task.app_name.as_str());
            self.dynamic_tags(point, rendering, true);
        }
        for (name, value) in &notice.fields {
            point.text(name, value.as_str());
        }
        point.text("title", notice.title.as_str());
        point.text("text", notice.text.as_str());
    }
}

/// The kind of the event; a task whose type nobody knows, but that has an app, is most likely a reload, and whoever waits for one must not miss it.
fn kind(event: &Event) -> Kind {
    match event.kind {
        Kind::Task { task_type: None, outcome } if outcome != TaskOutcome::Unsettled && event.app_id().is_some() => {
            Kind::Task { task_type: Some(TaskType::Reload), outcome }
        }
        _ => event.kind.clone(),
    }
}

fn is_uptime(kind: &Kind) -> bool {
    matches!(kind, Kind::Other(name) if &**name == uptime::KIND)
}

/// What the original stores of its memory, in MiB with two decimals. There is no heap like its own: what is resident stands for it.
fn memory(point: &mut Point, notice: &Notice) {
    let field = |name: &str| notice.fields.get(name).map(String::as_str).unwrap_or_default();
    point.tag("version", field("version"));
    #[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let resident = field("process_memory").parse::<u64>().map(|bytes| (bytes as f64 / (1024.0 * 1024.0) * 100.0).round() / 100.0);
    if let Ok(resident) = resident {
        for (name, value) in [("heap_used", resident), ("heap_total", resident), ("external", 0.0), ("process_memory", resident)] {
            point.number(name, value);
        }
    } else {
        point.text("fault", "the system does not say how much memory the process holds");
    }
}

fn measurement(event: &Event) -> String {
    if is_uptime(&event.kind) {
        return "butler_memory_usage".to_owned();
    }
    kind(event).to_string().replace('.', "_")
}

/// When it happened, to the millisecond. The nanoseconds below are the event's own, so that two events of one series in the same millisecond are two points, and a
/// repeat of the same event is the same point.
fn time(event: &Event) -> i64 {
    let salt = event.id.0.as_u64_pair().1;
    nanoseconds(event.at, salt).or_else(|| nanoseconds(event.received, salt)).unwrap_or_default()
}

fn engine_reload(point: &mut Point, reload: &EngineReload, values: &Value) {
    point.tag("host", reload.host.as_str());
    point.tag("user", text(values, "user"));
    point.tag("app_id", text(values, "appId"));
    point.tag("app_name", text(values, "appName"));
    point.tag("log_level", reload.log_level.as_str());
    point.text("log_timestamp", reload.log_time.as_str());
    point.text("log_message", reload.message.as_str());
    point.text("session_id", reload.session_id.as_str());
}

/// The end of a task.
struct Task<'a> {
    event: &'a Event,
    task: &'a TaskEvent,
    rendering: &'a Rendering<'a>,
    values: &'a Value,
    style: &'a Style,
}

impl Task<'_> {
    fn fill(&self, point: &mut Point, with_log: bool) {
        let Kind::Task { task_type, outcome } = kind(self.event) else { return };
        let is_reload = task_type == Some(TaskType::Reload);
        self.tags(point, task_type);
        self.log_line(point);
        let is_known = self.rendering.facts.result.known().is_some();
        if is_known && (is_reload || outcome == TaskOutcome::Success) {
            point.tag("task_executingNodeName", text(self.values, "executingNodeName"));
            point.tag("task_executionStatusNum", self.values["executionStatusNum"].to_string());
            point.tag("task_exeuctionStatusText", text(self.values, "executionStatusText"));
            self.duration(point, task_type);
        }
        if is_reload {
            if !is_known && outcome != TaskOutcome::Success {
                point.tag("task_executingNodeName", "unknown");
                point.tag("task_executionStatusNum", "-1");
                point.tag("task_exeuctionStatusText", NO_LOG);
            }
            self.script_log(point, outcome == TaskOutcome::Success, with_log);
        }
        self.style.dynamic_tags(point, self.rendering, is_reload || task_type.is_none());
    }

    fn tags(&self, point: &mut Point, task_type: Option<TaskType>) {
        point.tag("host", self.task.host.as_str());
        point.tag("user", text(self.values, "user"));
        point.tag("task_id", self.task.task_id.to_string());
        point.tag("task_name", words::task_name(self.task, self.rendering));
        let level = |point: &mut Point| point.tag("log_level", self.task.log_level.as_str());
        match task_type {
            Some(TaskType::ExternalProgram | TaskType::UserSync) => level(point),
            Some(TaskType::Distribute | TaskType::Preload) => {
                level(point);
                // As the repository knows it: what the scheduler says of the app of such a task is nothing or something else.
                let facts = self.rendering.facts.task.known();
                let id = facts.and_then(|task| task.app_id).or(self.task.app_id);
                let name = facts.and_then(|task| task.app_name.clone()).unwrap_or_else(|| self.task.app_name.clone());
                point.tag("app_id", id.map(|id| id.to_string()).unwrap_or_default());
                point.tag("app_name", name);
            }
            Some(TaskType::Reload) | None => {
                point.tag("app_id", self.task.app_id.map(|id| id.to_string()).unwrap_or_default());
                point.tag("app_name", words::app_name(self.task, self.rendering));
                level(point);
            }
        }
    }

    fn log_line(&self, point: &mut Point) {
        point.text("log_timestamp", self.task.log_time.as_str());
        point.text("execution_id", self.task.execution_id.map(|id| id.to_string()).unwrap_or_default());
        point.text("log_message", self.task.message.as_str());
    }

    fn duration(&self, point: &mut Point, task_type: Option<TaskType>) {
        let Some(result) = self.rendering.facts.result.known() else { return };
        // Two shapes since long ago, and dashboards may read either.
        let in_parts = matches!(task_type, Some(TaskType::ExternalProgram | TaskType::Distribute));
        for (field, name, time) in [
            ("task_executionStartTime_json", "executionStartTime", &result.start_time),
            ("task_executionStopTime_json", "executionStopTime", &result.stop_time),
        ] {
            let shape = if in_parts { parts(time) } else { Some(self.values[name].clone()) };
            if let Some(shape) = shape {
                point.text(field, shape.to_string());
            }
        }
        let duration = &self.values["executionDuration"];
        point.text("task_executionDuration_json", duration.to_string());
        let part = |name: &str| duration[name].as_f64().unwrap_or_default();
        let (hours, minutes, seconds) = (part("hours"), part("minutes"), part("seconds"));
        point.number("task_executionDuration_sec", hours * 3600.0 + minutes * 60.0 + seconds);
        point.number("task_executionDuration_min", hours * 60.0 + minutes + seconds / 60.0);
        point.number("task_executionDuration_h", hours + minutes / 60.0 + seconds / 3600.0);
    }

    fn script_log(&self, point: &mut Point, is_success: bool, with_log: bool) {
        let has_log = self.rendering.facts.script_log.known().is_some();
        let size = |known: f64| if has_log { known } else { 0.0 };
        let LogLines { head, tail } = self.style.script_log;
        point.number("task_scriptLogSize", size(self.values["scriptLogSize"].as_f64().unwrap_or_default()));
        point.number("task_scriptLogTailCount", size(f64::from(tail)));
        if is_success {
            point.number("task_scriptLogHeadCount", size(f64::from(head)));
        }
        if !has_log {
            return point.text("scriptLog", NO_LOG);
        }
        if !with_log {
            return;
        }
        let details = text(self.values, "executionDetailsConcatenated");
        let [start, end] = ["scriptLogHead", "scriptLogTail"].map(|name| text(self.values, name));
        let log = if is_success {
            format!(
                "{details}\r\n---------- SCRIPT LOG HEAD ({head} lines) ----------\r\n{start}\r\n\r\n\
                 ---------- SCRIPT LOG TAIL ({tail} lines) ----------\r\n{end}"
            )
        } else {
            format!("{details}\r\n{}\r\n\r\n{end}", "-".repeat(31))
        };
        point.text("reload_log", log.as_str());
        point.text("scriptLog", log);
    }
}

/// A time of the repository in its parts; `None` for a text that is no time.
fn parts(time: &str) -> Option<Value> {
    let time = time.parse::<Timestamp>().ok()?.to_zoned(TimeZone::UTC);
    Some(json!({
        "year": time.year(), "month": time.month(), "day": time.day(), "hour": time.hour(),
        "minute": time.minute(), "second": time.second(), "millisecond": time.millisecond(),
    }))
}

fn text<'a>(values: &'a Value, name: &str) -> &'a str {
    values[name].as_str().unwrap_or_default()
}
