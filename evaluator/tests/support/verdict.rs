//! Whole verdicts, by the shipped standard policy or by a policy of a test.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::cell::RefCell;
use std::sync::OnceLock;

use evaluator::request::{NoEnv, NoParams};
use evaluator::world::{NoWorld, World};
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::{Layer, Options, OwnedScratch, Source, compile};

thread_local! {
    static SCRATCH: RefCell<OwnedScratch> = RefCell::default();
}

fn standard() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| compiled(include_bytes!("../../../policies/standard.yaml")))
}

/// The image of a user's policy of one file.
pub fn compiled(text: &[u8]) -> Vec<u8> {
    let source = Source { name: "test.yaml", text };
    compile(&[source], &Options { layer: Layer::User, run_examples: false }).unwrap()
}

/// The action and the rule for a text that a shell runs.
pub fn verdict(text: &str) -> (Action, String) {
    judged(standard(), text, "/home/dev/project", &NoWorld)
}

/// The same by `image`, for a shell in `cwd` and in `world`.
pub fn judged(image: &[u8], text: &str, cwd: &str, world: &dyn World) -> (Action, String) {
    let request = Request {
        tool: b"exec",
        call: Call::Shell(text.as_bytes()),
        cwd: Cwd::Known(cwd.as_bytes()),
        env: &NoEnv,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    };
    let image = Image::open(image).unwrap();
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.fit(&request, 4096);
        let mut scratch = scratch.borrow();
        let verdict = decide(&[image], &request, world, &mut scratch);
        (verdict.action, String::from_utf8_lossy(verdict.rule).into_owned())
    })
}
