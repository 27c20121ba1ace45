//! `schedules`, against a running Butler and a simulated site.

use butler_tests::{Sense, Settings, eventually};
use serde_json::Value;

use crate::PROGRAM;

const DECLARED: &str = r#"
reconcile.enabled = false
[scheduler]
timezone = "Europe/Stockholm"
[scheduler.schedules.declared]
when = "0 2 * * *"
task_tags = ["nightly"]
"#;

async fn start() -> Sense {
    Sense::start(PROGRAM, Settings { site: DECLARED, ..Settings::default() }).await
}

async fn says(sense: &Sense, args: &[&str]) -> String {
    sense.world.says(&sense.butler, &[&["schedules"], args].concat()).await
}

async fn json(sense: &Sense, args: &[&str]) -> Value {
    sense.world.json(&sense.butler, &[&["schedules"], args].concat()).await
}

#[tokio::test]
async fn a_schedule_is_made_run_switched_and_survives_a_kill() {
    let sense = start().await;
    let task = sense.task("Reload sales").id;
    let id = task.to_string();
    let add = [
        "add",
        "--id",
        "sales",
        "--name",
        "Sales",
        "--when",
        "30 6 * * mon-fri",
        "--time-zone",
        "Asia/Tokyo",
        "--task",
        &id,
        "--missed",
        "once",
    ];
    let made = says(&sense, &add).await;
    assert!(made.starts_with("exit code 0\nstdout:\nsales is due next at ") && made.contains(" in Asia/Tokyo, which is "), "{made}");
    let again = says(&sense, &add).await;
    assert!(again.contains("exit code 64") && again.contains("there is a schedule with the id `sales` already"), "{again}");

    let sense = sense.restarted().await;
    let listed = says(&sense, &["list"]).await;
    assert!(listed.contains("30 6 * * mon-fri") && listed.contains("Asia/Tokyo") && listed.contains("Europe/Stockholm"), "{listed}");
    let next = json(&sense, &["next", "sales", "--count", "3"]).await;
    assert_eq!((next["zone"].as_str(), next["times"].as_array().map(Vec::len)), (Some("Asia/Tokyo"), Some(3)));
    assert!(says(&sense, &["next", "sales"]).await.contains("ASIA/TOKYO"), "both clocks are shown");

    let ran = says(&sense, &["run", "sales"]).await;
    assert!(ran.starts_with("exit code 0\nstdout:\ndone: "), "{ran}");
    assert_eq!(sense.site.count(&format!("task/{task}/start")), 1);
    // How the task ended is found out, and told.
    let history = async || {
        let history = json(&sense, &["history", "sales"]).await;
        history[0]["outcome"]["work"][0]["end"]["how"].is_string().then_some(history)
    };
    let history = eventually("the end of the task", history).await;
    assert_eq!((history.as_array().map(Vec::len), &history[0]["outcome"]["outcome"]), (Some(1), &Value::from("done")));
    assert!(says(&sense, &["history", "sales"]).await.contains("Reload sales ended with "));

    assert_eq!(says(&sense, &["disable", "sales"]).await, "exit code 0\nstdout:\nsales does not run\n");
    let sense = sense.restarted().await;
    assert!(says(&sense, &["show", "sales"]).await.contains("disabled"));
    assert!(says(&sense, &["enable", "sales"]).await.contains("is due next at"));
    let declared = says(&sense, &["remove", "declared"]).await;
    assert!(declared.contains("exit code 64") && declared.contains("is defined in the configuration"), "{declared}");
    assert_eq!(says(&sense, &["remove", "sales"]).await, "exit code 0\nstdout:\nsales is removed\n");
    let gone = says(&sense, &["run", "sales"]).await;
    assert!(gone.contains("exit code 64") && gone.contains("there is no schedule with the id `sales`"), "{gone}");
}

#[tokio::test]
async fn tasks_are_named_as_for_a_start() {
    let sense = start().await;
    for by in [["--tag", "hr"], ["--property", "Avdelning & ägare=O'Neill; #2"]] {
        let id = by[0].trim_start_matches('-');
        says(&sense, &[&["add", "--id", id, "--when", "@daily", "--label", "for people"], &by[..]].concat()).await;
        let ran = says(&sense, &["run", id]).await;
        assert!(ran.starts_with("exit code 0\nstdout:\ndone: started R"), "{ran}");
    }
    assert_eq!(sense.site.count("task/*/start"), 2);
}

#[tokio::test]
async fn a_run_that_starts_nothing_ends_with_another_code() {
    let sense = start().await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    says(&sense, &["add", "--id", "none", "--when", "@daily", "--task", unknown, "--disabled"]).await;
    let ran = says(&sense, &["run", "none"]).await;
    assert!(ran.contains("exit code 69") && ran.contains("failed: "), "{ran}");
}

#[tokio::test]
async fn an_expression_is_tried_out_without_a_butler() {
    let world = butler_tests::World::new(PROGRAM).await;
    let output = world.run(&["schedules", "next", "--cron", "0 2 * * *", "--time-zone", "Europe/Stockholm", "--count", "2"]).output().await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.starts_with("DAY  EUROPE/STOCKHOLM") && text.matches(" 02:00:00 ").count() >= 2, "{text}");
    let refused = world.refused(&["schedules", "next", "--cron", "0 25 * * *"]).await;
    assert!(refused.starts_with("exit code 64"), "{refused}");
}

#[tokio::test]
async fn a_schedule_file_is_imported_once_and_written_again() {
    let sense = start().await;
    let task = sense.task("Reload sales").id;
    let file = format!(
        "butlerSchedule:\n  - name: New year\n    cronSchedule: 0 6 1 0 *\n    timezone: America/New_York\n    qlikSenseTaskId: {task}\n    \
         startupState: started\n    id: old-1\n"
    );
    sense.world.write("schedule.yaml", &file);
    let import = ["import", "schedule.yaml", "--original-zone", "Europe/Stockholm"];
    let tried = says(&sense, &[&import[..], &["--dry-run"]].concat()).await;
    for words in [
        "line 2: old-1 (New year): added",
        "line 3: note: months are counted from 1 here",
        "line 4: warning: its time zone counts now",
        "dry run",
    ] {
        assert!(tried.contains(words), "{words}: {tried}");
    }
    assert!(says(&sense, &[&import[..], &["--time-zone", "local"]].concat()).await.contains("1 added"));
    let sense = sense.restarted().await;
    let again = says(&sense, &[&import[..], &["--time-zone", "local"]].concat()).await;
    assert!(again.contains("it was imported before") && again.contains("0 added"), "{again}");
    let shown = json(&sense, &["show", "old-1"]).await;
    assert_eq!((shown["when"].as_str(), shown["zone"].as_str()), (Some("0 6 1 1 *"), Some("Europe/Stockholm")));

    let written = says(&sense, &["export", "written.yaml"]).await;
    assert!(
        written.contains("exit code 0") && written.contains("declared (`0 2 * * *`): the original starts one task by its id"),
        "{written}"
    );
    let text = std::fs::read_to_string(sense.world.path("written.yaml")).expect("a file");
    assert!(text.contains("0 6 1 0 *") && text.contains(&task.to_string()), "{text}");
    let back = says(&sense, &["import", "written.yaml", "--original-zone", "Europe/Stockholm"]).await;
    assert!(back.contains("0 added") && back.contains("0 not taken"), "{back}");
}
