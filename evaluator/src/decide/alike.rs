//! Commands that are the same, looked at once. Loops, functions and long scripts bring the same
//! simple command again and again; what rules say of one they say of every other, unless they
//! looked at more than the command itself ([`Alike::note_surroundings`]).

use core::cell::Cell;

use crate::command::{Command, Run, Span, Tree};

/// Trees of fewer commands are not worth it, and the memory of a first attempt may be too small.
const FEW: usize = 17;

/// Commands of more words are not compared with others.
const MOST_WORDS: u32 = 16;

/// Places in the table of commands that were seen; a power of two.
const SEEN: usize = 256;

/// In `Alike::class`: the first of its kind; the other bits say where its rules are noted, plus 1.
const FIRST: u32 = 1 << 31;

/// In `Alike::log`: the end of what is noted for one command.
const END: u32 = u32::MAX;

/// Numbers in the caller's memory.
type Numbers<'j> = &'j mut [[u8; 4]];

fn get(numbers: &[[u8; 4]], at: usize) -> u32 {
    numbers.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn set(numbers: &mut [[u8; 4]], at: usize, value: u32) {
    if let Some(bytes) = numbers.get_mut(at) {
        *bytes = value.to_le_bytes();
    }
}

/// What is known of the commands of a tree. Empty for small trees and where memory is short.
pub struct Alike<'j> {
    /// For each command the first one that is the same, or [`FIRST`].
    class: Numbers<'j>,
    /// For each command a number of what it flows into ([`super::flow`]).
    pub flow: Numbers<'j>,
    /// The rules that hold for the commands that were looked at.
    log: Numbers<'j>,
    used: usize,
    from: usize,
    fits: bool,
    /// Whether the command at hand was judged by itself alone so far.
    alone: Cell<bool>,
}

impl<'j> Alike<'j> {
    /// Finds the commands of `tree` that are the same; the memory that is left over. `memory` is
    /// used for at most two thirds.
    pub fn new(tree: &Tree<'_>, memory: &'j mut [u8]) -> (Self, &'j mut [u8]) {
        let count = tree.commands.len();
        let log = (count / 4).saturating_add(SEEN);
        let bytes = count.saturating_mul(2).saturating_add(log).saturating_mul(4);
        let fits = count >= FEW && bytes <= memory.len() / 3 * 2;
        let at = if fits { bytes } else { 0 };
        let (own, rest) = memory.split_at_mut_checked(at).unwrap_or((&mut [], &mut []));
        let (numbers, _) = own.as_chunks_mut::<4>();
        let at = if fits { count } else { 0 };
        let (class, more) = numbers.split_at_mut_checked(at).unwrap_or((&mut [], &mut []));
        let (flow, log) = more.split_at_mut_checked(at).unwrap_or((&mut [], &mut []));
        let mut new = Self { class, flow, log, used: 0, from: 0, fits, alone: Cell::new(true) };
        new.classify(tree);
        (new, rest)
    }

    fn classify(&mut self, tree: &Tree<'_>) {
        // The log serves as the table of what was seen: a command's index + 1 by its hash.
        self.log.iter_mut().take(SEEN).for_each(|slot| *slot = [0; 4]);
        for (index, command) in tree.commands.iter().enumerate().take(self.class.len()) {
            let mut class = FIRST;
            if index > 0 && is_short(command) {
                let slot = hash(tree, command) as usize & (SEEN - 1);
                let known = (get(self.log, slot) as usize).checked_sub(1);
                let other = known.and_then(|at| Some((at, tree.commands.get(at)?)));
                match other.filter(|(_, other)| is_same(tree, command, other)) {
                    Some((at, _)) => class = at as u32,
                    None => set(self.log, slot, (index as u32).saturating_add(1)),
                }
            }
            set(self.class, index, class);
        }
    }

    /// Forgets which rules hold, for another image.
    pub fn forget(&mut self) {
        (self.used, self.fits) = (0, true);
        for (class, flow) in self.class.iter_mut().zip(self.flow.iter_mut()) {
            if u32::from_le_bytes(*class) & FIRST != 0 {
                *class = FIRST.to_le_bytes();
            }
            *flow = [0; 4];
        }
    }

    /// Where the rules of the command at `index` are noted, if it was looked at before.
    pub fn known(&self, tree: &Tree<'_>, index: usize) -> Option<usize> {
        let first = *self.class.get(index)?;
        let first = u32::from_le_bytes(first);
        if first & FIRST != 0 {
            return None;
        }
        let behind = |command: &Command| {
            let next = (command.pipes_into as usize).checked_sub(1);
            next.map_or(0, |next| get(self.flow, next))
        };
        let (one, other) = (tree.commands.get(first as usize)?, tree.commands.get(index)?);
        if behind(one) != behind(other) {
            return None;
        }
        (get(self.class, first as usize) & !FIRST).checked_sub(1).map(|at| at as usize)
    }

    /// The rule that is noted at `at`, and whether it surely holds; `None` at the end.
    pub fn noted(&self, at: usize) -> Option<(u32, u32)> {
        let value = get(self.log, at);
        (value != END).then_some((value >> 1, value & 1))
    }

    /// Begins with another command.
    pub fn begin(&mut self) {
        (self.from, self.fits) = (self.used, true);
        self.alone.set(true);
    }

    /// Notes that `rule` holds for the command at hand, `hits` times.
    pub fn note(&mut self, rule: u32, hits: u32) {
        self.put(rule << 1 | u32::from(hits > 0));
    }

    /// Notes that a rule looked at what surrounds the command at hand: another one that is the
    /// same has surroundings of its own.
    pub fn note_surroundings(&self) {
        self.alone.set(false);
    }

    /// Ends with the command at `index`.
    pub fn end(&mut self, index: usize) {
        self.put(END);
        let own = self.class.get(index).is_some_and(|class| u32::from_le_bytes(*class) == FIRST);
        if own && self.fits && self.alone.get() {
            let at = u32::try_from(self.from).unwrap_or(0).saturating_add(1);
            set(self.class, index, FIRST | at);
        } else {
            self.used = self.from;
        }
    }

    fn put(&mut self, value: u32) {
        match self.log.get_mut(self.used) {
            Some(slot) => {
                *slot = value.to_le_bytes();
                self.used = self.used.saturating_add(1);
            }
            None => self.fits = false,
        }
    }
}

const fn is_short(command: &Command) -> bool {
    command.words.count <= MOST_WORDS
        && command.assignments.count <= MOST_WORDS
        && command.redirects.count <= MOST_WORDS
}

fn mixed(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// A number that is the same for the same commands. It looks at the ends of words only.
fn hash(tree: &Tree<'_>, command: &Command) -> u64 {
    let facts = u64::from(command.flags.0) << 32 | u64::from(command.inside);
    let runs = u64::from(command.words.count) << 32 | u64::from(command.redirects.count);
    let all = [command.assignments, command.words];
    let words = all.into_iter().flat_map(|run| tree.words(run)).map(|word| word.text);
    let targets = tree.redirects(command).iter().map(|redirect| redirect.target.text);
    let mut sum = mixed(facts, runs);
    for span in words.chain(targets) {
        let text = tree.bytes(span);
        let (head, tail) = (text.first_chunk::<8>(), text.last_chunk::<8>());
        let short = || text.iter().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        let head = head.map_or_else(short, |bytes| u64::from_le_bytes(*bytes));
        let tail = tail.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        sum = mixed(sum, head ^ tail.rotate_left(7) ^ (text.len() as u64) << 40);
    }
    sum ^ sum >> 32
}

fn is_same(tree: &Tree<'_>, one: &Command, other: &Command) -> bool {
    let text = |one: Span, other: Span| one == other || tree.bytes(one) == tree.bytes(other);
    let words = |one: Run, other: Run| {
        let pairs = || tree.words(one).iter().zip(tree.words(other));
        one.count == other.count
            && pairs().all(|(one, other)| one.flags == other.flags && text(one.text, other.text))
    };
    let redirects = || tree.redirects(one).iter().zip(tree.redirects(other));
    one.flags == other.flags
        && one.inside == other.inside
        && one.via == other.via
        && words(one.words, other.words)
        && words(one.assignments, other.assignments)
        && one.redirects.count == other.redirects.count
        && redirects().all(|(one, other)| {
            (one.fd, one.op, one.target.flags) == (other.fd, other.op, other.target.flags)
                && text(one.target.text, other.target.text)
        })
        && text(one.cwd, other.cwd)
        && text(one.stdin, other.stdin)
}
