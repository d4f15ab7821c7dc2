//! Messages for people: Slack's incoming webhooks, and any webhook by a template.

use crate::audit::event::Event;
use serde_json::{Value, json};

/// The longest command that a message shows, in characters.
const LONG: usize = 300;

/// Slack's payload for `event`: one text, in which nothing of the event is markup.
pub fn slack(event: &Event, host: &str) -> String {
    let what = match event.text("outcome") {
        "denied" => "denied",
        "not-enforced" => "would be denied",
        _ => "asked about",
    };
    let escaped = |text: &str| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
    };
    if event.is_of_service() {
        let what = match event.text("outcome") {
            "policy-lost" => "the policy does not compile",
            "policy-changed" => "another policy is in force",
            "unguarded" => "an agent runs unguarded",
            other => other,
        };
        let text =
            format!("Rampart on {}: {what}\n{}", escaped(host), escaped(event.text("message")));
        return json!({"text": text.trim_end()}).to_string();
    }
    let call: String = escaped(&event.call().chars().take(LONG).collect::<String>());
    let who = [event.text("agent"), event.text("session")].join(" ");
    let text = format!(
        "Rampart on {}: {what} by {}{}\n`{}`\n{}",
        escaped(host),
        escaped(&event.rule()),
        if who.trim().is_empty() { String::new() } else { format!(" ({})", escaped(who.trim())) },
        call,
        escaped(event.text("message")),
    );
    json!({"text": text.trim_end()}).to_string()
}

/// `template` with each `{{name}}` replaced by that member of the event, escaped as inside a JSON
/// string; `rule`, `command` and `host` are there, too. What is not there is empty.
pub fn filled(template: &str, event: &Event, host: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        let value = match name.trim() {
            "rule" => event.rule(),
            "command" => event.call(),
            "host" => host.to_owned(),
            name => match event.member(name) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            },
        };
        let quoted = Value::String(value).to_string();
        filled.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let line = r#"{"id":"01J","outcome":"denied","pid":7,"policy":"p","rule":"r","message":"use <this> & that","argv":["rm","`x`\"\n"],"agent":"a"}"#;
        let event = Event::parse(line.as_bytes()).unwrap();
        let slack: Value = serde_json::from_str(&slack(&event, "h")).unwrap();
        let expected =
            "Rampart on h: denied by p/r (a)\n`rm ''x'\"\\n'`\nuse &lt;this&gt; &amp; that";
        assert_eq!(slack["text"], expected);
        let lost =
            r#"{"id":"1","hook":"service","outcome":"policy-lost","message":"p.yaml:3: <x>"}"#;
        let lost = Event::parse(lost.as_bytes()).unwrap();
        let said: Value = serde_json::from_str(&super::slack(&lost, "h")).unwrap();
        assert_eq!(said["text"], "Rampart on h: the policy does not compile\np.yaml:3: &lt;x&gt;");
        let cases = [
            ("", ""),
            ("{{pid}} {{ id }} {{none}}.", "7 01J ."),
            (r#"{"c":"{{command}}","r":"{{rule}}"}"#, r#"{"c":"rm '`x`\"\\n'","r":"p/r"}"#),
            ("{{open", "{{open"),
        ];
        for (template, expected) in cases {
            assert_eq!(filled(template, &event, "h"), expected, "{template}");
        }
    }
}
