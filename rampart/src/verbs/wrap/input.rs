//! A shell that takes its commands from standard input. A file is read whole, and the shell gets a copy that
//! nobody can change. What comes by and by, through a pipe, is handed on as it comes, each piece when it
//! was judged together with what went before: the shell may be waited for between two commands.

use super::super::stub;
use crate::asked::Asked;
use crate::failure::{Failure, reason, status};
use crate::launch::program::Facts;
use crate::launch::{exec, host};
use crate::policy::Choice;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use evaluator::command::Outcome;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, SealFlags, Timespec, fcntl_add_seals, memfd_create};
use rustix::stdio::stdin;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;

/// Most commands of one shell that are judged together, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;

/// Starts the shell of `asked` with input that was judged. Returns its exit status where this process
/// has to stay before it.
///
/// # Errors
/// If it was not started, or its input was denied.
pub fn judged(asked: &Asked, facts: &Facts) -> Result<u8, Failure> {
    let cannot =
        |what: &str| Failure::with(status::NOT_EXECUTABLE, format!("the shell's input {what}"));
    let failed = |error: &io::Error| cannot(&format!("cannot be judged: {}", reason(error)));
    if rustix::termios::isatty(stdin()) {
        // A person types.
        return Err(stub::become_program(asked, facts));
    }
    let mut input = File::from(stdin().try_clone_to_owned().map_err(|error| failed(&error))?);
    if !input.metadata().map_err(|error| failed(&error))?.is_file() {
        return piped(asked, facts, input);
    }
    let start = input.stream_position().map_err(|error| failed(&error))?;
    let mut text = Vec::new();
    (&input).take(LONGEST as u64 + 1).read_to_end(&mut text).map_err(|error| failed(&error))?;
    if text.len() > LONGEST {
        return Err(cannot(&format!(
            "is longer than {LONGEST} bytes, which is not judged at once"
        )));
    }
    let copy = sealed(&text).map_err(|error| failed(&error))?;
    input.seek(io::SeekFrom::Start(start)).map_err(|error| failed(&error))?;
    judge(asked, &text)?;
    rustix::stdio::dup2_stdin(&copy).map_err(|error| failed(&error.into()))?;
    Err(stub::become_program(asked, facts))
}

/// Decides about `text`, and records a denial.
fn judge(asked: &Asked, text: &[u8]) -> Result<(), Failure> {
    let of_text = Asked { shell: Some(text.to_vec()), ..asked.clone() };
    let decided = stub::decided(&of_text).map(drop);
    decided.map_err(|failure| Failure::with(status::NOT_EXECUTABLE, failure.message))
}

/// A file of this content, at its start, that cannot be changed.
fn sealed(text: &[u8]) -> io::Result<OwnedFd> {
    let mut file =
        File::from(memfd_create("input", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(text)?;
    file.rewind()?;
    let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, all)?;
    Ok(file.into())
}

/// Starts the shell behind a pipe of ours.
fn piped(asked: &Asked, facts: &Facts, input: File) -> Result<u8, Failure> {
    let failed = |error: io::Error| {
        let what = format!("cannot start the shell: {}", reason(&error));
        Failure::with(status::NOT_EXECUTABLE, what)
    };
    let (theirs, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| failed(error.into()))?;
    let Some(child) = exec::fork().map_err(failed)? else {
        rustix::stdio::dup2_stdin(&theirs).map_err(|error| failed(error.into()))?;
        return Err(stub::become_program(asked, facts));
    };
    drop(theirs);
    let asked = asked.clone();
    let (said, denied) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let ours = File::from(ours);
        if let Err(failure) = handed_on(&asked, input, &ours) {
            // Before the pipe goes, which ends the shell. Nobody hears it only if that has ended already.
            let _ = said.send(failure);
        }
        drop(ours);
    });
    let ended = host::attend(child);
    // What was denied was never run, whatever the shell says of what came before it.
    denied.try_recv().map_or(ended, Err)
}

/// Hands on what was judged, until the end of it.
fn handed_on(asked: &Asked, mut input: File, mut output: &File) -> Result<(), Failure> {
    let failed = |what: &str| Failure::with(status::NOT_EXECUTABLE, what.to_owned());
    let (mut all, mut waiting) = (Vec::new(), 0);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = match input.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count.map_err(|error| failed(&reason(&error)))?,
        };
        all.extend_from_slice(piece.get(..count).unwrap_or_default());
        waiting += count;
        if all.len() > LONGEST {
            return Err(failed("the shell's input is longer than what can be judged at once"));
        }
        if count > 0
            && (more_is_there(&input) || all.last() != Some(&b'\n') || !is_whole(asked, &all))
        {
            continue;
        }
        if waiting > 0 {
            judge(asked, &all)?;
            let new = all.get(all.len() - waiting..).unwrap_or_default();
            if output.write_all(new).is_err() {
                // Nobody reads it any more.
                return Ok(());
            }
            waiting = 0;
        }
        if count == 0 {
            return Ok(());
        }
    }
}

fn more_is_there(input: &File) -> bool {
    let mut wanted = [PollFd::new(input, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut wanted, Some(&now)), Ok(1..))
}

/// Whether a shell would read no further before it runs `text`.
fn is_whole(asked: &Asked, text: &[u8]) -> bool {
    let of_text = Asked { shell: Some(text.to_vec()), ..asked.clone() };
    let Ok(layers) = Choice::default().load(&asked.environment) else {
        return true;
    };
    let Ok(mut judge) = Judge::new(&layers) else {
        return true;
    };
    let files = FileSystem::default();
    of_text.with_request(&of_text.facts(), |request| {
        judge.judge(request, &files, |verdict, _| verdict.tree.outcome != Outcome::Unparseable)
    })
}
