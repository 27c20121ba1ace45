//! Events that never happened, with everything that can be known about them, or with nothing: to show what a sink makes of them, and to test it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::{Uuid, uuid};

use crate::event::{
    AppFacts, Body, CustomProperty, Detail, EngineReload, Event, EventId, ExecutionResult, ExecutionStatus, Fact, Facts, Kind, Notice,
    Owner, ScriptError, ScriptLog, Target, TaskEvent, TaskFacts, TaskOutcome, TaskType,
};
use crate::sink::{Links, NamedLink, Rendering, SiteInfo, TargetRequest};

/// An event and all that a message about it is made from.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The event.
    pub event: Event,
    /// What is known about it.
    pub facts: Facts,
    /// The site.
    pub site: SiteInfo,
    /// To where within the sink.
    pub target: Target,
    /// How many messages were held back.
    pub held_back: u64,
    /// What was looked for in vain.
    pub missing: Vec<String>,
}

impl Sample {
    /// A reload task that ended, with everything known.
    #[must_use]
    pub fn reload(outcome: TaskOutcome) -> Self {
        let message = match outcome {
            TaskOutcome::Aborted => "Execution State Change to Aborting",
            TaskOutcome::Success => "Execution State Change to FinishedSuccess",
            _ => "Max retries reached",
        };
        let body = Body::Task(TaskEvent {
            host: "sense-node-1".into(),
            task_name: "Reload sales".into(),
            app_name: "Sales".into(),
            user: r"LAB\goran".into(),
            task_id: TASK,
            app_id: Some(APP),
            log_time: "2024-05-13 06:02:11,123".into(),
            log_level: "INFO".into(),
            execution_id: Some(uuid!("14a81bf5-f81c-4047-b1a1-193b0920de28")),
            message: message.into(),
            names_unsure: false,
        });
        let kind = Kind::Task { task_type: Some(TaskType::Reload), outcome };
        Self { facts: facts(outcome), ..Self::with(kind, body) }
    }

    /// The end of a task of any type, with everything known that a task of its type has; a reload task's for a type that is not known.
    #[must_use]
    pub fn task_of(task_type: Option<TaskType>, outcome: TaskOutcome) -> Self {
        let mut sample = Self::reload(outcome);
        sample.event.kind = Kind::Task { task_type, outcome };
        let has_app = !matches!(task_type, Some(TaskType::ExternalProgram | TaskType::UserSync));
        if !has_app {
            let task = sample.task();
            task.app_name = String::new();
            task.app_id = None;
            let why = || "the task has no app".to_owned();
            sample.facts.app = Fact::Absent { why: why() };
            sample.facts.owner = Fact::Absent { why: why() };
        }
        if let Fact::Known(task) = &mut sample.facts.task {
            task.task_type = task_type;
            task.app_id = task.app_id.filter(|_| has_app);
            task.app_name = task.app_name.take().filter(|_| has_app);
        }
        if task_type != Some(TaskType::Reload) {
            sample.facts.script_log = Fact::Absent { why: "only reload tasks have a script log".to_owned() };
        }
        sample
    }

    /// An app reload that failed in the engine, with the app and its owner known.
    #[must_use]
    pub fn engine_reload() -> Self {
        let body = Body::EngineReload(EngineReload {
            host: "sense-node-1".into(),
            app_id: Some(APP),
            session_id: "a9f1c0de-0c2f-4a7e-9a0b-6a1f3f1f9d10".into(),
            user_directory: "LAB".into(),
            user_id: "goran".into(),
            log_time: "2024-05-13 06:02:11,123".into(),
            log_level: "ERROR".into(),
            message: "Reload failed in Engine. Check engine or script logs".into(),
        });
        let all = facts(TaskOutcome::Failed);
        Self { facts: Facts { app: all.app, owner: all.owner, ..Facts::default() }, ..Self::with(Kind::EngineReloadFailed, body) }
    }

    /// Something told in words.
    #[must_use]
    pub fn notice() -> Self {
        let body = Body::Notice(Notice {
            title: "The store refuses to take events".into(),
            text: "The disk is full: /var/lib/butler has 0 bytes left. Events are held in memory.".into(),
            fields: BTreeMap::from([("path".to_owned(), "/var/lib/butler".to_owned())]),
            task: None,
        });
        Self::with(Kind::Other("butler.store_failing".into()), body)
    }

    /// An event of any kind, with everything known that such a one has.
    #[must_use]
    pub fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Task { task_type, outcome } => Self::task_of(*task_type, *outcome),
            Kind::EngineReloadFailed => Self::engine_reload(),
            Kind::Other(_) => {
                let mut sample = Self::notice();
                sample.event.kind = kind.clone();
                if let Body::Notice(notice) = &mut sample.event.body {
                    notice.title = format!("An example of {kind}");
                    notice.text = "What happened, and what to do about it, stands here.".into();
                    notice.fields.clear();
                }
                sample
            }
        }
    }

    /// The same, happening now and on this site, and marked everywhere that people look: this is a test.
    #[must_use]
    pub fn marked_as_test(mut self, id: EventId, now: Timestamp, site: SiteInfo) -> Self {
        const MARK: &str = "[TEST] ";
        (self.event.id, self.event.at, self.event.received) = (id, now, now);
        (self.event.site, self.event.source) = (site.name.clone(), "test".into());
        let log_time = now.to_zoned(site.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S,%3f").to_string();
        self.site = site;
        match &mut self.event.body {
            Body::Task(task) => {
                task.task_name.insert_str(0, MARK);
                task.message = format!("{MARK}Nothing has happened: somebody tries whether messages arrive");
                task.log_time = log_time;
            }
            Body::EngineReload(reload) => {
                reload.message = format!("{MARK}Nothing has happened: somebody tries whether messages arrive");
                reload.log_time = log_time;
            }
            Body::Notice(notice) => {
                notice.title = format!("{MARK}Butler can reach you here");
                notice.text = "Nothing has happened: somebody tries whether messages arrive.".into();
            }
        }
        if let Fact::Known(task) = &mut self.facts.task {
            task.name.insert_str(0, MARK);
        }
        self
    }

    /// The same event, with nothing known about it and something held back.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        fn missing<T>() -> Fact<T> {
            Fact::Missing { why: "the repository did not answer within 10 s".into(), is_final: false }
        }
        self.facts = Facts { task: missing(), app: missing(), owner: missing(), result: missing(), script_log: missing() };
        self.missing = self.facts.missing();
        self.held_back = 3;
        self.site.links = Links::default();
        self
    }

    /// The samples that snapshots are made of, each with a name.
    #[must_use]
    pub fn all() -> Vec<(&'static str, Self)> {
        let reload = Self::reload;
        vec![
            ("failed", reload(TaskOutcome::Failed)),
            ("failed, nothing known", reload(TaskOutcome::Failed).unknown()),
            ("aborted", reload(TaskOutcome::Aborted)),
            ("aborted, nothing known", reload(TaskOutcome::Aborted).unknown()),
            ("success", reload(TaskOutcome::Success)),
            ("success, nothing known", reload(TaskOutcome::Success).unknown()),
            ("engine reload", Self::engine_reload()),
            ("engine reload, nothing known", Self::engine_reload().unknown()),
            ("notice", Self::notice()),
            ("notice, nothing known", Self::notice().unknown()),
        ]
    }

    /// The task event, to change it.
    ///
    /// # Panics
    /// If the sample is of another sort.
    pub fn task(&mut self) -> &mut TaskEvent {
        match &mut self.event.body {
            Body::Task(task) => task,
            other => panic!("{other:?} is no task event"),
        }
    }

    /// Puts a text wherever a text of somebody else can stand.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        let own = || text.to_owned();
        match &mut self.event.body {
            Body::Task(task) => {
                for field in
                    [&mut task.host, &mut task.task_name, &mut task.app_name, &mut task.user, &mut task.log_time, &mut task.message]
                {
                    *field = own();
                }
                task.log_level = own();
            }
            Body::EngineReload(reload) => {
                for field in [&mut reload.host, &mut reload.user_directory, &mut reload.user_id, &mut reload.log_time, &mut reload.message]
                {
                    *field = own();
                }
            }
            Body::Notice(notice) => {
                notice.title = own();
                notice.text = own();
                notice.fields.insert("path".into(), own());
            }
        }
        if let Fact::Known(task) = &mut self.facts.task {
            task.tags = vec![own(), own()];
            task.custom_properties.push(CustomProperty { name: own(), value: own() });
            task.modified_by = Some(own());
        }
        if let Fact::Known(app) = &mut self.facts.app {
            app.description = Some(own());
            app.stream = Some(own());
            app.name = own();
            app.tags = vec![own()];
        }
        if let Fact::Known(owner) = &mut self.facts.owner {
            owner.name = own();
            owner.user_id = own();
        }
        if let Fact::Known(result) = &mut self.facts.result {
            result.executing_node = own();
            result.details.push(Detail { at: own(), message: own(), details_type: 2 });
        }
        if let Fact::Known(log) = &mut self.facts.script_log {
            log.head = vec![own(); 20];
            log.tail = vec![own(); 20];
        }
        self.site.links.generic.push(NamedLink { id: own(), link_text: own(), comment: own(), url: own() });
        self
    }

    /// What a sink renders.
    #[must_use]
    pub fn rendering(&self) -> Rendering<'_> {
        Rendering {
            event: &self.event,
            facts: &self.facts,
            target: &self.target,
            site: &self.site,
            held_back: self.held_back,
            missing: &self.missing,
        }
    }

    /// What a sink is asked for its targets.
    #[must_use]
    pub fn request(&self) -> TargetRequest<'_> {
        TargetRequest { event: &self.event, facts: &self.facts, recipients: None }
    }

    fn with(kind: Kind, body: Body) -> Self {
        let at = Timestamp::constant(1_715_572_931, 123_000_000);
        let event = Event {
            id: EventId(uuid!("018f7079-9a40-7000-8000-000000000001")),
            site: "prod".into(),
            kind,
            at,
            received: at,
            source: "udp".into(),
            body,
        };
        let links = Links {
            qmc: "https://sense.example.com/qmc".into(),
            hub: "https://sense.example.com/hub".into(),
            app_base_url: "https://sense.example.com/sense/app".into(),
            generic: vec![NamedLink {
                id: "runbook".into(),
                link_text: "Runbook".into(),
                comment: "What to do".into(),
                url: "https://wiki.example.com/reloads?a=1&b=2".into(),
            }],
        };
        // Tests run on machines without a time zone database as well: a fixed offset is the same everywhere.
        let time_zone = TimeZone::fixed(jiff::tz::offset(2));
        let site = SiteInfo { name: "prod".into(), links, time_zone };
        Self { event, facts: Facts::default(), site, target: Target::only(), held_back: 0, missing: Vec::new() }
    }
}

const TASK: Uuid = uuid!("dec2a02a-1680-44ef-8dc2-e2bfb180af87");
const APP: Uuid = uuid!("e7af59a0-c243-480d-9571-08727551a66f");

fn property(name: &str, value: &str) -> CustomProperty {
    CustomProperty { name: name.into(), value: value.into() }
}

fn facts(outcome: TaskOutcome) -> Facts {
    let owner_id = uuid!("c0ffee00-1111-4a5b-8c0d-001122334455");
    Facts {
        task: Fact::Known(TaskFacts {
            name: "Reload sales".into(),
            task_type: Some(TaskType::Reload),
            app_id: Some(APP),
            app_name: Some("Sales".into()),
            tags: vec!["Prod".into(), "Finance".into()],
            custom_properties: vec![property("Alert_Enable", "Yes"), property("Alert_Recipients", "sales-ops@example.com")],
            is_manually_triggered: Some(false),
            is_partial_reload: Some(false),
            max_retries: Some(0),
            modified_by: Some(r"LAB\goran".into()),
            modified_date: Some("2024-05-01T09:12:33.000Z".into()),
            session_timeout: Some(1440),
            next_execution: Some("2024-05-14T04:00:00.000Z".into()),
        }),
        app: Fact::Known(AppFacts {
            name: "Sales".into(),
            description: Some("Sales per region".into()),
            file_size: Some(4_587_520),
            last_reload_time: Some("2024-05-12T04:02:00.000Z".into()),
            modified_date: Some("2024-05-12T04:02:00.500Z".into()),
            modified_by: Some(r"INTERNAL\sa_scheduler".into()),
            publish_time: Some("2023-11-02T10:00:00.000Z".into()),
            published: Some(true),
            stream: Some("Finance".into()),
            tags: vec!["sales".into()],
            custom_properties: vec![property("Region", "EMEA")],
            owner_id: Some(owner_id),
        }),
        owner: Fact::Known(Owner {
            name: "Göran".into(),
            user_id: "goran".into(),
            directory: "LAB".into(),
            emails: vec!["goran@example.com".into(), "goran.b@example.com".into()],
        }),
        result: Fact::Known(result(outcome)),
        script_log: Fact::Known(script_log(outcome)),
    }
}

fn result(outcome: TaskOutcome) -> ExecutionResult {
    let (code, state) = match outcome {
        TaskOutcome::Success => (7, "FinishedSuccess"),
        TaskOutcome::Aborted => (6, "Aborted"),
        TaskOutcome::Failed | TaskOutcome::Unsettled => (8, "FinishedFail"),
    };
    let detail = |at: &str, message: &str| Detail { at: format!("2024-05-13T04:0{at}Z"), message: message.into(), details_type: 2 };
    let result_id = uuid!("5b0c2a1e-0a5f-4a8f-9f51-0a1b2c3d4e5f");
    ExecutionResult {
        id: Some(result_id),
        execution_id: None,
        executing_node: "sense-node-2.lab.local".into(),
        status: ExecutionStatus(code),
        start_time: "2024-05-13T04:00:03.120Z".into(),
        stop_time: "2024-05-13T04:02:10.455Z".into(),
        duration_ms: 127_335,
        file_reference: Some(uuid!("8d1c7c70-2f0e-4d8b-8f6b-2f4dd0a6c111")),
        script_log_size: 18_243,
        details: vec![
            detail("0:02.900", "Changing task state to Triggered"),
            detail("0:03.100", "Changing task state from Triggered to Started"),
            detail("2:10.450", &format!("Changing task state from Started to {state}")),
        ],
        certain: true,
    }
}

fn script_log(outcome: TaskOutcome) -> ScriptLog {
    let line = |at: &str, text: &str| format!("20240513T0{at}+0200      {text}");
    let last = match outcome {
        TaskOutcome::Success => line("60210.400", "Execution finished."),
        TaskOutcome::Aborted => line("60210.400", "Execution was aborted."),
        _ => line("60210.400", r"Error: Field 'Amount' not found in C:\Data\new\sales.qvd <header>"),
    };
    ScriptLog {
        head: vec![line("60003.200", "Execution started."), line("60003.210", "Qlik Sense Server Version 14.173.4")],
        tail: vec![line("60209.800", r#"LOAD "Region" FROM [lib://Data/sales & more.qvd] (qvd)"#), last],
        rows: 312,
        characters: 18_243,
        error: (outcome == TaskOutcome::Failed).then(|| ScriptError {
            text: r"Error: Field 'Amount' not found in C:\Data\new\sales.qvd <header>".into(),
            row: 310,
            statement: vec!["0018 facts:".into(), r#"0019 LOAD "Region" FROM [lib://Data/sales & more.qvd] (qvd)"#.into()],
        }),
    }
}
