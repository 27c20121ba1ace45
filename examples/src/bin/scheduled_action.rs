//! Something of your own at certain times.
//!
//! A schedule starts tasks of Qlik Sense, or runs an [`Action`] of the program that embeds Butler. This one counts the files of a folder and says so; the schedule runs it every second, and
//! what became of each run stands in its history. Run it:
//!
//! ```text
//! cargo run -p butler-examples --bin scheduled_action
//! ```

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::path::PathBuf;
use std::time::Duration;

use butler_core::config::Config;
use butler_core::schedule::{Action, ActionContext, ActionError, ActionReport, Missed, Rules, Schedule};
use butler_core::store::{RunOutcome, ScheduleRun};
use butler_core::{Butler, async_trait};
use tokio::sync::mpsc;

/// Counts the files of a folder.
#[derive(Debug)]
struct CountFiles {
    folder: PathBuf,
    counted: mpsc::UnboundedSender<usize>,
}

#[async_trait]
impl Action for CountFiles {
    /// Is called once for each occurrence. An error goes to the history, and to people as `schedule.failed`.
    async fn run(&self, context: &ActionContext) -> Result<ActionReport, ActionError> {
        let mut files = tokio::fs::read_dir(&self.folder).await.map_err(|error| ActionError::failed(error.to_string()))?;
        let mut count = 0;
        while files.next_entry().await.map_err(|error| ActionError::failed(error.to_string()))?.is_some() {
            count += 1;
        }
        println!("{}: {count} file(s)", context.schedule.name);
        let _ = self.counted.send(count);
        Ok(ActionReport::done(format!("{count} file(s)")))
    }

    /// Is asked first where the program ended in the middle of a run. Counting once more does no harm.
    async fn recover(&self, _: &ActionContext) -> Result<Option<ActionReport>, ActionError> {
        Ok(None)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("sales.qvd"), "")?;
    let (counted, mut counts) = mpsc::unbounded_channel();
    // One that is defined here can't be changed while the program runs; others are made by `butler.schedules()`, as the API makes them.
    let text = r#"
        [store]
        type = "memory"
        [udp]
        enabled = false
        [api]
        enabled = false
        [scheduler.schedules.daily]
        when = "0 6 * * mon-fri"
        timezone = "Europe/Stockholm"
        action = "count_files"
        missed = "once"
    "#;
    let config = Config::from_toml(text, ".")?;
    let butler = Butler::builder(config).action("count_files", CountFiles { folder: folder.path().to_owned(), counted }).start().await?;

    let often = Schedule::new("Every second", "* * * * * *").with_id("often").running("count_files");
    let often = often.with_rules(Rules { missed: Missed::Once, ..Rules::default() });
    butler.schedules().create(often).await?;
    for _ in 0..2 {
        counts.recv().await;
    }
    for listed in butler.schedules().all() {
        let next = listed.next.map(|next| next.to_string()).unwrap_or_default();
        println!("{} is due next at {next}", listed.schedule.name);
    }
    for ScheduleRun { occurrence, outcome, .. } in butler.schedules().history("often", 1).await? {
        if let RunOutcome::Done { detail, .. } = outcome {
            println!("{occurrence}: {detail}");
        }
    }
    butler.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}

#[test]
fn it_runs_to_its_end() {
    main().expect("a good end");
}
