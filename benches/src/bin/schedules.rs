//! A hundred thousand schedules: how long until the program is ready, what it costs to wait, and how late it is when many are due in the same second. Linux only, because it reads `/proc`.
//!
//! ```text
//! cargo run --release -p butler-benches --bin schedules
//! ```
//!
//! All in this process, with the store that people have (SQLite in a file, each claim and each outcome durable). Lateness counts from the second in which a schedule is due to the call of its
//! action, which does nothing.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use butler_core::config::Config;
use butler_core::schedule::{Action, ActionContext, ActionError, ActionReport, Schedule};
use butler_core::store::ScheduleRecord;
use butler_core::{Butler, async_trait};
use jiff::{SignedDuration, Timestamp};

/// How many there are in all.
const ALL: usize = 100_000;
/// How many are due in the same second.
const STAMPEDE: usize = 10_000;
/// How long after they are stored those are due.
const AHEAD: Duration = Duration::from_secs(40);
/// How long waiting is watched.
const IDLE: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Keeps how late it was called.
#[derive(Debug, Clone, Default)]
struct Late(Arc<Mutex<Vec<SignedDuration>>>);

#[async_trait]
impl Action for Late {
    async fn run(&self, context: &ActionContext) -> Result<ActionReport, ActionError> {
        let late = Timestamp::now().duration_since(context.occurrence);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(late);
        Ok(ActionReport::done("done"))
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(measure())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is nobody else to tell")]
fn complain(error: &dyn std::error::Error) {
    eprintln!("schedules: {error}");
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn say(line: &str) {
    println!("{line}");
}

async fn measure() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let late = Late::default();
    let due = fill(folder.path()).await?;

    let began = Instant::now();
    let butler = start(folder.path(), &late).await?;
    say(&format!("ready with {ALL} schedules after {:.2} s", began.elapsed().as_secs_f64()));

    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, began) = (processor_time()?, Instant::now());
    tokio::time::sleep(IDLE).await;
    let share = (processor_time()? - before).as_secs_f64() / began.elapsed().as_secs_f64();
    say(&format!("waiting takes {:.2} % of one processor", share * 100.0));

    if Timestamp::now().as_second() >= due {
        return Err("they were due before they were waited for; let them be due later".into());
    }
    let count = || late.0.lock().unwrap_or_else(PoisonError::into_inner).len();
    let deadline = Instant::now() + AHEAD * 2;
    while count() < STAMPEDE && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut all = late.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.sort_unstable();
    let at = |share: f64| all.get(((all.len() as f64 - 1.0) * share) as usize).map_or(f64::NAN, SignedDuration::as_secs_f64);
    let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
    say(&format!(
        "of {STAMPEDE} due in the same second {} were run; late by {p50:.3} s (median), {p99:.3} s (p99), {max:.3} s at the most",
        all.len()
    ));
    butler.shutdown(Duration::from_secs(30)).await?;
    Ok(())
}

async fn start(folder: &Path, late: &Late) -> Result<Butler, Failure> {
    let text = "[udp]\nenabled = false\n[api]\nenabled = false\n[log]\nlevel = \"error\"\n";
    let config = Config::from_toml(text, folder)?;
    Ok(Butler::builder(config).action("late", late.clone()).start().await?)
}

/// Stores schedules that are due once a day, with some thousand patterns in four zones, and those that are due in the same second, which it gives.
async fn fill(folder: &Path) -> Result<i64, Failure> {
    const ZONES: [&str; 4] = ["UTC", "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe"];
    let butler = start(folder, &Late::default()).await?;
    let hour = Timestamp::now().strftime("%H").to_string().parse::<usize>()?;
    let others = (0..ALL - STAMPEDE).map(|number| {
        // None of them within the next hours, wherever.
        let when = format!("{} {} {} * * *", number % 60, (number / 60) % 60, (hour + 4) % 24);
        Schedule::new(format!("Other {number}"), when).with_id(format!("other-{number}")).in_zone(ZONES[number % ZONES.len()])
    });
    store(&butler, others).await?;
    let due = Timestamp::now().as_second() + AHEAD.as_secs() as i64;
    let when = Timestamp::from_second(due)?.strftime("%S %M %H * * *").to_string();
    let stampede =
        (0..STAMPEDE).map(|number| Schedule::new(format!("Due {number}"), &when).with_id(format!("due-{number}")).in_zone("UTC"));
    store(&butler, stampede).await?;
    butler.shutdown(Duration::from_secs(30)).await?;
    Ok(due)
}

async fn store(butler: &Butler, schedules: impl Iterator<Item = Schedule>) -> Result<(), Failure> {
    let mut puts = tokio::task::JoinSet::new();
    for schedule in schedules {
        let store = Arc::clone(butler.store());
        let schedule = schedule.running("late");
        let record = ScheduleRecord { definition: serde_json::to_string(&schedule)?, id: schedule.id };
        puts.spawn(async move { store.upsert_schedule(record).await });
        if puts.len() > 1_000
            && let Some(put) = puts.join_next().await
        {
            put??;
        }
    }
    while let Some(put) = puts.join_next().await {
        put??;
    }
    Ok(())
}

/// What this process has used of the processors.
fn processor_time() -> Result<Duration, Failure> {
    const TICKS: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let numbers: Vec<u64> = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(Duration::from_millis(numbers.iter().sum::<u64>() * 1_000 / TICKS))
}
