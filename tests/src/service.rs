//! A service that `webhook` rules ask, on this machine (`service.py`).

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{Guard, find};

/// The service; it ends with this value. How it answers is in the path that it is asked by.
pub struct Service {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Service {
    /// The key of its signatures.
    pub const KEY: &str = "0123456789abcdef0123456789abcdef";

    /// Starts it, with TLS if there is a `certificate` (a file with a key).
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(guard: &Guard, certificate: &str) -> Self {
        let mut command = Command::new(find("python3").expect("python3"));
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/service.py"))
            .arg(guard.path("asked.jsonl"))
            .args([Self::KEY, certificate])
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Self { port: line.trim().parse().expect("a port"), child }
    }

    /// What the service of `guard` was asked.
    ///
    /// # Panics
    /// If that is no JSON.
    #[must_use]
    pub fn questions(guard: &Guard) -> Vec<Value> {
        let text = fs::read_to_string(guard.path("asked.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
