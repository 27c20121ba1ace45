//! Rates of the stages, one by one. Compare figures of one run with each other: another machine, or another load, has other ones.
//!
//! ```text
//! cargo bench -p butler-benches
//! cargo bench -p butler-benches -- append      only those whose names contain it
//! ```

mod append;
mod decode;
mod deliver;
mod render;
mod way;

use criterion::{criterion_group, criterion_main};

/// A sink of each type that sends something: its name here, its type and its options.
fn sinks(url: &str, smtp: u16, mqtt: u16) -> [(&'static str, &'static str, String); 9] {
    let email = format!("host = '127.0.0.1'\nport = {smtp}\ntls = 'none'\nfrom = 'butler@example.com'\nrecipients = ['ops@example.com']");
    let new_relic =
        |api: &str| format!("event_url = '{url}'\nlog_url = '{url}'\naccounts.A = {{ account_id = 1, api_key = 'k' }}\n{api} = {{}}");
    [
        ("webhook", "webhook", format!("url = '{url}'")),
        ("slack", "slack", format!("webhook_url = '{url}'")),
        ("teams", "teams", format!("webhook_url = '{url}'")),
        ("signl4", "signl4", format!("url = '{url}'")),
        ("new_relic, events", "new_relic", new_relic("event")),
        ("new_relic, logs", "new_relic", new_relic("log")),
        ("influxdb", "influxdb", format!("version = 2\nurl = '{url}'\norg = 'o'\nbucket = 'b'\ntoken = 't'")),
        ("email", "email", email),
        ("mqtt", "mqtt", format!("broker = {{ host = '127.0.0.1', port = {mqtt} }}")),
    ]
}

criterion_group!(stages, decode::bench, append::bench, render::bench, deliver::bench, way::bench);
criterion_main!(stages);
