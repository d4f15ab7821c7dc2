//! Compiling policies and judging calls, for the tests of the language.

#![allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "every test file uses its own part of this; a test fails by panicking"
)]

use evaluator::request::NoParams;
use evaluator::world::NoWorld;
use evaluator::{Action, Argv, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::{Layer, Options, OwnedScratch, Source, compile};

/// The image of one policy file.
pub fn image(text: &str, layer: Layer) -> Vec<u8> {
    let options = Options { layer, ..Options::default() };
    let source = Source { name: "p.yaml", text: text.as_bytes() };
    compile(&[source], &options).unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{text}\n{}", lines.join("\n"))
    })
}

const ENV: &[(&[u8], &[u8])] = &[(b"HOME", b"/home/user")];

/// The verdict on `request` of the images compiled from `policies`, lowest first.
pub fn judge(policies: &[&[u8]], request: &Request<'_>) -> Action {
    let images: Vec<Image<'_>> = policies.iter().map(|bytes| Image::open(bytes).unwrap()).collect();
    let mut scratch = OwnedScratch::for_request(request, 1000);
    let mut scratch = scratch.borrow();
    decide(&images, request, &NoWorld, &mut scratch).action
}

pub fn request<'r>(tool: &'r str, call: Call<'r>) -> Request<'r> {
    Request {
        tool: tool.as_bytes(),
        call,
        cwd: Cwd::Known(b"/work/project"),
        env: &ENV,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    }
}

/// The verdict on a call of the program with arguments in `line`, separated by blanks.
pub fn argv(policies: &[&[u8]], line: &str) -> Action {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let words = words.as_slice();
    let file = words.first().copied().unwrap_or_default();
    judge(policies, &request("exec", Call::Exec { file, argv: &words as &dyn Argv }))
}

/// The verdict on shell text.
pub fn shell(policies: &[&[u8]], text: &str) -> Action {
    judge(policies, &request("exec", Call::Shell(text.as_bytes())))
}
