//! Which topics an event goes to.

use std::collections::BTreeMap;

use crate::event::{Body, Event, Kind, Target, TaskType};
use crate::mqtt::level;
use crate::sink::kinds::ByKind;

/// The usual topics that are not made of the kind's name, below the root.
const BASIC: [(&str, &str); 9] = [
    ("reload_task.failed", "task_failure"),
    ("reload_task.aborted", "task_aborted"),
    ("reload_task.success", "task_success"),
    ("service.stopped", "service_stopped"),
    ("service.started", "service_running"),
    ("service.status", "service_status"),
    ("server_license.status", "qliksense_server_license"),
    ("server_license.expiring", "qliksense_server_license_expire"),
    ("server_license.expired", "qliksense_server_license_expire"),
];
/// What belongs to these says everything on its plain topic already.
const WITHOUT_FULL: [&str; 2] = ["service.", "server_license."];

/// Topics by kind of event.
#[derive(Debug)]
pub(super) struct Topics {
    root: String,
    basic: ByKind<String>,
    full: ByKind<String>,
}

impl Topics {
    pub(super) fn new(root: &str, basic: &BTreeMap<String, String>, full: &BTreeMap<String, String>) -> Self {
        let by_kind = |topics| ByKind::new(topics, String::clone);
        Self { root: root.trim_end_matches('/').to_owned(), basic: by_kind(basic), full: by_kind(full) }
    }

    /// The topics of an event, the plain one first.
    pub(super) fn of(&self, event: &Event) -> impl Iterator<Item = String> {
        let (basic, full) = (self.basic(event), self.full(event));
        // One topic can't have both payloads; then it is the one that holds the other.
        let basic = basic.filter(|basic| full.as_ref() != Some(basic));
        basic.into_iter().chain(full)
    }

    /// Whether a target is the topic with all that is known.
    pub(super) fn is_full(&self, event: &Event, target: &Target) -> bool {
        self.full(event).is_some_and(|full| full == target.as_str())
    }

    fn basic(&self, event: &Event) -> Option<String> {
        let kind = looked_up(event);
        let topic = match self.basic.find(&kind) {
            Some(named) => named.clone(),
            None => self.usual(&kind),
        };
        (!topic.is_empty()).then(|| format!("{topic}{}", place(event)))
    }

    fn full(&self, event: &Event) -> Option<String> {
        let kind = looked_up(event);
        if let Some(named) = self.full.find(&kind) {
            return Some(named.clone()).filter(|topic| !topic.is_empty());
        }
        let name = kind.to_string();
        let has_one = !WITHOUT_FULL.iter().any(|start| name.starts_with(start));
        has_one.then(|| format!("{}_full", self.usual(&kind)))
    }

    fn usual(&self, kind: &Kind) -> String {
        let name = kind.to_string();
        let known = BASIC.iter().find(|(known, _)| *known == name).map(|(_, topic)| (*topic).to_owned());
        format!("{}/{}", self.root, known.unwrap_or_else(|| name.replace('.', "_")))
    }
}

/// The kind by which topics are looked up: what has an app is most likely a reload, and whoever waits for one must not miss it.
fn looked_up(event: &Event) -> Kind {
    match (&event.kind, event.app_id()) {
        (Kind::Task { task_type: None, outcome }, Some(_)) => Kind::Task { task_type: Some(TaskType::Reload), outcome: *outcome },
        (kind, _) => kind.clone(),
    }
}

/// What stands behind the topic of a service: the host that it runs on, and its name.
fn place(event: &Event) -> String {
    let Body::Notice(notice) = &event.body else { return String::new() };
    match (notice.fields.get("host"), notice.fields.get("service")) {
        (Some(host), Some(service)) if event.kind.to_string().starts_with("service.") => format!("/{}/{}", level(host), level(service)),
        _ => String::new(),
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::event::{Notice, TaskOutcome};
    use crate::testkit::sink_samples::Sample;

    fn topics(sample: &Sample, basic: &[(&str, &str)], full: &[(&str, &str)]) -> Vec<String> {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(kind, topic)| ((*kind).to_owned(), (*topic).to_owned())).collect();
        Topics::new("qliksense", &map(basic), &map(full)).of(&sample.event).collect()
    }

    fn notice(kind: &str, fields: &[(&str, &str)]) -> Sample {
        let mut sample = Sample::notice();
        sample.event.kind = kind.parse().unwrap();
        let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        sample.event.body = Body::Notice(Notice { fields, ..Notice::default() });
        sample
    }

    #[test]
    fn the_usual_topics_are_those_that_sites_know() {
        use TaskOutcome::{Aborted, Failed, Success};
        let usual = |sample: &Sample| topics(sample, &[], &[]);
        assert_eq!(usual(&Sample::reload(Failed)), ["qliksense/task_failure", "qliksense/task_failure_full"]);
        assert_eq!(usual(&Sample::reload(Aborted)), ["qliksense/task_aborted", "qliksense/task_aborted_full"]);
        assert_eq!(usual(&Sample::reload(Success)), ["qliksense/task_success", "qliksense/task_success_full"]);
        assert_eq!(usual(&Sample::task_of(None, Failed)), ["qliksense/task_failure", "qliksense/task_failure_full"]);
        assert_eq!(
            usual(&Sample::task_of(Some(TaskType::ExternalProgram), Failed)),
            ["qliksense/external_program_task_failed", "qliksense/external_program_task_failed_full"]
        );
        assert_eq!(usual(&Sample::engine_reload()), ["qliksense/engine_reload_failed", "qliksense/engine_reload_failed_full"]);
        assert_eq!(usual(&Sample::notice()), ["qliksense/butler_store_failing", "qliksense/butler_store_failing_full"]);
        let service = [("host", "sense-node-1"), ("service", "QlikSenseEngineService")];
        assert_eq!(usual(&notice("service.stopped", &service)), ["qliksense/service_stopped/sense-node-1/QlikSenseEngineService"]);
        assert_eq!(usual(&notice("service.started", &service)), ["qliksense/service_running/sense-node-1/QlikSenseEngineService"]);
        let odd = [("host", "a/b"), ("service", "#")];
        assert_eq!(usual(&notice("service.status", &odd)), ["qliksense/service_status/a_b/_"]);
        assert_eq!(usual(&notice("server_license.status", &[])), ["qliksense/qliksense_server_license"]);
        assert_eq!(usual(&notice("server_license.expiring", &[])), ["qliksense/qliksense_server_license_expire"]);
    }

    #[test]
    fn topics_can_be_named_and_left_out() {
        let failed = Sample::reload(TaskOutcome::Failed);
        assert_eq!(topics(&failed, &[("reload_task.failed", "x")], &[]), ["x", "qliksense/task_failure_full"]);
        assert_eq!(topics(&failed, &[], &[("reload_task.*", "")]), ["qliksense/task_failure"]);
        assert_eq!(topics(&failed, &[("*", "")], &[("*", "")]), [""; 0]);
        assert_eq!(topics(&failed, &[("*", "all")], &[("reload_task.*", "all")]), ["all"]);
        let stopped = notice("service.stopped", &[("host", "h"), ("service", "s")]);
        assert_eq!(topics(&stopped, &[("service.*", "services")], &[]), ["services/h/s"]);
    }
}
