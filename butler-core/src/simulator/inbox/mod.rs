//! In-process receivers for what Butler sends: a server for webhooks and Slack, one for mail, and an MQTT broker.
//!
//! All listen on a free port of the loopback, keep what they get, and can be told to answer as remotes do on bad days. Tests wait for what they
//! expect with `wait_for`, which returns as soon as it is there.

mod certificates;
mod gate;
mod http;
mod mime;
mod mqtt;
mod smtp;

pub use certificates::Certificates;
pub use gate::Gate;
pub use http::{Answer, HttpInbox, ReceivedRequest};
pub use mqtt::{MqttAnswer, MqttClient, MqttInbox, MqttOptions, Published};
pub use smtp::{Mail, SmtpInbox, SmtpOptions, SmtpTls};
