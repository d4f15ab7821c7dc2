//! What a tool put out, held against the response rules of the policy.
//!
//! The evaluator knows which rules are about which call; the regular expressions stay source in
//! the image and are run here.

use super::world::FileSystem;
use evaluator::{Action, Answer, Image, Request, Verdict, World, decide_response};
use policy_schema::{OwnedScratch, limits, needs};
use std::cell::RefCell;
use std::collections::HashMap;

/// Longest output that is searched, in bytes. A longer one is not cut: what would have been
/// searched for counts as found.
pub const LONGEST_OUTPUT: usize = 1024 * 1024;

/// What a tool put out, and what there is beside it.
struct Output<'a> {
    text: needs::Text<'a>,
    files: &'a FileSystem,
    patterns: &'a Patterns,
}

/// The expressions that outputs were held against; `None` for one that does not compile.
#[derive(Default)]
pub struct Patterns(RefCell<HashMap<Vec<u8>, Option<regex::bytes::Regex>>>);

impl Patterns {
    /// Those that `text` matches.
    pub fn in_text(&self, text: &[u8]) -> Vec<regex::bytes::Regex> {
        let all = self.0.borrow();
        all.values().flatten().filter(|pattern| pattern.is_match(text)).cloned().collect()
    }
}

impl World for Output<'_> {
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.files.resolve(path, out)
    }

    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.files.read(path, out)
    }

    fn now(&self) -> Answer<u64> {
        self.files.now()
    }

    fn output_matches(&self, regex: &[u8], needs: &[u8]) -> Answer<bool> {
        if self.text.bytes().len() > LONGEST_OUTPUT {
            return Answer::Unavailable;
        }
        if !self.text.meets(needs) {
            return Answer::Value(false);
        }
        let mut compiled = self.patterns.0.borrow_mut();
        let regex = compiled.entry(regex.to_vec()).or_insert_with(|| {
            std::str::from_utf8(regex).ok().and_then(|text| limits::regex(text).ok())
        });
        match regex {
            Some(regex) => Answer::Value(regex.is_match(self.text.bytes())),
            None => Answer::Unavailable,
        }
    }
}

/// Judges what the call `request` put out and gives the verdict to `tell`, whose answer is
/// returned. Ask and webhook are a deny here. The message of a deny says if the output was too
/// long to be searched.
pub fn judge<R>(
    images: &[Image<'_>],
    (scratch, rules): (&mut OwnedScratch, usize),
    (request, output): (&Request<'_>, &[u8]),
    (files, patterns): (&FileSystem, &Patterns),
    tell: impl FnOnce(&Verdict<'_>) -> R,
) -> R {
    let world = Output { text: needs::Text::new(output), files, patterns };
    let is_long = output.len() > LONGEST_OUTPUT;
    if let Some(mut scratch) = scratch.quick(request) {
        let verdict = decide_response(images, request, &world, &mut scratch);
        if !verdict.lacked_memory() {
            return told(verdict, is_long, tell);
        }
    }
    scratch.fit(request, rules);
    let mut scratch = scratch.borrow();
    told(decide_response(images, request, &world, &mut scratch), is_long, tell)
}

fn told<R>(verdict: Verdict<'_>, is_long: bool, tell: impl FnOnce(&Verdict<'_>) -> R) -> R {
    let long = format!(
        "the output exceeds {LONGEST_OUTPUT} bytes and was not searched for what this rule is \
         about; produce less at a time"
    );
    match verdict.action == Action::Deny && is_long {
        true => tell(&Verdict { message: long.as_bytes(), ..verdict }),
        false => tell(&verdict),
    }
}
