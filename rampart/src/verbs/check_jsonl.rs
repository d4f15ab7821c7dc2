//! `rampart check --jsonl`: many calls, one policy. One line out for each line in, in order, so
//! that input and output can be read side by side.

use crate::cases::{self, Parsed};
use crate::failure::{Failure, reason};
use crate::output::Output;
use crate::policy::Layers;
use crate::verdict::ask::Surroundings;
use crate::verdict::json::Answer;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use evaluator::{Image, Verdict};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read};

/// Longest line that is read, in bytes, so that one cannot fill the memory. More than ten times
/// what Linux lets a program be started with.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// What is written for a line that holds no case.
#[derive(Serialize)]
struct BadLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    /// 1-based.
    line: u64,
    error: String,
}

/// Judges every line of standard input.
///
/// # Errors
/// If standard input cannot be read or standard output not written. Bad lines are no error.
pub fn run(layers: &Layers, surroundings: &Surroundings) -> Result<(), Failure> {
    let mut judge = Judge::new(layers)?;
    let world = FileSystem::default();
    let mut input = BufReader::with_capacity(64 * 1024, io::stdin().lock());
    let mut output = Output::new();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        let Some(is_whole) = read_line(&mut input, &mut line).map_err(unreadable)? else {
            return output.flush();
        };
        number += 1;
        let mut written = match is_whole {
            true => answer(&line, number, (surroundings, &world), &mut judge),
            false => bad_line(None, number, "is longer than 64 MiB"),
        };
        written.push(b'\n');
        output.write(&written)?;
        // Whoever sends one line and waits for its verdict must get it.
        if input.buffer().is_empty() {
            output.flush()?;
            surroundings.forget();
            world.forget();
        }
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::other(format!("cannot read standard input: {}", reason(&error)))
}

/// Reads the next line; whether it is whole, or `None` at the end. What is too long is passed
/// over.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let count = input.by_ref().take(LONGEST_LINE).read_until(b'\n', line)?;
    if count == 0 {
        return Ok(None);
    }
    let is_whole = line.ends_with(b"\n") || (count as u64) < LONGEST_LINE;
    let mut ended = is_whole;
    while !ended {
        line.clear();
        let more = input.by_ref().take(LONGEST_LINE).read_until(b'\n', line)?;
        ended = more == 0 || line.ends_with(b"\n");
    }
    Ok(Some(is_whole))
}

fn bad_line(id: Option<&Value>, number: u64, why: &str) -> Vec<u8> {
    let line = BadLine { id, line: number, error: format!("line {number}: {why}") };
    serde_json::to_vec(&line).unwrap_or_default()
}

/// The line that answers `line`, without its newline.
fn answer(
    line: &[u8],
    number: u64,
    (surroundings, world): (&Surroundings, &FileSystem),
    judge: &mut Judge<'_>,
) -> Vec<u8> {
    let cases::Line { id, parsed } = cases::parse(line.trim_ascii_end());
    let id = id.as_ref();
    let fail_open = surroundings.environment.fail_open();
    let written = match &parsed {
        Err(why) => return bad_line(id, number, why),
        Ok(Parsed::Refused(refusal)) => serde_json::to_vec(&Answer::refused(id, refusal)),
        Ok(Parsed::Case(case)) => surroundings.ask(case, |request| {
            let tell = |verdict: &Verdict<'_>, images: &[Image<'_>]| {
                serde_json::to_vec(&Answer::of(id, verdict, images, fail_open))
            };
            match &case.response {
                Some(output) => judge.judge_output((request, output), world, tell),
                None => judge.judge(request, world, tell),
            }
        }),
    };
    written
        .unwrap_or_else(|error| bad_line(id, number, &format!("cannot write the verdict: {error}")))
}
