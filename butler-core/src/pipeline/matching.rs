//! Whether an event fits a route: yes, no, or not to be known.
//!
//! Some questions need facts, and facts may be missing. The answer is then *unknown*, and the router decides what that means: it counts as
//! yes for everything that went wrong, and as no for good news.

use uuid::Uuid;

use crate::event::{Body, Event, Fact, Facts, Kind, Needs, Notice, TaskType};

use super::plan::{KindPattern, Matcher};

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    Unknown,
}

impl Answer {
    fn of(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }

    /// Yes, or else what can be said without a fact: unknown while it may still be found, no once it is known not to exist.
    fn or_open<T>(self, fact: &Fact<T>) -> Self {
        match (self, fact) {
            (Self::No, Fact::Unasked | Fact::Missing { is_final: false, .. }) => Self::Unknown,
            (answer, _) => answer,
        }
    }
}

/// What a matcher said, with the condition that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) answer: Answer,
    pub(super) why: String,
}

/// Whether a kind fits one of the patterns. The type of a task that is not known yet may make the answer unknown.
pub(super) fn kind_fits(patterns: &[KindPattern], kind: &Kind) -> Answer {
    let fits = |kind: &Kind| {
        let name = kind.to_string();
        patterns.iter().any(|pattern| pattern.matches(&name))
    };
    if fits(kind) {
        return Answer::Yes;
    }
    let Kind::Task { task_type: None, outcome } = kind else { return Answer::No };
    let possible = TaskType::ALL.into_iter().filter(|t| fits(&Kind::task(*outcome).with_task_type(*t))).count();
    match possible {
        0 => Answer::No,
        all if all == TaskType::ALL.len() => Answer::Yes,
        _ => Answer::Unknown,
    }
}

impl Matcher {
    /// The lists that have an empty text in them, which fits nothing.
    pub(crate) fn with_empty_texts(&self) -> impl Iterator<Item = &'static str> {
        let Self { site, task, app, stream, owner, tag, host, custom_property: _ } = self;
        let lists = [("site", site), ("task", task), ("app", app), ("stream", stream), ("owner", owner), ("tag", tag), ("host", host)];
        lists.into_iter().filter(|(_, list)| list.iter().any(|text| text.trim().is_empty())).map(|(name, _)| name)
    }

    /// What has to be known to decide about an event of this kind.
    pub(super) fn needs(&self, kind: &Kind) -> Needs {
        // A task tells the name of its app; what happens outside of tasks tells no more than the id.
        let by_name = !self.app.is_empty() && !matches!(kind, Kind::Task { .. });
        let app = by_name || !self.stream.is_empty() || !self.tag.is_empty() || !self.owner.is_empty();
        let task = !self.tag.is_empty() || !self.custom_property.is_empty() || !self.task.is_empty() || !self.app.is_empty() || app;
        Needs { task, app, owner: !self.owner.is_empty(), ..Needs::NONE }
    }

    /// Whether the event fits every condition.
    pub(super) fn test(&self, event: &Event, facts: &Facts) -> Verdict {
        let mut unknown = Vec::new();
        for (name, answer) in self.conditions(event, facts) {
            match answer {
                Answer::Yes => {}
                Answer::No => return Verdict { answer: Answer::No, why: format!("`{name}` does not fit") },
                Answer::Unknown => unknown.push(name),
            }
        }
        if unknown.is_empty() {
            return Verdict { answer: Answer::Yes, why: "every condition fits".into() };
        }
        let why = format!("`{}` can't be decided: {}", unknown.join("`, `"), missing_words(facts));
        Verdict { answer: Answer::Unknown, why }
    }

    fn conditions(&self, event: &Event, facts: &Facts) -> Vec<(&'static str, Answer)> {
        let mut found = Vec::new();
        let mut ask = |name, list: &[String], answer: &dyn Fn(&[String]) -> Answer| {
            if !list.is_empty() {
                found.push((name, answer(list)));
            }
        };
        ask("site", &self.site, &|list| Answer::of(any_fits(list, event.site.as_str())));
        ask("host", &self.host, &|list| Answer::of(any_fits(list, event.host())));
        ask("task", &self.task, &|list| task_fits(list, event, facts));
        ask("app", &self.app, &|list| app_fits(list, event, facts));
        ask("stream", &self.stream, &|list| {
            let stream = facts.app.known().and_then(|app| app.stream.as_deref());
            Answer::of(stream.is_some_and(|stream| any_fits(list, stream))).or_open(&facts.app)
        });
        ask("owner", &self.owner, &|list| {
            let owner = facts.owner.known().map(|owner| format!(r"{}\{}", owner.directory, owner.user_id));
            Answer::of(owner.is_some_and(|owner| any_fits(list, &owner))).or_open(&facts.owner)
        });
        ask("tag", &self.tag, &|list| {
            let task = facts.task.known().map(|task| task.tags.as_slice()).unwrap_or_default();
            let app = facts.app.known().map(|app| app.tags.as_slice()).unwrap_or_default();
            let fits = task.iter().chain(app).any(|tag| any_fits(list, tag));
            let answer = Answer::of(fits).or_open(&facts.task);
            if app_id(event, facts).is_some() { answer.or_open(&facts.app) } else { answer }
        });
        if !self.custom_property.is_empty() {
            found.push(("custom_property", self.properties_fit(facts)));
        }
        found
    }

    /// Each name that is listed has to have one of the values that are listed with it.
    fn properties_fit(&self, facts: &Facts) -> Answer {
        let has = facts.task.known().map(|task| task.custom_properties.as_slice()).unwrap_or_default();
        let fits = self.custom_property.iter().all(|wanted| {
            let mut values = self.custom_property.iter().filter(|other| other.name == wanted.name);
            values.any(|value| has.iter().any(|p| p.name == value.name && glob(&value.value, &p.value)))
        });
        Answer::of(fits).or_open(&facts.task)
    }
}

fn task_fits(list: &[String], event: &Event, facts: &Facts) -> Answer {
    let (id, name, unsure) = match &event.body {
        Body::Task(task) => (task.task_id, task.task_name.as_str(), task.names_unsure),
        Body::Notice(Notice { task: Some(task), .. }) => (task.task_id, task.task_name.as_str(), false),
        _ => return Answer::No,
    };
    let id = id.to_string();
    let today = facts.task.known().map(|task| task.name.as_str());
    let names = [Some(name), today, Some(id.as_str())];
    let answer = Answer::of(names.into_iter().flatten().any(|name| any_fits(list, name)));
    if unsure || name.is_empty() { answer.or_open(&facts.task) } else { answer }
}

fn app_id(event: &Event, facts: &Facts) -> Option<Uuid> {
    event.app_id().or_else(|| facts.task.known().and_then(|task| task.app_id))
}

fn app_fits(list: &[String], event: &Event, facts: &Facts) -> Answer {
    let id = app_id(event, facts).map(|id| id.to_string());
    let (told, unsure) = match &event.body {
        Body::Task(task) => (Some(task.app_name.as_str()), task.names_unsure),
        Body::Notice(Notice { task: Some(task), .. }) => (Some(task.app_name.as_str()), false),
        _ => (None, true),
    };
    let of_task = facts.task.known().and_then(|task| task.app_name.as_deref());
    let of_app = facts.app.known().map(|app| app.name.as_str());
    let names = [told, of_task, of_app, id.as_deref()];
    let answer = Answer::of(names.into_iter().flatten().any(|name| any_fits(list, name)));
    let is_unnamed = told.is_none_or(str::is_empty);
    let answer = if (unsure || is_unnamed) && id.is_some() { answer.or_open(&facts.app) } else { answer };
    // Whether the task has an app at all, and which, only the repository knows then.
    if is_unnamed && event.task_id().is_some() { answer.or_open(&facts.task) } else { answer }
}

fn any_fits(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, text))
}

/// Whether `text` fits a pattern in which `*` stands for any characters, without regard to case.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn missing_words(facts: &Facts) -> String {
    let missing = facts.missing();
    if missing.is_empty() { "nobody could be asked".into() } else { missing.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AppFacts, CustomProperty, NoticeTask, TaskFacts, TaskOutcome};
    use crate::pipeline::testing::{a_task_event, known_task};
    use proptest::prelude::*;

    fn patterns(texts: &[&str]) -> Vec<KindPattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_task_of_unknown_type_may_or_may_not_fit() {
        let unknown = Kind::task(TaskOutcome::Failed);
        assert_eq!(kind_fits(&patterns(&["reload_task.failed"]), &unknown), Answer::Unknown);
        assert_eq!(kind_fits(&patterns(&["reload_task.success"]), &unknown), Answer::No);
        assert_eq!(kind_fits(&patterns(&["*"]), &unknown), Answer::Yes);
        let reload = unknown.with_task_type(TaskType::Reload);
        assert_eq!(kind_fits(&patterns(&["reload_task.failed"]), &reload), Answer::Yes);
        assert_eq!(kind_fits(&patterns(&["reload_task.*"]), &reload), Answer::Yes);
        assert_eq!(kind_fits(&patterns(&["user_sync_task.*"]), &reload), Answer::No);
    }

    #[test]
    fn a_condition_without_its_fact_is_unknown_until_the_fact_is_known_not_to_exist() {
        let matcher = Matcher { stream: vec!["Finance".into()], ..Matcher::default() };
        let event = a_task_event();
        let mut facts = Facts::default();
        assert_eq!(matcher.test(&event, &facts).answer, Answer::Unknown);
        facts.app = Fact::Missing { why: "no such app".into(), is_final: true };
        assert_eq!(matcher.test(&event, &facts).answer, Answer::No);
        facts.app = Fact::Known(AppFacts { stream: Some("finance".into()), ..AppFacts::default() });
        assert_eq!(matcher.test(&event, &facts).answer, Answer::Yes);
    }

    #[test]
    fn every_property_name_has_to_have_one_of_its_values() {
        let property = |name: &str, value: &str| CustomProperty { name: name.into(), value: value.into() };
        let matcher = Matcher {
            custom_property: vec![property("Tier", "gold"), property("Tier", "silver"), property("Team", "bi")],
            ..Matcher::default()
        };
        let facts = |has: Vec<CustomProperty>| Facts {
            task: Fact::Known(TaskFacts { custom_properties: has, ..known_task() }),
            ..Facts::default()
        };
        let event = a_task_event();
        assert_eq!(matcher.test(&event, &facts(vec![property("Tier", "silver"), property("Team", "bi")])).answer, Answer::Yes);
        // The name of one and the value of another do not make a match.
        assert_eq!(matcher.test(&event, &facts(vec![property("Tier", "bi"), property("Team", "gold")])).answer, Answer::No);
        assert_eq!(matcher.test(&event, &Facts::default()).answer, Answer::Unknown);
    }

    #[test]
    fn names_that_a_semicolon_blurred_are_looked_up() {
        let mut event = a_task_event();
        let Body::Task(task) = &mut event.body else { unreachable!() };
        task.names_unsure = true;
        task.task_name = String::new();
        let matcher = Matcher { task: vec!["a;b".into()], ..Matcher::default() };
        assert_eq!(matcher.test(&event, &Facts::default()).answer, Answer::Unknown);
        let facts = Facts { task: Fact::Known(TaskFacts { name: "A;B".into(), ..known_task() }), ..Facts::default() };
        assert_eq!(matcher.test(&event, &facts).answer, Answer::Yes);
    }

    #[test]
    fn names_that_were_not_told_are_looked_up() {
        let mut event = a_task_event();
        let Body::Task(task) = &mut event.body else { unreachable!() };
        (task.task_name, task.app_name, task.app_id) = (String::new(), String::new(), None);
        let by_app = Matcher { app: vec!["Sales".into()], ..Matcher::default() };
        let by_task = Matcher { task: vec!["Reload".into()], ..Matcher::default() };
        let by_tag = Matcher { tag: vec!["nightly".into()], ..Matcher::default() };
        for matcher in [&by_app, &by_task, &by_tag] {
            assert_eq!(matcher.test(&event, &Facts::default()).answer, Answer::Unknown, "{matcher:?}");
        }
        // The task is known, but not its app, of which it tells the id alone.
        let task =
            TaskFacts { name: "Other".into(), app_id: Some(uuid::Uuid::from_u128(9)), app_name: None, tags: Vec::new(), ..known_task() };
        let mut facts = Facts { task: Fact::Known(task), ..Facts::default() };
        let answers = |facts: &Facts| [&by_app, &by_task, &by_tag].map(|matcher| matcher.test(&event, facts).answer);
        assert_eq!(answers(&facts), [Answer::Unknown, Answer::No, Answer::Unknown]);
        facts.app = Fact::Known(AppFacts { name: "Sales".into(), tags: vec!["nightly".into()], ..AppFacts::default() });
        assert_eq!(answers(&facts), [Answer::Yes, Answer::No, Answer::Yes]);
        // A task without an app fits no app.
        facts = Facts { task: Fact::Known(TaskFacts { app_id: None, ..known_task() }), ..Facts::default() };
        assert_eq!(answers(&facts)[0], Answer::No);
    }

    #[test]
    fn a_notice_about_a_task_fits_as_the_task_does_and_any_other_does_not() {
        let by_task = Matcher { task: vec!["Reload *".into()], ..Matcher::default() };
        let by_app = Matcher { app: vec!["Sales".into()], ..Matcher::default() };
        let by_tag = Matcher { tag: vec!["critical".into()], ..Matcher::default() };
        let answers = |event: &Event, facts: &Facts| [&by_task, &by_app, &by_tag].map(|matcher| matcher.test(event, facts).answer);
        let task = NoticeTask { task_id: Uuid::from_u128(7), task_name: "Reload sales".into(), app_name: "Sales".into(), app_id: None };
        let mut event = Event { kind: "task.late".parse().unwrap(), body: Body::Notice(Notice::default()), ..a_task_event() };
        let absent = Facts { task: Fact::Absent { why: "no task".into() }, ..Facts::default() };
        assert_eq!(answers(&event, &absent), [Answer::No; 3]);
        event.body = Body::Notice(Notice { task: Some(task), ..Notice::default() });
        assert_eq!(answers(&event, &Facts::default()), [Answer::Yes, Answer::Yes, Answer::Unknown]);
        let tagged = Facts { task: Fact::Known(TaskFacts { tags: vec!["Critical".into()], ..known_task() }), ..Facts::default() };
        assert_eq!(answers(&event, &tagged), [Answer::Yes; 3]);
    }

    #[test]
    fn the_name_of_an_app_is_asked_for_where_no_task_tells_it() {
        let by_app = Matcher { app: vec!["Sales".into()], ..Matcher::default() };
        assert!(by_app.needs(&Kind::EngineReloadFailed).app);
        let of_task = by_app.needs(&Kind::task(TaskOutcome::Failed));
        assert!(of_task.task && !of_task.app);
    }

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("sales", "Sales", true),
            ("sales", "sales 2", false),
            ("sales*", "Sales 2", true),
            ("*sales", "all sales", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} on {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_any_cut_of_it_with_a_star(text in "[a-zäö *]{0,12}", at in 0_usize..12) {
            let plain = text.replace('*', "x");
            prop_assert!(glob(&plain, &plain));
            let cut = plain.char_indices().map(|(i, _)| i).nth(at).unwrap_or(plain.len());
            let (start, end) = (format!("{}*", &plain[..cut]), format!("*{}", &plain[cut..]));
            prop_assert!(glob(&start, &plain));
            prop_assert!(glob(&end, &plain));
        }
    }
}
