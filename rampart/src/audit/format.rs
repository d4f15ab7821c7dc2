//! Events in the forms that other systems read: CEF, RFC 5424 syslog and OpenTelemetry logs. Each
//! takes one event of the log and keeps its whole line where the form has room for it.

pub mod cef;
pub mod hook;
pub mod otlp;
pub mod syslog;

use super::event::Event;

/// How bad an event is, on the scale of syslog (RFC 5424 table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something was stopped.
    Warning = 4,
    /// Somebody was asked, or a rule wanted it seen.
    Notice = 5,
    /// It went ahead.
    Info = 6,
}

impl Severity {
    /// That of `event`.
    pub fn of(event: &Event) -> Self {
        match event.text("action") {
            _ if event.is_denial() || event.is_alarm() => Self::Warning,
            _ if event.is_of_service() && !event.is_heartbeat() => Self::Notice,
            "ask" | "webhook" | "watch" => Self::Notice,
            _ => Self::Info,
        }
    }
}

/// Nanoseconds since the Unix epoch of an event's time (RFC 3339, UTC); 0 if it has none.
pub fn nanoseconds(event: &Event) -> u64 {
    let time = event.text("time");
    let (whole, fraction) = match time.split_once('.') {
        Some((whole, rest)) => (format!("{whole}Z"), rest.trim_end_matches('Z')),
        None => (time.to_owned(), ""),
    };
    let seconds = policy_schema::time::timestamp(&whole).unwrap_or(0);
    let fraction: u64 =
        format!("{fraction:0<9}").get(..9).and_then(|nano| nano.parse().ok()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_severities() {
        let cases = [
            (
                r#"{"id":"1","outcome":"denied","action":"deny","time":"1970-01-01T00:00:01.000002Z"}"#,
                1_000_002_000,
                Severity::Warning,
            ),
            (
                r#"{"id":"1","outcome":"not-enforced","action":"ask","time":"1970-01-02T00:00:00Z"}"#,
                86_400_000_000_000,
                Severity::Warning,
            ),
            (r#"{"id":"1","outcome":"allowed","action":"ask","time":"x"}"#, 0, Severity::Notice),
            (r#"{"id":"1","outcome":"allowed","action":"allow"}"#, 0, Severity::Info),
            (r#"{"id":"1","outcome":"policy-lost","hook":"service"}"#, 0, Severity::Warning),
            (r#"{"id":"1","outcome":"stopped","hook":"service"}"#, 0, Severity::Notice),
            (r#"{"id":"1","outcome":"alive","hook":"service"}"#, 0, Severity::Info),
        ];
        for (line, time, severity) in cases {
            let event = Event::parse(line.as_bytes()).unwrap();
            assert_eq!((nanoseconds(&event), Severity::of(&event)), (time, severity), "{line}");
        }
    }
}
