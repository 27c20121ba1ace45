//! Whole script logs on disk, from a site that is asked for them.

use std::path::{Path, PathBuf};

use butler_tests::{Sense, Settings, api, eventually};

use crate::PROGRAM;

const ARCHIVE: &str = r#"
    [[routes]]
    events = ["reload_task.failed"]
    sinks = ["archive"]
    [sinks.archive]
    type = "script_log_archive"
    retry = { first = "50ms", longest = "1s" }
    options.folder = "logs"
"#;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| std::fs::read_dir(folder).map(|all| all.filter_map(|entry| Some(entry.ok()?.path())).collect::<Vec<_>>());
    entries(folder).unwrap_or_default().iter().flat_map(|day| entries(day).unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_failed_reload_is_kept_whole() {
    let sense = Sense::start(PROGRAM, Settings { route: "continue = true", more: ARCHIVE, ..Settings::default() }).await;
    let task = sense.task("Reload sales");
    sense.fails(task.id).await;
    let file = eventually("a file", async || {
        files(&sense.world.path("logs")).into_iter().find(|file| file.extension().is_some_and(|e| e == "log"))
    })
    .await;
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let day = file.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned();
    assert!(name.starts_with(&format!("{day}_")), "{day}/{name}");
    assert!(name.ends_with(&format!("_appId={}_taskId={}.log", "66bc109d-286a-415b-8355-1422abb22133", task.id)), "{name}");
    let log = std::fs::read_to_string(&file).expect("a text");
    for part in ["Execution started.", "Machine Name: SENSE-NODE-1", "2,192 lines fetched", "Error: Cannot open file", "Execution Failed"] {
        assert!(log.contains(part), "no {part:?} in {log}");
    }
    assert!(!log.contains('\r') && log.lines().count() > 20, "{log:?}");
    let delivery = eventually("a verdict", async || {
        let deliveries = api(&sense.butler, "/api/deliveries?sink=archive&state=delivered").await;
        deliveries.as_array()?.first().cloned()
    })
    .await;
    assert!(delivery["detail"].as_str().expect("a receipt").contains(&name), "{delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_can_not_be_made_is_said_and_tried_again_until_it_can() {
    let files_in_the_way = [("logs", "in the way")];
    let settings = Settings { route: "continue = true", more: ARCHIVE, files: &files_in_the_way, ..Settings::default() };
    let sense = Sense::start(PROGRAM, settings).await;
    sense.fails(sense.task("Reload sales").id).await;
    let delivery = eventually("an attempt in vain", async || {
        let deliveries = api(&sense.butler, "/api/deliveries?sink=archive&state=pending").await;
        deliveries.as_array()?.iter().find(|delivery| delivery["attempts"].as_u64() >= Some(1)).cloned()
    })
    .await;
    let detail = delivery["detail"].as_str().expect("a reason");
    assert!(detail.contains("can't write to") && detail.contains("logs"), "{delivery}");
    std::fs::remove_file(sense.world.path("logs")).expect("a file");
    eventually("a file", async || (files(&sense.world.path("logs")).len() == 1).then_some(())).await;
}
