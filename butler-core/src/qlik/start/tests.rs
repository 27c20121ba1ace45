//! Starting against a simulated site, over mutual TLS.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tempfile::TempDir;
use uuid::{Uuid, uuid};

use super::*;
use crate::clock::Clock;
use crate::event::SiteName;
use crate::qlik::RepositoryClient;
use crate::qlik::fake::HastyClock;
use crate::simulator::site::{Fault, On, Property, Site, SiteOptions, SiteState};
use crate::store::memory::MemoryStore;
use crate::store::{KvStore, Lookup};
use crate::testkit::TestClock;

const SALES: Uuid = uuid!("e959f40a-67be-4a5b-ae83-a292f96ba078");
const HR: Uuid = uuid!("0d815a99-1ca3-4131-a398-6878bd735fd8");
const SYNC: Uuid = uuid!("7552d9fc-d1bb-4975-9a38-18357de531ea");
const EXPORT: Uuid = uuid!("b2c2a02a-1680-44ef-8dc2-e2bfb180af90");
const ODD: Uuid = uuid!("11c2a02a-1680-44ef-8dc2-e2bfb180af87");
const DISABLED: Uuid = uuid!("9c1f7d52-0f5c-4c0e-9d57-3f1c53b8a7e4");
const NOWHERE: Uuid = uuid!("00000000-1680-44ef-8dc2-e2bfb180af87");

struct World {
    site: Site,
    clock: TestClock,
    pairs: Arc<MemoryStore>,
    starter: Starter,
    _folder: TempDir,
}

impl World {
    async fn new(filter: Option<StartFilter>) -> Self {
        let clock = TestClock::default();
        Self::with(filter, clock.clone(), clock).await
    }

    async fn with(filter: Option<StartFilter>, clock: TestClock, waits: impl Clock) -> Self {
        let folder = TempDir::new().unwrap();
        let options = SiteOptions { clock: Arc::new(clock.clone()), ..SiteOptions::default() };
        let site = Site::start(SiteState::example(), options).await.unwrap();
        site.write_certificates(folder.path()).unwrap();
        let waits: Arc<dyn Clock> = Arc::new(waits);
        let client = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::clone(&waits)).unwrap();
        let settings = StartSettings { filter, retry_for: Duration::from_mins(1), ..StartSettings::default() };
        let pairs = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        let sites = BTreeMap::from([(SiteName::from("prod"), Arc::new(client))]);
        let starter = Starter::new(sites, settings, Arc::clone(&pairs) as _, waits);
        Self { site, clock, pairs, starter, _folder: folder }
    }

    async fn start(&self, request: StartRequest) -> StartReport {
        self.starter.start(request).await.unwrap()
    }

    /// The tasks that the site was told to start, in the order of their ids.
    fn told(&self) -> Vec<Uuid> {
        let id = |path: &str| path.strip_prefix("task/")?.strip_suffix("/start")?.parse().ok();
        let requests = self.site.requests();
        let mut told: Vec<Uuid> =
            requests.iter().filter(|request| request.method == "POST").filter_map(|request| id(&request.path)).collect();
        told.sort();
        told
    }

    /// How often a task ran, beside what the example begins with.
    fn ran(&self, task: Uuid) -> usize {
        let count = |state: &SiteState| state.executions.iter().filter(|execution| execution.task == task).count();
        count(&self.site.state()) - count(&SiteState::example())
    }
}

fn sorted<const N: usize>(mut ids: [Uuid; N]) -> [Uuid; N] {
    ids.sort();
    ids
}

fn ids(ids: &[&str]) -> StartRequest {
    StartRequest { tasks: ids.iter().map(|id| (*id).to_owned()).collect(), ..StartRequest::default() }
}

fn tag(tag: &str) -> StartRequest {
    StartRequest { tags: vec![tag.to_owned()], ..StartRequest::default() }
}

fn property(name: &str, value: &str) -> PropertyValue {
    PropertyValue { name: name.into(), value: value.into() }
}

fn pair(key: &str, value: &str, ttl_ms: Option<u64>) -> Pair {
    Pair { namespace: "etl".into(), key: key.into(), value: value.into(), ttl_ms }
}

/// A report in a few lines.
fn lines(report: &StartReport) -> String {
    let mut lines = Vec::new();
    for Selection { by, denied, error, tasks } in &report.selections {
        let denied = if *denied { " denied" } else { "" };
        lines.push(format!("{by:?}{denied}{}", error.as_ref().map(|error| format!(" {error}")).unwrap_or_default()));
        lines.extend(tasks.iter().map(|task| format!("  {} {:?} {:?}", task.id, task.name.as_deref().unwrap_or("-"), task.outcome)));
    }
    lines.join("\n")
}

fn outcome(report: &StartReport) -> &StartOutcome {
    &report.tasks().next().unwrap().outcome
}

#[tokio::test]
async fn tasks_are_chosen_in_every_way_and_each_is_started_once() {
    let world = World::new(None).await;
    let request = StartRequest {
        tasks: vec![SYNC.to_string(), SALES.to_string().to_uppercase(), SALES.to_string()],
        tags: vec!["nightly".into(), "R&D; #1".into(), "nobody bears it".into(), String::new()],
        custom_properties: vec![
            property("Avdelning & ägare", "O'Neill; #2"),
            property("Butler_FailedTask_EmailAlertEnabled", "No"),
            property("", ""),
        ],
        ..StartRequest::default()
    };
    let report = world.start(request).await;
    insta::assert_snapshot!(lines(&report), @r#"
    Task("7552d9fc-d1bb-4975-9a38-18357de531ea")
      7552d9fc-d1bb-4975-9a38-18357de531ea "Sync AD users" Started { execution: None }
    Task("E959F40A-67BE-4A5B-AE83-A292F96BA078")
      e959f40a-67be-4a5b-ae83-a292f96ba078 "Reload sales" Started { execution: None }
    Task("e959f40a-67be-4a5b-ae83-a292f96ba078")
      e959f40a-67be-4a5b-ae83-a292f96ba078 "Reload sales" Started { execution: None }
    Tag("nightly")
      e959f40a-67be-4a5b-ae83-a292f96ba078 "Reload sales" Started { execution: None }
      0d815a99-1ca3-4131-a398-6878bd735fd8 "Reload HR" Started { execution: None }
      b2c2a02a-1680-44ef-8dc2-e2bfb180af90 "Nightly export" Started { execution: None }
    Tag("R&D; #1")
      11c2a02a-1680-44ef-8dc2-e2bfb180af87 "Räkna om «Lager»; it's 100% R&D #1 + 🚀" Started { execution: None }
    Tag("nobody bears it")
    Tag("")
    CustomProperty(PropertyValue { name: "Avdelning & ägare", value: "O'Neill; #2" })
      11c2a02a-1680-44ef-8dc2-e2bfb180af87 "Räkna om «Lager»; it's 100% R&D #1 + 🚀" Started { execution: None }
    CustomProperty(PropertyValue { name: "Butler_FailedTask_EmailAlertEnabled", value: "No" })
      0d815a99-1ca3-4131-a398-6878bd735fd8 "Reload HR" Started { execution: None }
    CustomProperty(PropertyValue { name: "", value: "" })
    "#);
    assert_eq!(world.told(), sorted([SYNC, SALES, HR, EXPORT, ODD]));
    assert!([SYNC, SALES, HR, EXPORT, ODD].into_iter().all(|task| world.ran(task) == 1));
    // A report goes over the wire and comes back as it was.
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<StartReport>(&text).unwrap(), report);
}

#[tokio::test]
async fn what_does_not_work_for_one_does_not_concern_the_others() {
    let world = World::new(None).await;
    let report = world.start(ids(&["Reload sales", &NOWHERE.to_string(), &DISABLED.to_string(), &HR.to_string(), ""])).await;
    let address = world.site.address().to_string();
    insta::assert_snapshot!(lines(&report).replace(&address, "sense:4242"), @r#"
    Task("Reload sales")
      Reload sales "-" InvalidId
    Task("00000000-1680-44ef-8dc2-e2bfb180af87")
      00000000-1680-44ef-8dc2-e2bfb180af87 "-" NotFound
    Task("9c1f7d52-0f5c-4c0e-9d57-3f1c53b8a7e4")
      9c1f7d52-0f5c-4c0e-9d57-3f1c53b8a7e4 "Reload of an app that is no longer used" Failed { why: "the repository at sense:4242 answered with status 400: The task is disabled and can't be started.", may_run: false }
    Task("0d815a99-1ca3-4131-a398-6878bd735fd8")
      0d815a99-1ca3-4131-a398-6878bd735fd8 "Reload HR" Started { execution: None }
    Task("")
       "-" InvalidId
    "#);
    assert_eq!(world.told(), sorted([DISABLED, HR]));
}

#[tokio::test]
async fn nothing_is_started_by_id_unless_all_ids_are_tasks_if_that_is_wanted() {
    let world = World::new(None).await;
    let strict = |request: StartRequest| StartRequest { all_ids_must_exist: true, ..request };
    let mixed = StartRequest { tags: vec!["hr".into()], ..ids(&[&SALES.to_string(), &NOWHERE.to_string()]) };
    let report = world.start(strict(mixed)).await;
    let outcomes: Vec<_> = report.tasks().map(|task| task.outcome.clone()).collect();
    assert_eq!(outcomes, [StartOutcome::HeldBack, StartOutcome::NotFound, StartOutcome::Started { execution: None }]);
    assert_eq!(world.told(), [HR]);
    world.start(strict(ids(&[&SALES.to_string(), &SYNC.to_string()]))).await;
    assert_eq!(world.told(), sorted([HR, SALES, SYNC]));
}

#[tokio::test]
async fn what_is_listed_by_id_alone_needs_no_question() {
    let world = World::new(Some(StartFilter::new([SALES], [], []))).await;
    let report = world.start(ids(&[&HR.to_string(), &NOWHERE.to_string(), "x"])).await;
    let outcomes: Vec<_> = report.tasks().map(|task| task.outcome.clone()).collect();
    assert_eq!(outcomes, [StartOutcome::Denied, StartOutcome::Denied, StartOutcome::InvalidId]);
    assert_eq!(world.site.total(), 0);
    // Denied ids hold nothing back.
    let both = StartRequest { all_ids_must_exist: true, ..ids(&[&HR.to_string(), &SALES.to_string().to_uppercase()]) };
    assert!(world.start(both).await.tasks().last().unwrap().outcome.is_started());
    assert_eq!(world.told(), [SALES]);
}

#[tokio::test]
async fn the_lists_add_up_by_whatever_a_task_was_chosen() {
    let listed = property("Butler_FailedTask_EmailAlertEnabled", "No");
    let world = World::new(Some(StartFilter::new([SYNC], ["R&D; #1".to_owned()], [listed]))).await;
    // HR has the property, the odd one bears the tag; of the rest no list says anything, nor whether there is such a task.
    let report = world.start(ids(&[&SYNC, &HR, &ODD, &SALES, &NOWHERE].map(Uuid::to_string).each_ref().map(String::as_str))).await;
    let started: Vec<_> = report.tasks().map(|task| task.outcome.is_started()).collect();
    assert_eq!(started, [true, true, true, false, false]);
    assert!(report.tasks().skip(3).all(|task| task.outcome == StartOutcome::Denied && task.name.is_none()));
    // A tag that is not listed starts those of its tasks that are.
    insta::assert_snapshot!(lines(&world.start(tag("nightly")).await), @r#"
    Tag("nightly") denied
      e959f40a-67be-4a5b-ae83-a292f96ba078 "Reload sales" Denied
      0d815a99-1ca3-4131-a398-6878bd735fd8 "Reload HR" Started { execution: None }
      b2c2a02a-1680-44ef-8dc2-e2bfb180af90 "Nightly export" Denied
    "#);
    let nobody = world.start(tag("nobody bears it")).await;
    assert_eq!((nobody.selections[0].denied, nobody.selections[0].tasks.len()), (true, 0));
    let nobody = world.start(StartRequest { custom_properties: vec![property("a", "b")], ..StartRequest::default() }).await;
    assert!(nobody.selections[0].denied);
    assert_eq!(world.told(), sorted([SYNC, HR, ODD, HR]));
}

#[tokio::test]
async fn an_empty_filter_allows_nothing_and_asks_nobody() {
    let world = World::new(Some(StartFilter::default())).await;
    let request = StartRequest { tags: vec!["nightly".into()], custom_properties: vec![property("a", "b")], ..ids(&[&SALES.to_string()]) };
    let report = world.start(request).await;
    assert!(report.selections.iter().all(|selection| selection.denied));
    assert_eq!(world.site.total(), 0);
}

#[tokio::test]
async fn a_value_of_one_property_is_none_of_another() {
    let world = World::new(None).await;
    world.site.change(|state| {
        let named = |name: &str, value: &str| Property { name: name.into(), value: value.into() };
        state.task_mut(SALES).unwrap().custom_properties = vec![named("group", "a"), named("Butler_FailedTask_EmailAlertEnabled", "b")];
    });
    let report = world.start(StartRequest { custom_properties: vec![property("group", "b")], ..StartRequest::default() }).await;
    assert_eq!((report.selections[0].tasks.len(), world.told().len()), (0, 0));
}

#[tokio::test]
async fn lies_start_nothing() {
    for fault in [Fault::Lie, Fault::Malformed, Fault::Page, Fault::Empty, Fault::Status(403)] {
        let world = World::new(None).await;
        world.site.fault("task/full", fault.clone());
        let request = StartRequest { tags: vec!["nightly".into()], ..ids(&[&SALES.to_string()]) };
        let report = world.start(request).await;
        assert!(report.tasks().all(|task| matches!(task.outcome, StartOutcome::Failed { may_run: false, .. })), "{fault:?}: {report:?}");
        assert!(fault == Fault::Lie || report.selections[1].error.is_some(), "{fault:?}: {report:?}");
        assert!(world.told().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn pairs_are_stored_before_and_once() {
    let world = World::new(None).await;
    let pairs = vec![pair("a", "1", None), pair("b", "", Some(1500)), pair("c", "3", Some(0))];
    world.start(StartRequest { pairs, ..StartRequest::task(SALES.to_string()) }).await;
    let stored = world.pairs.list("etl", "", 0, 10, usize::MAX).await.unwrap().unwrap();
    let expires = Some(world.clock.now() + SignedDuration::from_millis(1500));
    let shown: Vec<_> = stored.iter().map(|entry| (entry.key.as_str(), entry.value.as_str(), entry.version, entry.expires)).collect();
    // Versions count the puts of a store.
    assert_eq!(shown, [("a", "1", 1, None), ("b", "", 2, expires), ("c", "3", 3, None)]);
    // One without a name, and nothing happens at all.
    let nameless = StartRequest { pairs: vec![pair("d", "4", None), pair("", "5", None)], ..StartRequest::task(HR.to_string()) };
    let error = world.starter.start(nameless).await.unwrap_err().to_string();
    assert_eq!(error, "pair 2 has no namespace or no key, so nothing was stored and no task was started");
    assert_eq!(world.pairs.get("etl", "d").await.unwrap(), Lookup::NoKey);
    assert_eq!(world.told(), [SALES]);
}

#[tokio::test]
async fn a_full_namespace_starts_nothing() {
    let folder = TempDir::new().unwrap();
    let site = Site::start(SiteState::example(), SiteOptions::default()).await.unwrap();
    site.write_certificates(folder.path()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
    let client = RepositoryClient::new(site.repository_settings("prod", folder.path()), Arc::clone(&clock)).unwrap();
    let settings = StartSettings { key_limit: Some(1), ..StartSettings::default() };
    let pairs = Arc::new(MemoryStore::new(Arc::clone(&clock)));
    let starter = Starter::new([("prod".into(), Arc::new(client))].into(), settings, pairs, clock);
    let request = StartRequest { pairs: vec![pair("a", "1", None), pair("b", "2", None)], ..StartRequest::task(SALES.to_string()) };
    let error = starter.start(request).await.unwrap_err().to_string();
    assert_eq!(error, "nothing was started: the namespace `etl` holds as many keys as it may (1)");
    assert_eq!(site.count("task/*/start"), 0);
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_not_told_again() {
    for (fault, ran, may_run) in [
        (Fault::Cut, 1, true),
        (Fault::Reset, 0, true),
        (Fault::Status(500), 0, true),
        (Fault::Status(503), 0, true),
        (Fault::Page, 0, true),
        (Fault::Status(403), 0, false),
        (Fault::Status(429), 0, false),
    ] {
        let clock = HastyClock::default();
        let world = World::with(None, clock.inner.clone(), clock.clone()).await;
        world.site.fault("task/*/start", fault.clone());
        let request = StartRequest { tags: vec!["nightly".into()], pairs: vec![pair("a", "1", None)], ..ids(&[&SALES.to_string()]) };
        let report = world.start(request).await;
        for task in report.tasks() {
            let StartOutcome::Failed { may_run: said, .. } = task.outcome else { panic!("{fault:?}: {report:?}") };
            assert_eq!(said, may_run, "{fault:?}: {report:?}");
        }
        assert_eq!((world.told().len(), world.ran(SALES)), (3, ran), "{fault:?}");
        assert!(clock.slept().is_empty(), "{fault:?}: it was tried again");
        assert_eq!(world.pairs.get("etl", "a").await.unwrap().pair().unwrap().version, 1);
    }
}

#[tokio::test]
async fn a_start_that_is_never_answered_is_given_up_in_time() {
    let world = World::new(None).await;
    world.site.fault("task/*/start", Fault::Hang);
    let (report, ()) = tokio::join!(world.start(StartRequest::task(SALES.to_string())), async {
        world.site.wait_for(2).await;
        world.clock.advance(Duration::from_secs(30));
    });
    let StartOutcome::Failed { why, may_run: true } = outcome(&report) else { panic!("{report:?}") };
    assert!(why.ends_with("did not answer within 30s"), "{why}");
    assert_eq!(world.told(), [SALES]);
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let world = World::new(None).await;
    let slow = On::path("task/*/start").times(1);
    world.site.fault(slow, Fault::Delay(Duration::from_secs(5)));
    let (report, ()) = tokio::join!(world.start(StartRequest::task(HR.to_string())), async {
        world.site.wait_for(2).await;
        world.clock.advance(Duration::from_secs(5));
    });
    assert!(outcome(&report).is_started());
    assert_eq!(world.told(), [HR]);
}

#[tokio::test]
async fn a_repository_that_is_down_is_waited_for() {
    let clock = HastyClock::default();
    let world = World::with(None, clock.inner.clone(), clock).await;
    world.site.down_for(Duration::from_secs(12));
    let report = world.start(StartRequest { tags: vec!["nightly".into()], ..ids(&[&SYNC.to_string()]) }).await;
    assert!(report.tasks().all(|task| task.outcome.is_started()), "{report:?}");
    assert_eq!(world.told(), sorted([SYNC, SALES, HR, EXPORT]));
}

#[tokio::test]
async fn one_that_stays_down_starts_nothing_and_stores_nothing() {
    let clock = HastyClock::default();
    let world = World::with(None, clock.inner.clone(), clock).await;
    world.site.set_down(true);
    let request = StartRequest { pairs: vec![pair("a", "1", None)], ..StartRequest::task(SALES.to_string()) };
    let error = world.starter.start(request).await.unwrap_err();
    assert!(matches!(error, StartError::Unavailable { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("nothing was started, for it can't be found out which tasks there are: site `prod`, GET /qrs/task/full"),
        "{error}"
    );
    assert_eq!(world.pairs.get("etl", "a").await.unwrap(), Lookup::NoNamespace);
    assert!(world.starter.tasks(None).await.is_err());
}

#[tokio::test]
async fn one_that_hangs_is_given_up_in_time() {
    let world = World::new(None).await;
    world.site.fault("task/full", Fault::Hang);
    let (result, ()) = tokio::join!(world.starter.start(StartRequest::task(SALES.to_string())), async {
        world.site.wait_for(1).await;
        // Two wait: the request for its answer, and the start for the request.
        world.clock.sleepers(2).await;
        world.clock.advance(Duration::from_mins(1));
    });
    let error = result.unwrap_err().to_string();
    assert!(error.contains("answer within"), "{error}");
    assert!(world.told().is_empty());
}

#[tokio::test]
async fn whoever_does_not_wait_has_given_the_order_all_the_same() {
    let world = World::new(None).await;
    world.site.fault("task/full", Fault::Delay(Duration::from_secs(1)));
    {
        let started = world.starter.start(StartRequest::task(SALES.to_string()));
        tokio::pin!(started);
        tokio::select! {
            biased;
            _ = &mut started => panic!("it did not wait"),
            _ = world.site.wait_for(1) => {}
        }
    }
    world.clock.advance(Duration::from_secs(1));
    world.site.wait_for(2).await;
    assert_eq!(world.told(), [SALES]);
}

#[tokio::test]
async fn where_it_is_started_has_to_be_plain() {
    let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
    let (one, two) = (World::new(None).await, World::new(None).await);
    let client = |world: &World, name: &str| {
        let settings = world.site.repository_settings(name, world._folder.path());
        (SiteName::from(name), Arc::new(RepositoryClient::new(settings, Arc::clone(&clock)).unwrap()))
    };
    let starter = |names: &[(&World, &str)], site: Option<&str>| {
        let settings = StartSettings { site: site.map(Into::into), ..StartSettings::default() };
        let sites = names.iter().map(|(world, name)| client(world, name)).collect();
        Starter::new(sites, settings, Arc::clone(&one.pairs) as _, Arc::clone(&clock))
    };
    let both = [(&one, "prod"), (&two, "test")];
    let at = |site: Option<&str>| StartRequest { site: site.map(Into::into), ..StartRequest::task(SALES.to_string()) };
    let fault = async |starter: Starter, request| starter.start(request).await.unwrap_err().to_string();
    insta::assert_snapshot!(fault(starter(&[], None), at(None)).await, @"no site has certificates to ask its repository with, so no task can be started; add `certificates` to a site");
    insta::assert_snapshot!(fault(starter(&both, None), at(None)).await, @"there are several sites (prod, test), and nothing says on which of them; name one, or write `site` in `[tasks]`");
    insta::assert_snapshot!(fault(starter(&both, None), at(Some("prdo"))).await, @"there is no site `prdo` whose repository can be asked; there are: prod, test");
    assert_eq!(starter(&both, Some("test")).start(at(None)).await.unwrap().site, "test".into());
    assert_eq!(starter(&both, Some("test")).start(at(Some("prod"))).await.unwrap().site, "prod".into());
    assert_eq!((one.told(), two.told()), (vec![SALES], vec![SALES]));
    let all = starter(&both, None).tasks(None).await.unwrap();
    assert_eq!(all.iter().filter(|task| task.site == "prod".into()).count() * 2, all.len());
    assert!(starter(&both, None).tasks(Some(&"test".into())).await.unwrap().iter().all(|task| task.site == "test".into()));
}

#[tokio::test]
async fn tasks_are_listed_as_the_filter_sees_them() {
    let world = World::new(Some(StartFilter::new([], ["nightly".to_owned()], []))).await;
    let listed = world.starter.tasks(None).await.unwrap();
    let line = |task: &ListedTask| {
        let (allowed, enabled) = (if task.allowed { "allowed" } else { "denied" }, if task.enabled { "" } else { " disabled" });
        format!("{} {:?} {:?} {allowed}{enabled} {:?} {:?}", task.name, task.task_type, task.app, task.tags, task.status)
    };
    insta::assert_snapshot!(listed.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
    Distribute sales app Some(Distribute) Some("Sales") denied [] None
    Manually triggered reload of Test failing reloads 2 Some(Reload) Some("Test failing reloads 2") denied [] None
    Nightly export Some(ExternalProgram) None allowed ["nightly"] None
    Preload finance Some(Preload) Some("Finance") denied [] None
    Reload HR Some(Reload) Some("HR dashboard") allowed ["nightly", "hr"] None
    Reload of an app that is no longer used Some(Reload) Some("Finance") denied disabled [] None
    Reload sales Some(Reload) Some("Sales") allowed ["nightly"] Some("FinishedFail")
    Räkna om «Lager»; it's 100% R&D #1 + 🚀 Some(Reload) Some("It's 100% R&D; #1 + «Lager» 🚀") denied ["R&D; #1", "100%", "a+b", "räksmörgås 🍤", "O'Neill"] None
    Sync AD users Some(UserSync) None denied [] None
    "#);
}
