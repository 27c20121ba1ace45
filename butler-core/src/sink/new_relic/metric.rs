//! Measurements of Butler itself, for the metric API.

use serde_json::{Map, Value, json};

use super::payload::Shape;
use crate::event::{Body, Event, Kind};
use crate::monitor::uptime;
use crate::sink::{Rendering, words};

/// Whether an event is a measurement.
pub(super) fn is_one(event: &Event) -> bool {
    matches!(&event.kind, Kind::Other(name) if &**name == uptime::KIND)
}

/// The body for the metric API. A value that nobody knows is left out.
pub(super) fn body(shape: &Shape, rendering: &Rendering<'_>, fault: Option<&str>) -> String {
    let field = |name: &str| match &rendering.event.body {
        Body::Notice(notice) => notice.fields.get(name).and_then(|value| value.parse::<u64>().ok()),
        _ => None,
    };
    let memory = field("process_memory");
    let values = [
        ("qs_butlerHeapUsed", memory),
        ("qs_butlerHeapTotal", memory),
        ("qs_butlerExternalMem", memory.map(|_| 0)),
        ("qs_butlerProcessMem", memory),
        ("qs_butlerUptimeMillisec", field("uptime_ms")),
    ];
    let metrics: Vec<Value> =
        values.into_iter().filter_map(|(name, value)| Some(json!({ "name": name, "type": "gauge", "value": value? }))).collect();
    let mut attributes = Map::from_iter([("metricType".to_owned(), Value::from("butler-uptime"))]);
    attributes.extend(shape.fixed.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
    attributes.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    if let Some(fault) = fault {
        attributes.insert("butler_fault".to_owned(), words::one_line(fault).into());
    }
    let mut common = Map::from_iter([("timestamp".to_owned(), Value::from(rendering.event.at.as_millisecond()))]);
    common.extend(field("interval_ms").map(|interval| ("interval.ms".to_owned(), interval.into())));
    common.insert("attributes".to_owned(), attributes.into());
    json!([{ "common": common, "metrics": metrics }]).to_string()
}
