//! Where an event goes: the rules, applied to what is known. Pure.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::{SignedDuration, Timestamp};

use super::matching::{Answer, kind_fits};
use super::plan::{FALLBACK, Plan, Route};
use crate::event::{DeliveryId, Event, Fact, Facts, Kind, Needs, SinkName, Target};
use crate::sink::{TargetRequest, words};
use crate::store::{Limit, NewDelivery, RouteNote, Routing};

impl Plan {
    /// What has to be known to decide where an event of this kind goes.
    pub(super) fn deciding_needs(&self, kind: &Kind) -> Needs {
        let is_task = matches!(kind, Kind::Task { .. });
        let start = Needs { task: is_task, ..Needs::NONE };
        let routes = self.routes.iter().filter(|route| kind_fits(&route.events, kind) != Answer::No);
        let of_routes = routes.fold(start, |needs, route| {
            route.sinks.iter().fold(needs.union(route.when.needs(kind)), |needs, sink| needs.union(self.sink_needs(sink)))
        });
        self.fallback.iter().fold(of_routes, |needs, sink| needs.union(self.sink_needs(sink)))
    }

    fn sink_needs(&self, sink: &SinkName) -> Needs {
        self.sinks.get(sink).map_or(Needs::NONE, |sink| sink.sink.deciding_needs())
    }

    /// Decides where `event`, which carries its final kind, goes.
    pub(super) fn decide(&self, event: &Event, facts: &Facts, now: Timestamp) -> Routing {
        let mut decision = Decision { plan: self, event, facts, now, deliveries: Vec::new(), notes: Vec::new() };
        for route in &self.routes {
            if decision.apply(route) && !route.proceed {
                break;
            }
        }
        if decision.deliveries.is_empty() && event.kind.went_wrong() {
            decision.fall_back();
        }
        let (deliveries, notes) = (decision.deliveries, decision.notes);
        Routing { kind: Some(event.kind.clone()), facts: facts.clone(), keys: Vec::new(), deliveries, notes }
    }
}

/// What a sink said when it was asked for its targets.
enum Added {
    /// It named so many.
    Targets(usize),
    /// It panicked.
    Panicked,
}

struct Decision<'a> {
    plan: &'a Plan,
    event: &'a Event,
    facts: &'a Facts,
    now: Timestamp,
    deliveries: Vec<NewDelivery>,
    notes: Vec<RouteNote>,
}

impl Decision<'_> {
    /// Adds what a route wants; whether it took the event.
    fn apply(&mut self, route: &Route) -> bool {
        let (matched, why) = self.judge(route);
        if !matched {
            self.note(&route.name, false, why);
            return false;
        }
        let mut why = why;
        for sink in &route.sinks {
            match self.add(sink, route) {
                Added::Targets(0) => why += &format!("; no recipient at {sink}"),
                Added::Targets(_) => {}
                Added::Panicked => why += &format!("; {sink} failed to name its recipients, so it is told as a whole"),
            }
        }
        self.note(&route.name, true, why);
        true
    }

    fn judge(&self, route: &Route) -> (bool, String) {
        let kind = &self.event.kind;
        let by_kind = kind_fits(&route.events, kind);
        if by_kind == Answer::No {
            return (false, format!("`{kind}` is none of its events"));
        }
        let verdict = route.when.test(self.event, self.facts);
        if verdict.answer == Answer::No {
            return (false, verdict.why);
        }
        if by_kind == Answer::Yes && verdict.answer == Answer::Yes {
            return (true, verdict.why);
        }
        let unknown = if by_kind == Answer::Unknown { "the type of the task is not known".to_owned() } else { verdict.why };
        if kind.went_wrong() {
            (true, format!("{unknown}; when something went wrong, that counts as yes"))
        } else {
            (false, format!("{unknown}; for good news, that counts as no"))
        }
    }

    /// Adds the deliveries of a sink.
    fn add(&mut self, sink: &SinkName, route: &Route) -> Added {
        let Some(plan) = self.plan.sinks.get(sink) else { return Added::Targets(0) };
        let request = TargetRequest { event: self.event, facts: self.facts, recipients: route.recipients.as_deref() };
        let (targets, added) = match catch_unwind(AssertUnwindSafe(|| plan.sink.targets(&request))) {
            Ok(targets) => {
                let count = targets.len();
                (targets, Added::Targets(count))
            }
            // It would panic at each further try, and hold up the others; so it stands in the list, and may be dead there.
            Err(_) => {
                tracing::error!(%sink, event = %self.event.id, "A sink panicked when it was asked for its recipients. Please report this.");
                (vec![Target::only()], Added::Panicked)
            }
        };
        for target in targets {
            let id = DeliveryId::of(self.event.id, sink, &target);
            if self.deliveries.iter().any(|d| DeliveryId::of(self.event.id, &d.sink, &d.target) == id) {
                continue;
            }
            let object = self.event.task_id().map(|task| format!("{}|{}", self.event.site, task.simple()));
            let limit = route.rate_limit.map(|window| {
                let object = object.clone().unwrap_or_else(|| format!("{}|{}", self.event.site, object_of(self.event)));
                Limit { key: format!("{}|{object}|{sink}|{target}", self.event.kind), window }
            });
            // Whoever is limited has to know how its predecessor fared, so it stands in a lane even without a task.
            let lane = object.map(|object| format!("{object}|{sink}|{target}")).or_else(|| limit.as_ref().map(|l| l.key.clone()));
            let class = self.event.kind.class();
            let age = SignedDuration::try_from(plan.retry.age(class)).unwrap_or(SignedDuration::MAX);
            let expires = self.now.saturating_add(age).unwrap_or(Timestamp::MAX);
            let route = route.name.clone();
            self.deliveries.push(NewDelivery { sink: sink.clone(), target, lane, limit, route, class, expires, silenced: None });
        }
        added
    }

    fn fall_back(&mut self) {
        let route = Route { name: FALLBACK.into(), ..Route::default() };
        let plan = self.plan;
        for sink in &plan.fallback {
            self.add(sink, &route);
        }
        let is_told = !self.deliveries.is_empty();
        let why = match (plan.fallback.is_empty(), is_told) {
            (true, _) => "no route reached anybody, and `[routing] fallback` names no sink: nobody is told".to_owned(),
            (false, false) => "no route reached anybody, and the fallback sinks have no recipient: nobody is told".to_owned(),
            (false, true) => "no route reached anybody".to_owned(),
        };
        self.note(&route.name, is_told, why);
    }

    fn note(&mut self, route: &str, matched: bool, why: String) {
        self.notes.push(RouteNote { route: route.to_owned(), matched, why });
    }
}

/// What an event without a task is about, for its rate limit.
fn object_of(event: &Event) -> String {
    match (event.app_id(), event.host()) {
        (Some(app), _) => app.simple().to_string(),
        (None, host) => host.to_owned(),
    }
}

/// One line for each fact that was looked for in vain and belongs to `needs`, and for one that may be another run's.
pub(super) fn missing_lines(needs: Needs, facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |needed: bool, name: &str, why: Option<&str>| {
        if let (true, Some(why)) = (needed, why) {
            lines.push(format!("{name}: {why}"));
        }
    };
    line(true, "task", facts.task.missing());
    line(needs.app, "app", facts.app.missing());
    line(needs.owner, "app owner", facts.owner.missing());
    // One that will never be known says something about the event itself.
    let is_lost = matches!(facts.result, Fact::Missing { is_final: true, .. });
    line(needs.result || is_lost, "execution result", facts.result.missing());
    line(needs.script_log.is_some(), "script log", facts.script_log.missing());
    if let (true, Fact::Known(result)) = (needs.result, &facts.result)
        && !result.certain
    {
        lines.push(words::UNCERTAIN.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{Class, TaskOutcome};
    use crate::pipeline::plan::Matcher;
    use crate::pipeline::testing::a_task_event;
    use crate::testkit::FakeSink;

    fn route(name: &str, events: &str, sinks: &[&str]) -> Route {
        Route {
            name: name.into(),
            events: vec![events.parse().unwrap()],
            sinks: sinks.iter().map(|s| (*s).into()).collect(),
            ..Route::default()
        }
    }

    fn plan(routes: Vec<Route>, fallback: &[&str]) -> Plan {
        let sinks = ["a", "b"].map(|name| (SinkName::from(name), FakeSink::default().into_plan()));
        let fallback = fallback.iter().map(|s| (*s).into()).collect();
        Plan { sinks: sinks.into_iter().collect(), routes, fallback, ..Plan::default() }
    }

    fn went_to(routing: &Routing) -> Vec<(&str, &str)> {
        routing.deliveries.iter().map(|d| (d.route.as_str(), d.sink.as_str())).collect()
    }

    #[test]
    fn the_first_route_that_fits_ends_the_search_unless_it_says_to_go_on() {
        let mut first = route("first", "task.failed", &["a"]);
        let now = Timestamp::UNIX_EPOCH;
        let decided = plan(vec![first.clone(), route("second", "*", &["b"])], &[]).decide(&a_task_event(), &Facts::default(), now);
        assert_eq!(went_to(&decided), [("first", "a")]);
        first.proceed = true;
        let decided = plan(vec![first, route("second", "*", &["a", "b"])], &[]).decide(&a_task_event(), &Facts::default(), now);
        // The same destination is never told twice.
        assert_eq!(went_to(&decided), [("first", "a"), ("second", "b")]);
    }

    #[test]
    fn what_cannot_be_decided_is_told_when_it_went_wrong_and_not_told_when_it_is_good_news() {
        let when = Matcher { stream: vec!["Finance".into()], ..Matcher::default() };
        let plan = plan(vec![Route { when, ..route("finance", "*", &["a"]) }], &[]);
        let mut event = a_task_event();
        let decided = plan.decide(&event, &Facts::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(went_to(&decided), [("finance", "a")]);
        assert!(decided.notes[0].why.contains("counts as yes"), "{:?}", decided.notes);
        event.kind = Kind::task(TaskOutcome::Success);
        let decided = plan.decide(&event, &Facts::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(went_to(&decided), []);
    }

    #[test]
    fn a_failure_that_reaches_nobody_goes_to_the_fallback() {
        let routes = vec![route("success", "reload_task.success", &["a"])];
        let decided = plan(routes.clone(), &["b"]).decide(&a_task_event(), &Facts::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(went_to(&decided), [("fallback", "b")]);
        let decided = plan(routes, &[]).decide(&a_task_event(), &Facts::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(went_to(&decided), []);
        assert!(decided.notes.iter().any(|note| note.why.contains("nobody is told")));
    }

    #[test]
    fn deliveries_of_a_task_share_a_lane_and_limits_tell_kinds_apart() {
        let plan = plan(vec![Route { rate_limit: Some(Duration::from_mins(5)), ..route("all", "*", &["a"]) }], &[]);
        let failed = a_task_event();
        let mut aborted = a_task_event();
        aborted.kind = Kind::task(TaskOutcome::Aborted);
        let first = plan.decide(&failed, &Facts::default(), Timestamp::UNIX_EPOCH).deliveries.remove(0);
        let second = plan.decide(&aborted, &Facts::default(), Timestamp::UNIX_EPOCH).deliveries.remove(0);
        assert_eq!(first.lane, second.lane);
        assert_ne!(first.limit, second.limit);
        assert_eq!(first.class, Class::Alert);
        assert_eq!(first.expires, Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24));
    }
}
