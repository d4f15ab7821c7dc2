//! One event of the audit log, as a reader sees it. The line's shape is `evaluator::event`'s; a
//! later version may add members, so only what is shown here is looked at.

use crate::bytes;
use serde_json::{Map, Value};

/// How many characters of an event's id are shown and asked for, as in the line that the agent
/// got.
const SHORT_ID: usize = 4;

/// An event that was read.
#[derive(Clone)]
pub struct Event {
    members: Map<String, Value>,
}

impl Event {
    /// The event on `line`, or `None` if it is torn or something else.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_slice(line) else {
            return None;
        };
        let event = Self { members };
        let is_event = !event.id().is_empty() && !event.text("outcome").is_empty();
        is_event.then_some(event)
    }

    /// The whole id, a ULID.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// Sorts by time. Ids of the same millisecond are in no order, so the time comes first.
    pub fn moment(&self) -> (String, String) {
        (self.text("time").to_owned(), self.id().to_owned())
    }

    /// Whether `wanted` is this event's id, or the end of it (at least the four characters that
    /// a denial shows), in any case.
    pub fn has_id(&self, wanted: &str) -> bool {
        let id = self.id().to_ascii_uppercase();
        wanted.len() >= SHORT_ID && id.ends_with(&wanted.to_ascii_uppercase())
    }

    /// Whether it has a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Whether something was stopped, or would have been in another mode.
    pub fn is_denial(&self) -> bool {
        matches!(self.text("outcome"), "denied" | "not-enforced")
    }

    /// Whether a person should see it: it was stopped, would have been, somebody was asked, or
    /// something is not guarded as it should be.
    pub fn is_notable(&self) -> bool {
        self.is_denial() || matches!(self.text("action"), "ask" | "webhook") || self.is_alarm()
    }

    /// Whether the service says it of itself ([`super::liveness`]).
    pub fn is_of_service(&self) -> bool {
        self.text("hook") == super::liveness::HOOK
    }

    /// Whether the service says that something is not guarded as it should be.
    pub fn is_alarm(&self) -> bool {
        self.is_of_service() && matches!(self.text("outcome"), "policy-lost" | "unguarded")
    }

    /// Whether the service says that it is there still.
    pub fn is_heartbeat(&self) -> bool {
        self.is_of_service() && self.text("outcome") == "alive"
    }

    /// A member, whatever it is.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// A member that is text; empty if it is missing or something else.
    pub fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member as it can be shown, whatever its type; empty if it is missing.
    fn shown(&self, name: &str) -> String {
        self.members.get(name).map(shown).unwrap_or_default()
    }

    /// `2026-11-23 07:59:59Z`
    fn time(&self) -> String {
        let time = self.shown("time").replacen('T', " ", 1);
        match time.split_once('.') {
            Some((seconds, _)) => format!("{seconds}Z"),
            None => time,
        }
    }

    fn short_id(&self) -> String {
        let id = bytes::visible(self.id().as_bytes());
        let skipped = id.chars().count().saturating_sub(SHORT_ID);
        id.chars().skip(skipped).collect()
    }

    /// `policy/rule`, or why there is none.
    pub fn rule(&self) -> String {
        match (self.shown("policy"), self.shown("rule")) {
            (policy, rule) if policy.is_empty() && rule.is_empty() => self.shown("reason"),
            (policy, rule) if rule.is_empty() => policy,
            (policy, rule) => format!("{policy}/{rule}"),
        }
    }

    /// What was to be run, or the tool and what it would touch.
    pub fn call(&self) -> String {
        if let Some(Value::Array(argv)) = self.members.get("argv") {
            let words: Vec<Vec<u8>> = argv.iter().map(raw).collect();
            let mut line = bytes::command_line(words.iter().map(Vec::as_slice));
            if self.members.contains_key("argv_len") {
                line.push_str(" …");
            }
            return if line.is_empty() { self.shown("exe") } else { line };
        }
        if self.members.contains_key("command") {
            return self.shown("command");
        }
        if self.text("outcome") == "ended" {
            return format!("exit status {}", self.shown("exit_status"));
        }
        if self.is_of_service() {
            return self.shown("message");
        }
        let parts = ["tool", "path", "url"].map(|name| self.shown(name));
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    /// The event as one line.
    pub fn line(&self) -> String {
        format!(
            "{}  {:<12}  {}  {:<28}  {:>7}  {}",
            self.time(),
            self.shown("outcome"),
            self.short_id(),
            self.rule(),
            self.shown("pid"),
            self.call()
        )
    }

    /// The event as one line of JSON.
    pub fn json(&self) -> String {
        Value::Object(self.members.clone()).to_string()
    }

    /// Everything that the event holds, one member a line, for somebody who asks about this one.
    pub fn details(&self) -> String {
        let mut lines = vec![
            format!("{}  {}  {}", self.time(), self.shown("outcome"), self.shown("id")),
            format!("  {:<12} {}", "command", self.call()),
            format!("  {:<12} {} by {}", "verdict", self.shown("action"), self.rule()),
        ];
        let told = ["v", "id", "time", "outcome", "argv", "command", "action", "policy", "rule"];
        for (name, value) in &self.members {
            let is_empty = value.as_array().is_some_and(Vec::is_empty);
            if !told.contains(&name.as_str()) && !is_empty {
                lines.push(format!("  {:<12} {}", bytes::visible(name.as_bytes()), shown(value)));
            }
        }
        lines.join("\n")
    }
}

/// The bytes of a string in an event; of one that was too long, its head.
fn raw(value: &Value) -> Vec<u8> {
    match (bytes::from_json(value), value.get("head").and_then(Value::as_str)) {
        (Some(text), _) => text,
        (None, Some(head)) => format!("{head}…").into_bytes(),
        (None, None) => value.to_string().into_bytes(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            items.join(" → ")
        }
        _ => bytes::visible(&raw(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = concat!(
        r#"{"v":1,"id":"01JDBF7Z0000000000000A7F3K","time":"2026-11-23T07:59:59.123456Z","pid":4711,"#,
        r#""outcome":"denied","action":"deny","reason":"rule","policy":"destructive","rule":"root","#,
        r#""provenance":["sudo","shell"],"matched":[],"exe":"/bin/rm","argv":["rm","a b",{"b64":"/w=="}]}"#
    );

    fn event(line: &str) -> Event {
        Event::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn lines_for_people() {
        let cases = [
            (
                DENIED.to_owned(),
                "2026-11-23 07:59:59Z  denied        7F3K  destructive/root                 4711  rm 'a b' \\xff",
            ),
            (
                r#"{"id":"1","outcome":"allowed","reason":"default","command":"ls\u001b[2J"}"#.to_owned(),
                "  allowed       1  default                                ls\\x1b[2J",
            ),
            (
                r#"{"id":"1","outcome":"denied","policy":"p","tool":"read","path":"/x"}"#.to_owned(),
                "  denied        1  p                                      read /x",
            ),
            (
                r#"{"id":"1","outcome":"denied","policy":"p","argv":["a",{"len":9,"head":"b"}],"argv_len":9}"#.to_owned(),
                "  denied        1  p                                      a b… …",
            ),
        ];
        for (line, shown) in cases {
            assert_eq!(event(&line).line(), shown);
        }
    }

    #[test]
    fn details_tell_the_rest() {
        let details = event(DENIED).details();
        for part in
            ["01JDBF7Z0000000000000A7F3K", "sudo → shell", "/bin/rm", "deny by destructive/root"]
        {
            assert!(details.contains(part), "{part} in {details}");
        }
        assert!(!details.contains("matched"), "{details}");
    }

    #[test]
    fn what_is_no_event() {
        let lines = [
            "",
            "{",
            r#"{"v":1"#,
            "[]",
            "null",
            "{}",
            r#"{"id":"1"}"#,
            r#"{"id":1,"outcome":"x"}"#,
            "\u{fffd}",
        ];
        for line in lines {
            assert!(Event::parse(line.as_bytes()).is_none(), "{line}");
        }
        assert!(Event::parse(b"\xff").is_none());
    }

    #[test]
    fn ids_are_found_by_their_end() {
        let cases = [("7F3K", true), ("7f3k", true), ("F3K", false), ("", false), ("7F3X", false)];
        for (wanted, found) in cases {
            assert_eq!(event(DENIED).has_id(wanted), found, "{wanted}");
        }
        assert!(event(DENIED).has_id("01JDBF7Z0000000000000A7F3K"));
    }
}
