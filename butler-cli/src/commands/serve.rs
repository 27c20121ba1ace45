//! `serve`: the main job.

use std::sync::Arc;

use butler_core::Butler;
use butler_core::config::Config;
use butler_core::config::model::{LogFormat, StoreType};
use butler_core::store::Store;

use serde_json::json;

use crate::args::{Format, Global, Serve};
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
    match global.output {
        Format::Text => output::line(format!("butler ready: {}", ready(&butler, &place))),
        Format::Json => {
            let bound = butler.bound().iter().map(|(name, address)| json!({ "name": name, "address": address }));
            output::line(json!({ "ready": true, "bound": bound.collect::<Vec<_>>(), "store": place }).to_string());
        }
    }
    end.wait().await;
    tracing::info!("Ending: what is under way has {} s. A second signal ends the program at once.", serve.grace.as_secs());
    tokio::spawn(async move {
        end.wait().await;
        std::process::exit(INTERRUPTED);
    });
    match butler.shutdown(serve.grace).await {
        Ok(()) => tracing::info!("Ended in order."),
        // What was accepted is safe, and whoever asked for the end wants to see it end well.
        Err(error) => tracing::warn!("{error}."),
    }
    Ok(())
}

fn ready(butler: &Butler, place: &str) -> String {
    let bound = butler.bound().iter().map(|(what, address)| format!("{what} {address}"));
    bound.chain([format!("store {place}")]).collect::<Vec<_>>().join(", ")
}

/// What happens is told on stderr. Only here is something set for the whole process.
fn log_to_stderr(config: &Config) {
    use tracing_subscriber::EnvFilter;
    let level = config.log.level.as_str();
    let wanted = std::env::var("BUTLER_LOG").ok().filter(|text| !text.is_empty());
    let filter = match wanted.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            output::note(&format!("BUTLER_LOG can't be read ({error}); the level is `{level}`"));
            EnvFilter::new(level)
        }
        None => EnvFilter::new(level),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber, in a test, is no fault.
    let _ = match config.log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_ansi(output::has_colour(&std::io::stderr())).try_init(),
    };
}
