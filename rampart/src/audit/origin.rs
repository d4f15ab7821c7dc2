//! Where an event comes from: the machine's name and the id of its boot. A process that records has no
//! time to look these up, so whoever puts its event into the log adds them.

use super::event::Event;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, SystemTime};

/// How much earlier than the boot an event's time may be: clocks are set a little all the time.
const SLACK: Duration = Duration::from_secs(2);

/// This machine as it runs now.
pub struct Origin {
    host: String,
    boot: String,
    /// When it was started, as events have times.
    started: String,
}

impl Origin {
    /// What the kernel says.
    pub fn here() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let up = clock_gettime(ClockId::Boottime);
        let up = Duration::new(up.tv_sec.unsigned_abs(), 0);
        let started = SystemTime::now().checked_sub(up + SLACK);
        Self {
            host: super::host(),
            boot: boot.trim().to_owned(),
            started: super::moment(started.unwrap_or(SystemTime::UNIX_EPOCH)),
        }
    }

    /// `line`, which is `event`, with the members `host` and `boot` at its end. Without `boot` if the
    /// event is of an earlier one, as a spool may be that nobody has merged since: its time is before
    /// the start, or it stands later on the clock of a boot than that clock now does.
    pub fn added(&self, line: &[u8], event: &Event) -> Vec<u8> {
        let mut line = line.trim_ascii().to_owned();
        let Some(b'}') = line.pop() else {
            line.push(b'}');
            return line;
        };
        let mut add = |name: &str, value: &str| {
            line.extend_from_slice(format!(",\"{name}\":{}", json!(value)).as_bytes());
        };
        add("host", &self.host);
        if self.is_of_this_boot(event) {
            add("boot", &self.boot);
        }
        line.push(b'}');
        line
    }

    fn is_of_this_boot(&self, event: &Event) -> bool {
        let now = clock_gettime(ClockId::Monotonic);
        let now = Duration::new(now.tv_sec.unsigned_abs(), 0) + Duration::from_secs(1);
        let mono = event.member("mono_us").and_then(Value::as_u64).map(Duration::from_micros);
        event.text("time") >= self.started.as_str() && mono.is_none_or(|mono| mono <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_is_told_of_what_happened_in_it() {
        let origin = Origin::here();
        let added = |time: &str, rest: &str| {
            let line = format!("{{\"id\":\"A\",\"outcome\":\"x\",\"time\":\"{time}\"{rest}}}");
            let event = Event::parse(line.as_bytes()).unwrap();
            Event::parse(&origin.added(line.as_bytes(), &event)).unwrap()
        };
        let now = crate::audit::now();
        for (event, is_known) in [
            (added(&now, ",\"mono_us\":1"), true),
            (added(&now, ""), true),
            (added(&now, ",\"mono_us\":18446744073709551615"), false),
            (added("1999-01-01T00:00:00.000000Z", ",\"mono_us\":1"), false),
        ] {
            assert_eq!(event.text("host"), origin.host);
            assert_eq!(event.text("boot") == origin.boot, is_known, "{}", event.text("time"));
        }
    }
}
