//! Common Event Format, version 0 ("Implementing ArcSight Common Event Format", revision 25):
//! `CEF:0|vendor|product|version|class|name|severity|key=value …`, with the keys of its dictionary.

use super::{Severity, nanoseconds};
use crate::audit::event::Event;
use std::fmt::Write as _;

/// Longest value, in bytes: the dictionary's limit for `msg` and for custom strings.
const LONG: usize = 1023;

/// The event as one line, without a newline.
pub fn line(event: &Event) -> String {
    let severity = match Severity::of(event) {
        Severity::Warning => 8,
        Severity::Notice => 5,
        Severity::Info => 2,
    };
    let (outcome, rule) = (event.text("outcome"), event.rule());
    let name = match outcome {
        "denied" => "Command denied",
        "not-enforced" => "Command would be denied",
        "ended" => "Command ended",
        "started" => "Rampart started",
        "alive" => "Rampart is alive",
        "policy-lost" => "Policy does not compile",
        "policy-changed" => "Policy changed",
        "unguarded" => "Agent runs unguarded",
        "stopped" => "Rampart stopped",
        "unconfirmed" => "Command started, not confirmed",
        _ => "Command allowed",
    };
    let head = ["Rampart", "Rampart", env!("CARGO_PKG_VERSION"), rule.as_str(), name];
    let head = head.map(header).join("|");
    let mut line = format!("CEF:0|{head}|{severity}|");
    let milliseconds = (nanoseconds(event) / 1_000_000).to_string();
    let number = |name: &str| event.member(name).map(ToString::to_string).unwrap_or_default();
    let (pid, uid) = (number("pid"), number("uid"));
    let call = event.call();
    let keys = [
        ("rt", milliseconds.as_str()),
        ("externalId", event.id()),
        ("act", event.text("action")),
        ("outcome", outcome),
        ("reason", event.text("reason")),
        ("msg", event.text("message")),
        ("suid", uid.as_str()),
        ("spid", pid.as_str()),
        ("sproc", call.as_str()),
        ("filePath", event.text("exe")),
        ("request", event.text("url")),
        ("cs1Label", "rule"),
        ("cs1", rule.as_str()),
        ("cs2Label", "agent"),
        ("cs2", event.text("agent")),
        ("cs3Label", "session"),
        ("cs3", event.text("session")),
        ("cs4Label", "tree"),
        ("cs4", event.text("tree")),
        ("cs5Label", "directory"),
        ("cs5", event.text("cwd")),
    ];
    let is_labelled = |at: usize| {
        // A label without its value says nothing.
        keys.get(at).is_some_and(|(key, _)| !key.ends_with("Label"))
            || keys.get(at + 1).is_some_and(|(_, value)| !value.is_empty())
    };
    let mut separator = "";
    for (at, (key, value)) in keys.iter().enumerate() {
        if !value.is_empty() && is_labelled(at) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{separator}{key}={}", extension(value));
            separator = " ";
        }
    }
    line
}

/// A field of the header: `|` and `\` are escaped, and it stays one line.
fn header(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace('\\', "\\\\").replace('|', "\\|")
}

/// A value of the extension: `\`, `=` and line ends are escaped.
fn extension(text: &str) -> String {
    let end = (0..=LONG.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let text = text.get(..end).unwrap_or_default();
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_as_cef() {
        let event = concat!(
            r#"{"v":1,"id":"01J","time":"1970-01-01T00:00:01.5Z","pid":7,"uid":0,"outcome":"denied","action":"deny","#,
            r#""reason":"rule","policy":"a|b","rule":"c\\d","message":"x=1\ny","exe":"/bin/sh","argv":["sh","-c","a=b|c\\d"],"agent":"x"}"#
        );
        let event = Event::parse(event.as_bytes()).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            line(&event),
            format!(
                "CEF:0|Rampart|Rampart|{version}|a\\|b/c\\\\d|Command denied|8|rt=1500 externalId=01J act=deny \
                 outcome=denied reason=rule msg=x\\=1\\ny suid=0 spid=7 sproc=sh -c 'a\\=b|c\\\\d' filePath=/bin/sh \
                 cs1Label=rule cs1=a|b/c\\\\d cs2Label=agent cs2=x"
            )
        );
        let long = format!(r#"{{"id":"1","outcome":"allowed","message":"{}"}}"#, "é".repeat(2000));
        let line = line(&Event::parse(long.as_bytes()).unwrap());
        assert!(line.len() < 1300 && line.contains("msg=é"), "{}", line.len());
    }
}
