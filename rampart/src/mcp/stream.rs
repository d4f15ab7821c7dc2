//! Lines to and from the two ends, each by a thread of its own: whoever does not read must not keep the
//! other one from being read, or both wait for ever. What waits is bounded.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

/// Most bytes that wait for an end that does not read.
const WAITING: usize = 64 * 1024 * 1024;

/// What comes from an end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line with its newline; the last one may have none.
    Whole(Vec<u8>),
    /// One that is longer than it may be. It was read to its end and thrown away.
    TooLong,
    /// There is nothing more.
    End,
}

/// Reads lines of at most `longest` bytes from `source` and hands them to `take`, until that says no.
pub fn read(source: impl Read, longest: usize, mut take: impl FnMut(Line) -> bool) {
    let mut source = BufReader::with_capacity(64 * 1024, source);
    loop {
        let line = next(&mut source, longest).unwrap_or(Line::End);
        let is_end = line == Line::End;
        if !take(line) || is_end {
            return;
        }
    }
}

fn next(source: &mut impl BufRead, longest: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let most = longest as u64 + 1;
    source.take(most).read_until(b'\n', &mut line)?;
    if line.len() as u64 == most && line.last() != Some(&b'\n') {
        line.clear();
        loop {
            let count = source.take(64 * 1024).read_until(b'\n', &mut line)?;
            if count == 0 || line.last() == Some(&b'\n') {
                return Ok(Line::TooLong);
            }
            line.clear();
        }
    }
    Ok(if line.is_empty() { Line::End } else { Line::Whole(line) })
}

/// The way to an end.
pub struct Writer {
    lines: Option<Sender<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// A thread that writes to `target`.
    ///
    /// # Errors
    /// If there can be none.
    pub fn start(name: &str, mut target: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, taken) = channel::<Vec<u8>>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let work = move || {
            for line in taken {
                let written = target.write_all(&line).and_then(|()| target.flush());
                left.fetch_sub(line.len(), Ordering::Relaxed);
                if written.is_err() {
                    // Its end is seen where it is read from.
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { lines: Some(lines), waiting, thread: Some(thread) })
    }

    /// Sends a line with its newline. Whether the other end still takes what it is sent.
    pub fn send(&self, line: Vec<u8>) -> bool {
        let length = line.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) + length > WAITING {
            return false;
        }
        self.lines.as_ref().is_some_and(|lines| lines.send(line).is_ok())
    }

    /// Closes the way once everything was written; does not wait for that.
    pub fn close(&mut self) {
        self.lines = None;
    }

    /// The same, and waits.
    pub fn finish(mut self) {
        self.close();
        if let Some(thread) = self.thread.take() {
            // It panicked if at all, and has written what it could.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_they_are() {
        let cases: [(&[u8], Vec<Line>); 5] = [
            (b"", vec![Line::End]),
            (
                b"a\nb\r\n",
                vec![Line::Whole(b"a\n".to_vec()), Line::Whole(b"b\r\n".to_vec()), Line::End],
            ),
            (
                b"12345678\nc",
                vec![Line::Whole(b"12345678\n".to_vec()), Line::Whole(b"c".to_vec()), Line::End],
            ),
            (b"1234567890\nd\n", vec![Line::TooLong, Line::Whole(b"d\n".to_vec()), Line::End]),
            (b"1234567890", vec![Line::TooLong, Line::End]),
        ];
        for (bytes, expected) in cases {
            let mut found = Vec::new();
            read(bytes, 8, |line| {
                found.push(line);
                true
            });
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
