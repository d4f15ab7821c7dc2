//! What comes out: the action and why, as data, so that explaining needs no second evaluation.

use crate::action::Action;
use crate::command::{Outcome, Tree};

/// The answer to one request.
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'a> {
    /// What the policy says. `Ask` and `Webhook` still need a second party.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Name of the policy whose rule decided; empty for a default.
    pub policy: &'a [u8],
    /// Name of the deciding rule, or its 1-based position where it has no name.
    pub rule: &'a [u8],
    /// The rule's own words for whoever is stopped; may be empty.
    pub message: &'a [u8],
    /// Index of the deciding command in the tree (`command::Tree::commands`).
    pub command: u32,
    /// Every rule that fired, the deciding one included, in image and rule order.
    pub matched: &'a [RuleMatch],
    /// What the call would run, as far as it was understood.
    pub tree: Tree<'a>,
    /// What an unanswered `Ask` or `Webhook` comes to: the strictest `on_no_approver` among the
    /// images that state one; `None` where none does.
    pub on_no_approver: Option<Action>,
    /// Whether the deciding rule only counts as a match, because something cannot be known here
    /// ([`crate::Answer::Unavailable`]). A second party may know it.
    pub unsure: bool,
    /// What the call brings to its tree if it goes ahead: bits of [`crate::image::format::taint`], of every
    /// rule that surely matched.
    pub taint: u8,
}

impl<'a> Verdict<'a> {
    /// The denial of what cannot be seen, so that nothing of it was judged; `message` says why.
    pub const fn unseen(message: &'a [u8]) -> Self {
        Self {
            action: Action::Deny,
            reason: Reason::Unseen,
            policy: b"",
            rule: b"",
            message,
            command: 0,
            matched: &[],
            tree: Tree::EMPTY,
            on_no_approver: None,
            unsure: false,
            taint: 0,
        }
    }

    /// Whether more memory could have made another verdict of it.
    #[must_use]
    pub fn lacked_memory(&self) -> bool {
        self.tree.outcome == Outcome::TooComplex
            || self.tree.is_cut
            || matches!(self.reason, Reason::TooComplex | Reason::NoMemory)
    }
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule fired.
    Rule,
    /// No rule fired: the policy's `default_action`.
    Default,
    /// A counted limit was reached while understanding the command: `on_too_complex`.
    TooComplex,
    /// Text that a shell would run does not parse: `on_unparseable`.
    Unparseable,
    /// An image is corrupt where it was read: always a deny.
    CorruptImage,
    /// The caller's scratch memory is too small: always a deny.
    NoMemory,
    /// What is asked for cannot be seen, so that nothing was judged: always a deny.
    Unseen,
}

impl Reason {
    /// Name in events and `--json` output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Default => "default",
            Self::TooComplex => "too-complex",
            Self::Unparseable => "unparseable",
            Self::CorruptImage => "corrupt-image",
            Self::NoMemory => "no-memory",
            Self::Unseen => "unseen",
        }
    }
}

/// One rule that fired. All-zero bytes are a valid value, so that it can live in zeroed memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RuleMatch {
    /// Position of the image in the list given to `decide`.
    pub image: u32,
    /// Index of the rule in that image.
    pub rule: u32,
    /// Index of the first command it matched (`command::Tree::commands`).
    pub command: u32,
    /// The rule's action, as [`Action::from_code`] reads it.
    pub action: u32,
    /// How many of the tree's commands it surely matched; 0 if it only counts as a match.
    pub hits: u32,
    /// Index of the last command it matched.
    pub last: u32,
}
