//! Reloads in the background, and the tasks that follow them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::qlik::RepositoryClient;
use crate::qlik::start::{StartFilter, StartSettings, Starter};
use crate::simulator::site::{EngineFault, Outcome, Pace, Steps};
use crate::store::memory::MemoryStore;
use crate::testkit::Logs;

const AFTER_SUCCESS: &str = "E959F40A-67be-4a5b-ae83-a292f96ba078";
const AFTER_FAILURE: &str = "7552d9fc-d1bb-4975-9a38-18357de531ea";

/// A site's apps; the filter lets nobody start anything by itself.
fn apps(world: &World) -> Apps {
    filtered(world, StartFilter::default())
}

fn filtered(world: &World, filter: StartFilter) -> Apps {
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    let repository = RepositoryClient::new(world.site.repository_settings("prod", world.folder.path()), Arc::clone(&clock)).unwrap();
    let settings = StartSettings { filter: Some(filter), ..StartSettings::default() };
    let pairs = Arc::new(MemoryStore::new(Arc::clone(&clock)));
    let starter = Starter::new(BTreeMap::from([("prod".into(), Arc::new(repository))]), settings, pairs, Arc::clone(&clock));
    Apps::new(BTreeMap::from([("prod".into(), world.client())]), Arc::new(starter), clock)
}

fn request(app: Uuid) -> ReloadRequest {
    let (on_success, on_failure) = (vec![AFTER_SUCCESS.into()], vec!["no id".into(), AFTER_FAILURE.into()]);
    ReloadRequest { app: app.to_string(), on_success, on_failure, ..ReloadRequest::default() }
}

/// The paths of the repository that were asked, once all is done.
async fn started(world: &World, apps: &Apps) -> Vec<String> {
    apps.shutdown(Duration::from_hours(1)).await;
    world.site.requests().into_iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

#[tokio::test]
async fn success_and_failure_are_each_followed_by_their_tasks() {
    let success = format!("POST task/{}/start", AFTER_SUCCESS.to_lowercase());
    let failure = format!("POST task/{AFTER_FAILURE}/start");
    let faults = [
        (SALES, None, &success),
        (HR, None, &failure),
        (SALES, Some(("DoReload", EngineFault::Cut)), &failure),
        (SALES, Some(("DoReload", EngineFault::Error(1007))), &failure),
        (SALES, Some(("DoSave", EngineFault::Error(5))), &failure),
    ];
    for (app, fault, expected) in faults {
        let world = World::new().await;
        if let Some((on, fault)) = fault {
            world.site.engine_fault(on, fault);
        }
        let apps = apps(&world);
        apps.reload_unfiltered(request(app)).await.unwrap();
        assert_eq!(started(&world, &apps).await, std::slice::from_ref(expected));
        assert_eq!(world.ended().await.open, 0);
    }
}

#[tokio::test]
async fn what_can_not_be_begun_is_followed_by_nothing() {
    let world = World::new().await;
    let apps = apps(&world);
    assert!(matches!(apps.reload_unfiltered(request(NOWHERE)).await.unwrap_err(), AppsError::Engine(error) if error.is_unknown_app()));
    world.site.engine_fault("connect", EngineFault::Cut);
    apps.reload_unfiltered(request(SALES)).await.unwrap_err();
    assert_eq!(started(&world, &apps).await, [] as [&str; 0]);
    assert_eq!(world.ended().await.open, 0);
}

#[tokio::test]
async fn the_end_waits_a_while_and_names_what_it_leaves() {
    let logs = Logs::keep();
    let world = World::with(SiteOptions { pace: Pace::Live(Steps::lasting(Duration::from_hours(1))), ..SiteOptions::default() }).await;
    let apps = apps(&world);
    apps.reload_unfiltered(request(SALES)).await.unwrap();
    world.site.wait_for_engine_calls(3).await;
    let ending = async {
        // The script, the client that waits for it, and the end.
        world.clock.sleepers(3).await;
        world.clock.advance(Duration::from_secs(10));
    };
    tokio::join!(apps.shutdown(Duration::from_secs(10)), ending);
    assert_eq!(world.ended().await, EngineSessions { open: 0, opened: 1, closed: 0 });
    assert!(logs.lines().iter().any(|line| line.contains("still being reloaded") && line.contains(&SALES.to_string())), "{logs:?}");
    assert!(matches!(apps.reload_unfiltered(request(SALES)).await.unwrap_err(), AppsError::Ending));
    assert_eq!(world.site.requests(), []);
}

#[tokio::test]
async fn only_so_many_apps_are_reloaded_at_once() {
    let world = World::with(SiteOptions { pace: Pace::Live(Steps::lasting(Duration::from_hours(1))), ..SiteOptions::default() }).await;
    let apps = apps(&world);
    for _ in 0..100 {
        apps.reload_unfiltered(request(SALES)).await.unwrap();
    }
    let error = apps.reload_unfiltered(request(SALES)).await.unwrap_err();
    assert_eq!(error.to_string(), "100 reloads are under way, and no more are begun; try again when some have ended");
}

#[tokio::test]
async fn a_site_is_chosen_or_there_has_to_be_one() {
    let world = World::new().await;
    world.site.change(|state| state.app_mut(SALES).unwrap().content.when_reloaded = Outcome::Aborted);
    let apps = apps(&world);
    assert!(apps.list(None).await.is_ok());
    let error = apps.list(Some(&"test".into())).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no site `test` whose engine can be asked; there are: prod");
    assert!(matches!(
        apps.reload_unfiltered(ReloadRequest { site: Some("test".into()), ..request(SALES) }).await,
        Err(AppsError::UnknownSite { .. })
    ));
}

#[tokio::test]
async fn nothing_is_reloaded_unless_what_follows_may_be_started() {
    let world = World::new().await;
    let listed = filtered(&world, StartFilter::new([AFTER_SUCCESS.parse().unwrap()], [], []));
    let error = listed.reload(request(SALES)).await.unwrap_err();
    let words = format!("nothing is reloaded, for `[tasks.start_filter]` does not allow tasks that are to follow: no id, {AFTER_FAILURE}");
    assert_eq!(error.to_string(), words);
    assert_eq!((world.calls(), world.site.requests()), (vec![], vec![]));
    listed.reload(ReloadRequest { on_failure: Vec::new(), ..request(SALES) }).await.unwrap();
    assert_eq!(started(&world, &listed).await, [format!("POST task/{}/start", AFTER_SUCCESS.to_lowercase())]);
    // What depends on the task has to be looked up.
    let tagged = filtered(&world, StartFilter::new([], ["hr".to_owned()], []));
    assert!(matches!(tagged.reload(request(SALES)).await, Err(AppsError::Denied { tasks }) if tasks.len() == 3));
    const HR_TASK: &str = "0d815a99-1ca3-4131-a398-6878bd735fd8";
    tagged.reload(ReloadRequest { on_success: vec![HR_TASK.into()], on_failure: Vec::new(), ..request(SALES) }).await.unwrap();
    assert_eq!(started(&world, &tagged).await.pop().unwrap(), format!("POST task/{HR_TASK}/start"));
}

#[tokio::test]
async fn a_task_that_is_named_several_times_follows_once_and_not_any_number_does() {
    let world = World::new().await;
    let apps = apps(&world);
    let on_success = vec![AFTER_SUCCESS.to_owned(), AFTER_FAILURE.to_owned(), AFTER_SUCCESS.to_lowercase()];
    let wanted = ReloadRequest { on_success, ..request(SALES) };
    apps.reload_unfiltered(wanted.clone()).await.unwrap();
    let many = ReloadRequest { on_success: vec![AFTER_SUCCESS.into(); 101], ..wanted.clone() };
    let error = apps.reload_unfiltered(many).await.unwrap_err();
    assert_eq!(error.to_string(), "101 tasks are to follow the reload, and no more than 100 may");
    let nothing = ReloadRequest { app: " ".into(), ..wanted };
    assert_eq!(apps.reload(nothing).await.unwrap_err().to_string(), "no app is named; name one by its id in `app`");
    assert_eq!(started(&world, &apps).await.len(), 2);
}

#[tokio::test]
async fn where_there_are_several_sites_one_is_named_or_configured() {
    let world = World::new().await;
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    let of = |sites: &[&str], site: Option<&str>| {
        let settings = StartSettings { site: site.map(Into::into), ..StartSettings::default() };
        let pairs = Arc::new(MemoryStore::new(Arc::clone(&clock)));
        let starter = Starter::new(BTreeMap::new(), settings, pairs, Arc::clone(&clock));
        Apps::new(sites.iter().map(|site| ((*site).into(), world.client())).collect(), Arc::new(starter), Arc::clone(&clock))
    };
    assert!(matches!(of(&[], None).list(None).await, Err(AppsError::NoSite)));
    let error = of(&["prod", "test"], None).list(None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there are several sites (prod, test), and nothing says on which of them; name one, or write `site` in `[tasks]`"
    );
    assert!(of(&["prod", "test"], Some("test")).list(None).await.is_ok());
    assert!(of(&["prod", "test"], None).list(Some(&"test".into())).await.is_ok());
}

#[tokio::test]
async fn two_dumps_are_made_at_a_time_and_the_others_wait() {
    let world = World::new().await;
    world.site.engine_fault("GetScript", EngineFault::Hang);
    let apps = Arc::new(apps(&world));
    let mut dumps: Vec<_> = (0..3)
        .map(|_| {
            let apps = Arc::clone(&apps);
            tokio::spawn(async move { apps.dump(None, &SALES.to_string()).await })
        })
        .collect();
    world.site.wait_for_engine_calls(6).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.site.engine_sessions().opened, 2);
    // Whoever does not wait any more makes room.
    dumps.drain(..2).for_each(|dump| dump.abort());
    world.site.wait_for_engine(|sessions| sessions.opened == 3).await;
    dumps.remove(0).abort();
}
