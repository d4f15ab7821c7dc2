//! What is said to people. Standard output is buffered, with a broken pipe as a quiet end: `rampart
//! audit tail | head` must not complain. What cannot be said on standard error is not said: `println!`
//! and `eprintln!` panic there, and a service whose log is full has other work to do.

use crate::failure::{Failure, reason, status};
use std::fmt::Arguments;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

/// Says a line on standard error, as `eprintln!` but that it never fails.
macro_rules! complain {
    ($($words:tt)*) => { $crate::output::complain(format_args!($($words)*)) };
}

/// What [`complain!`] does: one write(2), so that lines of several processes do not mix.
pub fn complain(words: Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{words}\n").as_bytes());
}

/// Standard output for one verb.
pub struct Output {
    writer: BufWriter<StdoutLock<'static>>,
}

impl Output {
    /// Takes standard output, with a buffer of 64 KiB.
    pub fn new() -> Self {
        Self { writer: BufWriter::with_capacity(64 * 1024, io::stdout().lock()) }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// A failure without a message if nobody reads any more; with one for every other error.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|error| failed(&error))
    }

    /// Writes `text` and a newline. See [`Output::write`].
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    /// Hands everything to the kernel.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| failed(&error))
    }
}

/// Why nothing more can be said on standard output.
pub fn failed(error: &io::Error) -> Failure {
    match error.kind() {
        // 128 + SIGPIPE, what a shell shows for a writer whose reader has gone.
        ErrorKind::BrokenPipe => Failure::with(141, ""),
        _ => Failure::with(
            status::DENIED,
            format!("cannot write to standard output: {}", reason(error)),
        ),
    }
}
