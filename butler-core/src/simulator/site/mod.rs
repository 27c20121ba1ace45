//! A simulated Qlik Sense site: a repository and an engine with client certificates, a scheduler that runs tasks, and the log appender that tells of their end.
//!
//! ```no_run
//! use butler_core::simulator::site::{Fault, Outcome, Site, SiteOptions, SiteState};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let site = Site::start(SiteState::example(), SiteOptions::default()).await?;
//! site.write_certificates("certs")?;
//! println!("{}", site.configuration("simulated", "certs"));
//!
//! let task = site.state().tasks[0].id;
//! let execution = site.run(task, Outcome::FAILED).await?;
//! println!("{}", String::from_utf8_lossy(&execution.datagram));
//!
//! site.fault("task/full", Fault::Status(503));
//! # Ok(())
//! # }
//! ```
//!
//! It is as strict as a real one: no connection without a client certificate of its own root, no answer without the key against request forgery and a
//! known user, filters that are parsed, and the error replies that administrators know. What is in it is a [`SiteState`], set in code or read from a
//! file. What goes wrong on command is a [`Fault`]. A result's id and the scheduler's id of the execution are two ids unless the state says otherwise.

mod answer;
mod certificates;
mod collection;
mod content;
mod engine;
mod error;
mod execution;
mod faults;
mod filter;
mod fuse;
mod listen;
mod objects;
mod outcome;
mod pace;
mod reply;
mod requests;
mod routes;
mod run;
mod running;
mod script_log;
mod shapes;
mod shared;
mod state;
mod state_file;
mod subscriptions;

pub use content::{AppContent, AppObject, DataConnection, Lineage};
pub use engine::{EngineCall, EngineFault, EngineNotice, EngineSessions};
pub use error::{RunError, SiteError, StateError};
pub use execution::{Execution, Run};
pub use faults::{Fault, On};
pub use outcome::{Failure, Outcome};
pub use pace::{Pace, Steps};
pub use requests::SiteRequest;
pub use running::{Site, SiteOptions};
pub use state::{App, ExecutionIds, ExecutionRecord, LogFile, NeverRan, Property, ScriptLogApi, SiteState, Step, Stream, Task, User};

#[cfg(all(test, feature = "testkit", feature = "qlik"))]
mod tests;
