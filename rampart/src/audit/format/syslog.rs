//! Messages of RFC 5424, and how they are told apart on a stream (RFC 6587 §3.4.1, octet counting,
//! which RFC 5425 §4.3 demands for TLS).

use super::Severity;
use crate::audit::event::Event;

/// Facility `local0` (RFC 5424 table 1).
const FACILITY: u8 = 16;

/// One message with `body` for `event`, from `host`.
pub fn message(event: &Event, host: &str, body: &str) -> Vec<u8> {
    let priority = FACILITY * 8 + Severity::of(event) as u8;
    let time = match event.text("time") {
        "" => "-",
        time => time,
    };
    let pid = event.member("pid").map_or_else(|| "-".to_owned(), ToString::to_string);
    let name = match event.text("outcome") {
        "" => "-",
        outcome => outcome,
    };
    let head =
        [name_of(host, 255), "rampart".into(), name_of(&pid, 128), name_of(name, 32)].join(" ");
    // Structured data: what a receiver filters by, without looking into the body.
    let rule = event.rule();
    let pairs = [
        ("id", event.id()),
        ("action", event.text("action")),
        ("outcome", event.text("outcome")),
        ("rule", rule.as_str()),
        ("agent", event.text("agent")),
        ("session", event.text("session")),
    ];
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    let data: String =
        pairs.map(|(name, value)| format!(" {name}=\"{}\"", parameter(value))).collect();
    format!("<{priority}>1 {time} {head} [rampart@32473{data}] {body}").into_bytes()
}

/// A name of the header: printable ASCII without spaces, at most `longest` bytes, `-` for none.
fn name_of(text: &str, longest: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// A value of structured data (RFC 5424 §6.3.3).
fn parameter(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// `message` with its length in front, for a stream.
pub fn counted(message: &[u8]) -> Vec<u8> {
    [format!("{} ", message.len()).as_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message() {
        let event = concat!(
            r#"{"id":"01J","time":"2026-11-23T07:59:59.123456Z","pid":7,"outcome":"denied","action":"deny","#,
            r#""policy":"a]","rule":"b\"c"}"#
        );
        let event = Event::parse(event.as_bytes()).unwrap();
        let message = message(&event, "my host", "body");
        assert_eq!(
            String::from_utf8_lossy(&message),
            "<132>1 2026-11-23T07:59:59.123456Z myhost rampart 7 denied [rampart@32473 id=\"01J\" \
             action=\"deny\" outcome=\"denied\" rule=\"a\\]/b\\\"c\"] body"
        );
        assert_eq!(counted(b"abc"), b"3 abc");
    }
}
