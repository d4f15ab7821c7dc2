//! Why this exists: a rule that asks is worth nothing unless the question reaches a person, the
//! answer reaches the program, and no program can give itself the answer. Three real processes in
//! each test: an agent under the library, the evaluator, and a person who answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a case that cannot be set up fails the test, naming it"
)]

mod clients;
mod counted;
mod crowd;
mod demonstration;
mod digests;
mod failures;
mod hosted;
mod once;
mod person;
mod reloaded;
mod service;
mod socket;
mod storm;
mod webhook;

use serde_json::Value;
use tests::{Guard, LibC, probe};

/// Asks about the program `careful`; `extra` stands in the document.
pub fn policy(extra: &str) -> String {
    format!(
        "
version: '1'
default_action: allow
{extra}
policies:
  - name: test
    rules:
      - name: no
        action: deny
        when: {{program: [forbidden]}}
      - name: think
        action: ask
        when: {{program: [careful]}}
        message: think first
"
    )
}

/// A guard with [`policy`], and `bin/careful`, which says `ran` and leaves the file that is its
/// argument.
pub fn guard(extra: &str) -> Guard {
    let guard = Guard::new(&policy(extra));
    for name in ["careful", "forbidden"] {
        assert!(probe("mark", LibC::Glibc, &guard.path("bin").join(name)), "cc is not installed");
    }
    guard
}

/// The id of a pending approval.
pub fn id(approval: &Value) -> String {
    approval["id"].as_str().unwrap().to_owned()
}

/// Who answered for each recorded `careful`, with what outcome.
pub fn answers(guard: &Guard) -> Vec<(String, String)> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let events = guard.events();
    let asked = events.iter().filter(|event| event["action"] == "ask");
    asked
        .map(|event| {
            let by = text(event, "answered_by");
            let word = by.split(' ').next().unwrap_or_default().to_owned();
            (text(event, "outcome"), word)
        })
        .collect()
}
