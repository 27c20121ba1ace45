//! `serve`: the main job.

use std::sync::Arc;

use butler_core::Butler;
use butler_core::config::Config;
use butler_core::config::model::{LogFormat, StoreType};
use butler_core::store::Store;

use crate::args::{Global, Serve};
use crate::signals::Signals;
use crate::{Exit, output};

/// What a shell gives for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

pub(crate) async fn run(global: &Global, serve: &Serve, store: Option<Arc<dyn Store>>) -> Result<(), Exit> {
    let config = Config::from_file(&global.config)?;
    log_to_stderr(&config);
    let place = match config.store.r#type {
        StoreType::Memory => "memory".to_owned(),
        StoreType::Sqlite => config.base_dir.join(&config.store.path).display().to_string(),
    };
    let mut end = Signals::listen()?;
    let mut builder = Butler::builder(config);
    if let Some(store) = store {
        builder = builder.store(store);
    }
    let butler = builder.start().await?;
    let bound: Vec<String> = butler.bound().iter().map(|(what, address)| format!("{what} {address}")).collect();
    output::line(format!("butler ready: {}, store {place}", bound.join(", ")));
    end.wait().await;
    tracing::info!("Ending: what is under way has {} s. A second signal ends the program at once.", serve.grace.as_secs());
    tokio::spawn(async move {
        end.wait().await;
        std::process::exit(INTERRUPTED);
    });
    butler.shutdown(serve.grace).await;
    tracing::info!("Ended in order.");
    Ok(())
}

/// What happens is told on stderr. Only here is something set for the whole process.
fn log_to_stderr(config: &Config) {
    use tracing_subscriber::EnvFilter;
    let level = config.log.level.as_str();
    let filter = EnvFilter::try_from_env("BUTLER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber, in a test, is no fault.
    let _ = match config.log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
    };
}
