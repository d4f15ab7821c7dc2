//! Asking on the terminal, where it is free: nobody has switched it to another mode, and we are in
//! its foreground. Never over a full-screen program, and never in the middle of somebody's editing:
//! what cannot be asked here waits on `rampart pending`.

use crate::serve::approval::{Approval, Scope};
use crate::serve::approvals::Approvals;
use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, QueueSelector, tcflush, tcgetattr, tcgetpgrp};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The controlling terminal.
pub struct Prompt {
    terminal: OwnedFd,
    /// The approval that was asked for last, if nobody has answered yet.
    asked: Option<String>,
    line: Vec<u8>,
}

impl Prompt {
    /// The controlling terminal, if there is one.
    pub fn open() -> Option<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let terminal = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
        Some(Self { terminal, asked: None, line: Vec::new() })
    }

    /// Whether a person who sits there would see a question, and their answer come to us.
    pub fn is_free(&self) -> bool {
        let plain = LocalModes::ICANON | LocalModes::ECHO;
        let is_plain =
            tcgetattr(&self.terminal).is_ok_and(|state| state.local_modes.contains(plain));
        let foreground = tcgetpgrp(&self.terminal).ok();
        is_plain && foreground.is_some() && foreground == Some(rustix::process::getpgrp())
    }

    /// Puts the oldest question that waits, unless one has been put. One that was answered
    /// elsewhere is taken back.
    pub fn show(&mut self, approvals: &Approvals) {
        let waits = |id: &String| approvals.pending().any(|approval| approval.id == *id);
        if let Some(asked) = &self.asked {
            if waits(asked) {
                return;
            }
            self.say("\r\nrampart: answered elsewhere, or too late\r\n");
            self.asked = None;
        }
        let Some(approval) = approvals.pending().find(|approval| !approval.waiting.is_empty())
        else {
            return;
        };
        if !self.is_free() {
            return;
        }
        // What was typed before the question is no answer to it.
        let _ = tcflush(&self.terminal, QueueSelector::IFlush);
        self.line.clear();
        self.say(&question(approval));
        self.asked = Some(approval.id.clone());
    }

    /// Whether a question was put and not answered yet.
    pub const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// The answer, if a whole line has come and a question was put: which approval, and how far a
    /// yes goes. Where nothing was asked, what is typed is left to the command.
    pub fn answer(&mut self) -> Option<(String, Option<Scope>)> {
        self.asked.as_ref()?;
        let mut bytes = [0; 256];
        let count = rustix::io::read(&self.terminal, &mut bytes).ok()?;
        self.line.extend_from_slice(bytes.get(..count)?);
        if count > 0 && !self.line.contains(&b'\n') {
            return None;
        }
        let line = std::mem::take(&mut self.line).to_ascii_lowercase();
        let id = self.asked.take()?;
        let yes = matches!(line.trim_ascii(), b"y" | b"yes");
        Some((id, yes.then_some(Scope::Once)))
    }

    /// Has the terminal show `text`, which holds no control character, as a notification (OSC 9), which draws
    /// nothing. Terminals that know none pass over it.
    pub fn ring(&self, text: &str) {
        // Whoever is not in the foreground would be stopped for it.
        let stops =
            |state: rustix::termios::Termios| state.local_modes.contains(LocalModes::TOSTOP);
        if !tcgetattr(&self.terminal).is_ok_and(stops) {
            self.say(&format!("\x1b]9;{text}\x07"));
        }
    }

    fn say(&self, text: &str) {
        // A terminal that takes nothing has nobody before it.
        let _ = rustix::io::write(&self.terminal, text.as_bytes());
    }
}

impl AsFd for Prompt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.terminal.as_fd()
    }
}

/// Everything in it is escaped already.
fn question(approval: &Approval) -> String {
    let about = &approval.about;
    let message =
        if about.message.is_empty() { String::new() } else { format!("\r\n  {}", about.message) };
    let effects: String = about.effects.iter().map(|line| format!("\r\n  it {line}")).collect();
    format!(
        "\r\nrampart: a command needs your approval [{}]\r\n  {}\r\n  in {}{message}{effects}\r\nLet it \
         run, once? [y/N] ",
        about.rule, about.command, about.cwd
    )
}
