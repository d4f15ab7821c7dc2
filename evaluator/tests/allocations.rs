//! Deciding allocates nothing: it happens in other people's processes, also between `vfork` and
//! `exec`. The library cannot allocate (`no_std` without `alloc`); this shows it for whole verdicts.

#![allow(unsafe_code, reason = "an allocator that counts has to implement an unsafe trait")]
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;

use evaluator::request::{NoEnv, NoParams};
use evaluator::world::NoWorld;
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::{Layer, Options, OwnedScratch, Source, compile};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts how often the current thread asked it for memory.
struct Counting;

// SAFETY: every call is passed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> usize {
    COUNT.with(Cell::get)
}

#[test]
fn no_verdict_allocates() {
    let source =
        Source { name: "standard.yaml", text: include_bytes!("../../policies/standard.yaml") };
    let options = Options { layer: Layer::User, run_examples: false };
    let bytes = compile(&[source], &options).unwrap();
    let image = Image::open(&bytes).unwrap();
    let mut texts = vec!["$(".repeat(4096), "a;".repeat(4096), "env ".repeat(2048)];
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus")).unwrap()
    {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        let rows = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        texts.extend(
            rows.filter_map(|row: serde_json::Value| row["command"].as_str().map(str::to_owned)),
        );
    }
    assert!(texts.len() > 1000, "{} texts", texts.len());
    let mut scratch = OwnedScratch::default();
    let mut stopped = 0;
    for text in &texts {
        let request = Request {
            tool: b"exec",
            call: Call::Shell(text.as_bytes()),
            cwd: Cwd::Known(b"/work"),
            env: &NoEnv,
            target: Target::default(),
            caller: Caller::default(),
            path: None,
            url: None,
            params: &NoParams,
        };
        scratch.fit(&request, 4096);
        let mut memory = scratch.borrow();
        let before = allocations();
        let verdict = decide(std::slice::from_ref(&image), &request, &NoWorld, &mut memory);
        assert_eq!(allocations(), before, "{text}");
        stopped += usize::from(verdict.action > Action::Watch);
    }
    assert!(stopped > 500, "{stopped} were stopped");
    assert!(allocations() > 0, "the allocator counts");
}
