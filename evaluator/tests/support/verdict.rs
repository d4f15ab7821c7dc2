//! Whole verdicts by the shipped standard policy.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::cell::RefCell;
use std::sync::OnceLock;

use evaluator::request::{NoEnv, NoParams};
use evaluator::world::NoWorld;
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::{Layer, Options, OwnedScratch, Source, compile};

thread_local! {
    static SCRATCH: RefCell<OwnedScratch> = RefCell::default();
}

fn standard() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let text = include_bytes!("../../../policies/standard.yaml");
        let source = Source { name: "standard.yaml", text };
        let options = Options { layer: Layer::User, run_examples: false };
        compile(&[source], &options).unwrap()
    })
}

/// The action and the rule for a text that a shell runs.
pub fn verdict(text: &str) -> (Action, String) {
    let request = Request {
        tool: b"exec",
        call: Call::Shell(text.as_bytes()),
        cwd: Cwd::Known(b"/home/dev/project"),
        env: &NoEnv,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    };
    let image = Image::open(standard()).unwrap();
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.fit(&request, 4096);
        let mut scratch = scratch.borrow();
        let verdict = decide(&[image], &request, &NoWorld, &mut scratch);
        (verdict.action, String::from_utf8_lossy(verdict.rule).into_owned())
    })
}
