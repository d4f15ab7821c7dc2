//! OpenTelemetry logs: `ExportLogsServiceRequest` of OTLP 1.x in its JSON encoding (protobuf's JSON
//! mapping: 64-bit numbers as strings, field names in camel case).

use super::{Severity, nanoseconds};
use crate::audit::event::Event;
use serde_json::{Value, json};

/// Where a receiver is to be sent requests, below its base address (OTLP/HTTP).
pub const PATH: &str = "/v1/logs";

/// One request with a record for each of the events, from `host`.
pub fn request(events: &[Event], host: &str) -> Value {
    let records: Vec<Value> = events.iter().map(record).collect();
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            attribute("service.name", "rampart".into()),
            attribute("service.version", env!("CARGO_PKG_VERSION").into()),
            attribute("host.name", host.into()),
        ]},
        "scopeLogs": [{"scope": {"name": "rampart.audit"}, "logRecords": records}],
    }]})
}

fn record(event: &Event) -> Value {
    // Severity numbers of the log data model: INFO 9, INFO2 10, WARN 13.
    let (number, text) = match Severity::of(event) {
        Severity::Warning => (13, "WARN"),
        Severity::Notice => (10, "INFO2"),
        Severity::Info => (9, "INFO"),
    };
    // Names of the semantic conventions where there is one.
    let named = [
        ("log.record.uid", "id"),
        ("process.pid", "pid"),
        ("process.parent_pid", "ppid"),
        ("process.user.id", "uid"),
        ("process.executable.path", "exe"),
        ("process.command_args", "argv"),
        ("process.working_directory", "cwd"),
        ("url.full", "url"),
        ("file.path", "path"),
        ("session.id", "session"),
        ("rampart.agent", "agent"),
        ("rampart.tree", "tree"),
        ("rampart.tool", "tool"),
        ("rampart.hook", "hook"),
        ("rampart.action", "action"),
        ("rampart.outcome", "outcome"),
        ("rampart.reason", "reason"),
        ("rampart.message", "message"),
    ];
    let mut attributes: Vec<Value> = named
        .iter()
        .filter_map(|(key, name)| Some(attribute(key, event.member(name)?.clone())))
        .collect();
    attributes.push(attribute("rampart.rule", event.rule().into()));
    let time = nanoseconds(event).to_string();
    json!({
        "timeUnixNano": time,
        "observedTimeUnixNano": time,
        "severityNumber": number,
        "severityText": text,
        "eventName": "rampart.verdict",
        "body": {"stringValue": event.call()},
        "attributes": attributes,
    })
}

fn attribute(key: &str, value: Value) -> Value {
    json!({"key": key, "value": any(value)})
}

/// A JSON value as an `AnyValue`.
fn any(value: Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            json!({"intValue": number.to_string()})
        }
        Value::Number(number) => json!({"doubleValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(items) => {
            json!({"arrayValue": {"values": items.into_iter().map(any).collect::<Vec<_>>()}})
        }
        Value::Object(members) => {
            let values: Vec<Value> =
                members.into_iter().map(|(key, value)| attribute(&key, value)).collect();
            json!({"kvlistValue": {"values": values}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request() {
        let line = r#"{"id":"01J","time":"1970-01-01T00:00:01Z","pid":7,"outcome":"denied","action":"deny","rule":"r","argv":["a",{"b64":"/w=="}]}"#;
        let request = request(&[Event::parse(line.as_bytes()).unwrap()], "h");
        let record = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        assert_eq!(record["timeUnixNano"], "1000000000");
        assert_eq!(record["severityNumber"], 13);
        let attribute = |name: &str| {
            let all = record["attributes"].as_array().unwrap();
            all.iter().find(|one| one["key"] == name).map(|one| one["value"].clone())
        };
        assert_eq!(attribute("process.pid").unwrap(), json!({"intValue": "7"}));
        assert_eq!(
            attribute("process.command_args").unwrap(),
            json!({"arrayValue": {"values": [{"stringValue": "a"},
                {"kvlistValue": {"values": [{"key": "b64", "value": {"stringValue": "/w=="}}]}}]}})
        );
        assert_eq!(attribute("process.executable.path"), None);
    }
}
