//! Telling a person of questions that cannot be put on the terminal now, because a full-screen program has
//! it or there is none: by OSC 9, which terminals show as a notification and nothing draws, and by the
//! desktop's `notify-send`. Neither takes an answer; that is `rampart approve`.

use super::environment::Environment;
use super::prompt::Prompt;
use crate::serve::approval::Approval;
use crate::serve::approvals::Approvals;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long nothing is told after something was: many questions are one notification.
const PAUSE: Duration = Duration::from_secs(2);

/// Longest command in a notification, in characters.
const WIDTH: usize = 120;

/// Where the desktop's program is looked for: not along `PATH`, where the tree may have put another.
const USUAL: [&str; 2] = ["/usr/bin/notify-send", "/usr/local/bin/notify-send"];

/// Who was told of what.
pub struct Notices {
    told: BTreeSet<String>,
    last: Option<Instant>,
    program: Option<PathBuf>,
    is_off: bool,
}

impl Notices {
    /// As `RAMPART_NOTIFY` says: `off`, or the absolute path of a program in place of `notify-send`, which
    /// otherwise is used where there is a desktop.
    pub fn of(environment: &Environment) -> Self {
        let given = environment.value("RAMPART_NOTIFY").map(PathBuf::from);
        let is_off = given.as_ref().is_some_and(|word| word.as_os_str() == "off");
        let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| environment.value(name).is_some_and(|value| !value.is_empty()));
        let usual = || USUAL.iter().map(PathBuf::from).find(|path| has_desktop && path.is_file());
        let program = given.filter(|path| path.is_absolute()).or_else(usual);
        Self { told: BTreeSet::new(), last: None, program, is_off }
    }

    /// Tells of what waits and was not told of, unless `prompt` can ask by itself.
    pub fn tell(&mut self, approvals: &Approvals, prompt: Option<&Prompt>) {
        let is_quiet = self.last.is_some_and(|last| last.elapsed() < PAUSE);
        if self.is_off || is_quiet || approvals.count_pending() == 0 {
            return;
        }
        if prompt.is_some_and(Prompt::is_free) {
            return;
        }
        let waits = |approval: &&Approval| !approval.waiting.is_empty();
        let new: Vec<&Approval> = approvals
            .pending()
            .filter(waits)
            .filter(|approval| !self.told.contains(&approval.id))
            .collect();
        let Some(first) = new.first() else {
            return;
        };
        let text = text(first, new.len());
        if let Some(prompt) = prompt {
            prompt.ring(&text);
        }
        self.on_the_desktop(&text);
        self.told = approvals.pending().map(|approval| approval.id.clone()).collect();
        self.last = Some(Instant::now());
    }

    fn on_the_desktop(&self, text: &str) {
        let Some(program) = &self.program else {
            return;
        };
        // The text may be read as markup.
        let body = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mut command = Command::new(program);
        command.args(["--app-name=rampart", "A command needs your approval", &body]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Whoever hosts a tree reaps every child, this one, too. Without the program there is the rest.
        let _ = command.spawn();
    }
}

/// What is told: everything in it is escaped already.
fn text(approval: &Approval, count: usize) -> String {
    let id = &approval.id;
    let end = id.get(id.len().saturating_sub(6)..).unwrap_or(id);
    let command: String = approval.about.command.chars().take(WIDTH).collect();
    let more = if count > 1 {
        format!(" (and {} more: rampart pending)", count - 1)
    } else {
        String::new()
    };
    format!("rampart approve {end}, or deny: {command}{more}")
}
