//! Starting tasks on somebody's word: the one way for the REST API, MQTT and the command line.
//!
//! A [`Starter`] takes a [`StartRequest`] and gives a [`StartReport`]. In between, in this order: it is found out which tasks are meant, the filter says
//! which of them may be started, the pairs that came along are stored, and each task is started once, however often it was named.
//!
//! What is found out is asked again while the repository can't be reached. A start is told again only where the repository surely did not get it, and
//! never once it may have: a reload that runs twice costs more than one that has to be asked for again. Where the answer got lost, the report says so.

mod error;
mod filter;
mod find;
mod list;
mod report;
mod repository;
mod request;
mod starter;
#[cfg(all(test, feature = "testkit"))]
mod tests;

pub use error::StartError;
pub use filter::StartFilter;
pub use list::ListedTask;
pub use report::{Selection, StartOutcome, StartReport, TaskReport};
pub(crate) use request::task_id;
pub use request::{Pair, PropertyValue, Selector, StartRequest};
pub use starter::{Standings, StartSettings, Starter};
