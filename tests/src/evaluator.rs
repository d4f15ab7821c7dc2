//! An evaluator daemon of a test's own, and a person who answers what it asks.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Guard, Ran, rampart, run};

/// Longest time that something is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// `rampart serve` for one guard: its socket lies below [`Guard::dir`], and it ends with this value.
pub struct Evaluator<'g> {
    guard: &'g Guard,
    daemon: Option<Child>,
}

impl<'g> Evaluator<'g> {
    /// Starts the daemon with the guard's own policy.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(guard: &'g Guard) -> Self {
        let mut evaluator = Self::without_daemon(guard);
        evaluator.restart();
        evaluator
    }

    /// The same surroundings, in which nobody listens.
    #[must_use]
    pub const fn without_daemon(guard: &'g Guard) -> Self {
        Self { guard, daemon: None }
    }

    /// Starts the daemon, again.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.start_again();
        let socket = self.socket();
        self.wait("the daemon to listen", || {
            let is_up = socket.exists() && self.say(&["status", "--json"]).stdout != "[]\n";
            is_up.then_some(())
        });
    }

    /// Starts the daemon, again, and does not wait for it.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn start_again(&mut self) {
        self.kill();
        let mut command = self.outside(rampart());
        command.arg("serve").arg("--policy").arg(self.guard.image());
        let errors =
            fs::File::options().create(true).append(true).open(self.guard.path("serve.log"));
        command.stdin(Stdio::null()).stderr(errors.expect("a log"));
        self.daemon = Some(command.spawn().expect("the daemon starts"));
    }

    /// Ends the daemon as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.guard.path("run/rampart/evaluator.sock")
    }

    /// `program` under the library, able to reach the daemon.
    #[must_use]
    pub fn inside(&self, program: impl AsRef<Path>) -> Command {
        self.guard.command(program)
    }

    /// `program` of a person, outside of any tree.
    #[must_use]
    pub fn outside(&self, program: impl AsRef<Path>) -> Command {
        self.guard.bare(program)
    }

    /// A person's `rampart` with these arguments.
    #[must_use]
    pub fn say(&self, arguments: &[&str]) -> Ran {
        run(self.outside(rampart()).args(arguments), "")
    }

    /// What is pending.
    ///
    /// # Panics
    /// If the list is no JSON array.
    #[must_use]
    pub fn pending(&self) -> Vec<Value> {
        let ran = self.say(&["pending", "--json"]);
        let list: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        list.as_array().expect("an array").clone()
    }

    /// Waits until `count` commands are pending, and gives them.
    ///
    /// # Panics
    /// If they do not come.
    #[must_use]
    pub fn wait_for(&self, count: usize) -> Vec<Value> {
        self.wait(&format!("{count} to be pending"), || {
            let pending = self.pending();
            (pending.len() == count).then_some(pending)
        })
    }

    /// Waits for `ready`.
    ///
    /// # Panics
    /// If the time is up.
    pub fn wait<R>(&self, what: &str, mut ready: impl FnMut() -> Option<R>) -> R {
        let started = Instant::now();
        loop {
            if let Some(done) = ready() {
                return done;
            }
            let log = || fs::read_to_string(self.guard.path("serve.log")).unwrap_or_default();
            assert!(started.elapsed() < LIMIT, "waited for {what}; the daemon said: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs `command` with `input` in a thread while `person` answers; gives what it did.
    ///
    /// # Panics
    /// If the command cannot be run.
    pub fn while_running(
        &self,
        (mut command, input): (Command, &str),
        person: impl FnOnce(),
    ) -> Ran {
        let input = input.to_owned();
        let running = thread::spawn(move || run(&mut command, &input));
        let answered = panic::catch_unwind(AssertUnwindSafe(person));
        if let Err(why) = answered {
            // What it said is the reason, most of the time, that nobody was asked.
            if running.is_finished() {
                eprintln!("the command had ended: {:?}", running.join());
            }
            panic::resume_unwind(why);
        }
        running.join().expect("it ran")
    }
}

impl Drop for Evaluator<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}
