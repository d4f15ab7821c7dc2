//! The working memory of a verdict, owned by the caller: a library that lives in other
//! people's processes may not allocate, so it brings one mapping; everyone else brings `Vec`s.

use crate::command::{Command, Redirect, Var, Word};
use crate::verdict::RuleMatch;

/// Working memory for one verdict. Every element type is plain data for which all-zero bytes are
/// a valid value, so the slices may be cut from a zeroed mapping. Contents on entry do not matter.
pub struct Scratch<'s> {
    /// Bytes of words, decoded payloads and resolved paths.
    pub text: &'s mut [u8],
    /// Words of commands.
    pub words: &'s mut [Word],
    /// Simple commands found.
    pub commands: &'s mut [Command],
    /// Redirections of commands.
    pub redirects: &'s mut [Redirect],
    /// Shell variables whose value is followed.
    pub vars: &'s mut [Var],
    /// Rules that fired.
    pub matches: &'s mut [RuleMatch],
}

/// How long each slice of a [`Scratch`] should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScratchLen {
    /// Bytes of text.
    pub text: usize,
    /// Number of words.
    pub words: usize,
    /// Number of commands.
    pub commands: usize,
    /// Number of redirections.
    pub redirects: usize,
    /// Number of variables.
    pub vars: usize,
    /// Number of rule matches.
    pub matches: usize,
}

impl ScratchLen {
    /// Enough for almost every call, and small enough to lie on a few neighbouring pages, each of which
    /// costs more than a microsecond when it is first touched. For a first attempt, whose answer counts
    /// unless [`crate::Verdict::lacked_memory`].
    pub const QUICK: Self =
        Self { text: 8192, words: 128, commands: 16, redirects: 16, vars: 16, matches: 32 };
}

/// The sizes that suffice for a request of `input` bytes (all arguments, or the shell text) and
/// `args` arguments, against images that hold `rules` rules in all. Larger is never needed;
/// smaller may end in "too complex". Only memory that is used is touched, so a lazily backed
/// mapping of this size is cheap.
#[must_use]
pub const fn scratch_len(input: usize, args: usize, rules: usize) -> ScratchLen {
    let input = input.saturating_add(4096);
    ScratchLen {
        text: input.saturating_mul(8),
        words: input.saturating_add(args).saturating_mul(2),
        commands: input / 2,
        redirects: input / 2,
        vars: input / 4,
        matches: rules.saturating_add(8),
    }
}
