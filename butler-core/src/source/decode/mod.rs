//! From the bytes of a log datagram to an event, and back.
//!
//! Qlik Sense writes one datagram for each log line that matters: fields joined by `;`, the first of which names the message. The format has no
//! escaping, so a `;` within a name or a message makes more fields than there should be. The ids tell where the fields are nonetheless; see [`decode`]. What comes
//! out is typed and clean: no control characters, no `(null)`, ids that are ids.
//!
//! All of this is pure code that never panics, whatever bytes it is given. What it can't take it refuses with a
//! [`RejectReason`](super::RejectReason), so that nothing is dropped without being counted.
//!
//! ```
//! use butler_core::source::decode::{Message, decode, encode};
//!
//! let line = "/scheduler-task-failed/;node-1;Reload sales;Sales;LAB\\goran;dec2a02a-1680-44ef-8dc2-e2bfb180af87;;\
//!             2024-05-13 06:02:11,123;INFO;14a81bf5-f81c-4047-b1a1-193b0920de28;Max retries reached";
//! let message = decode(line.as_bytes())?;
//! let Message::Scheduler(scheduler) = &message else { panic!("the engine said nothing") };
//! assert_eq!(scheduler.task.task_name, "Reload sales");
//! assert_eq!(encode(&message), line.as_bytes());
//! # Ok::<(), butler_core::source::decode::DecodeError>(())
//! ```

mod encode;
mod fields;
#[cfg(test)]
mod golden;
mod message;
mod parse;
#[cfg(test)]
mod round_trips;
mod to_event;

pub use encode::{Absent, encode, encode_engine, encode_scheduler};
pub use message::{DecodeError, ENGINE_RELOAD_FAILED, Message, SchedulerMessage, SchedulerPrefix};
pub use parse::decode;
pub use to_event::to_event;
