//! The text forms of a command that the original's patterns look at: its words joined by single
//! spaces, redirections behind them. Built at most once a command, and only if a rule asks.

use crate::command::{Command, RedirectOp, Tree};
use crate::path::file_name;

/// Text forms of one command, in the caller's memory.
pub struct Forms<'j> {
    memory: &'j mut [u8],
    of: Option<usize>,
    len: usize,
    short: usize,
    bare: usize,
    fits: bool,
}

impl<'j> Forms<'j> {
    /// No forms yet.
    pub const fn new(memory: &'j mut [u8]) -> Self {
        Self { memory, of: None, len: 0, short: 0, bare: 0, fits: true }
    }

    /// The command's words as they are, the same with only the last path component of the
    /// program, and that without the redirections; `None` if the memory is too small.
    pub fn of(&mut self, tree: &Tree<'_>, index: usize, command: &Command) -> Option<[&[u8]; 3]> {
        if self.of != Some(index) {
            self.of = Some(index);
            self.build(tree, command);
        }
        let full = self.memory.get(..self.len)?;
        let short = full.get(self.short..)?;
        self.fits.then_some([full, short, full.get(self.short..self.bare)?])
    }

    fn build(&mut self, tree: &Tree<'_>, command: &Command) {
        (self.len, self.short, self.fits) = (0, 0, true);
        for (index, word) in tree.words(command.words).iter().enumerate() {
            let text = tree.bytes(word.text);
            if index == 0 {
                self.short = text.len().saturating_sub(file_name(text).len());
            } else {
                self.put(b" ");
            }
            self.put(text);
        }
        self.bare = self.len;
        for redirect in tree.redirects(command) {
            let sign: &[u8] = match redirect.op {
                RedirectOp::Read => b" < ",
                RedirectOp::Write if redirect.fd == 2 => b" 2> ",
                RedirectOp::Write => b" > ",
                RedirectOp::Append => b" >> ",
                RedirectOp::ReadWrite => b" <> ",
                RedirectOp::HereString => b" <<< ",
                RedirectOp::Duplicate | RedirectOp::HereDoc => continue,
            };
            self.put(sign);
            self.put(tree.bytes(redirect.target.text));
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.memory.get_mut(self.len..end) {
            Some(room) => {
                room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                self.len = end;
            }
            None => self.fits = false,
        }
    }
}
