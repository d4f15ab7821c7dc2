//! A verdict as one JSON object: for programs, and the same for one check and for many.

use super::effects::{self, Told};
use super::names::{self, Named};
use super::world::FileSystem;
use crate::bytes::Text;
use crate::cases::Refusal;
use evaluator::command::{CommandFlags, Outcome, RedirectOp, Tree, UNKNOWN, Via, Word, WordFlags};
use evaluator::effects::Around;
use evaluator::settle::{Settled, settle};
use evaluator::{Image, Verdict};
use serde::Serialize;
use serde_json::Value;

/// What `check --jsonl` writes for a case.
#[derive(Serialize)]
pub struct Answer<'a> {
    /// The caller's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    action: &'a str,
    reason: &'a str,
    policy: Text<'a>,
    rule: Text<'a>,
    message: Text<'a>,
    matched: Vec<Match<'a>>,
    /// What `ask` and `webhook` come to where nobody can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered: Option<&'a str>,
}

#[derive(Serialize)]
struct Match<'a> {
    policy: Text<'a>,
    rule: Text<'a>,
    action: &'a str,
    /// Index of its layer in `layers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<u32>,
}

/// What `check --json` writes: the answer, and how the call was understood.
#[derive(Serialize)]
pub struct Explanation<'a> {
    #[serde(flatten)]
    answer: Answer<'a>,
    /// Index of the deciding command.
    command: u32,
    /// How far the call was understood.
    understood: &'static str,
    commands: Vec<Simple<'a>>,
    /// What it would do.
    effects: Vec<Told>,
    /// Where the policy came from, lowest layer first.
    layers: Vec<String>,
}

/// One simple command that the call reaches.
#[derive(Serialize)]
struct Simple<'a> {
    words: Vec<Known<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assignments: Vec<Known<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirects: Vec<Redirected<'a>>,
    /// How it was found in its parent.
    via: &'static str,
    /// Index of the command that it was found in.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipes_into: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<&'static str>,
    /// Where it would run, if a `cd` before it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Redirected<'a> {
    fd: i32,
    op: &'static str,
    target: Known<'a>,
}

/// A word: its text, or `{"partial": "text with … for what is unknown"}`.
#[derive(Serialize)]
#[serde(untagged)]
enum Known<'a> {
    Whole(Text<'a>),
    Partial { partial: String },
}

impl<'a> Answer<'a> {
    /// The answer that `verdict` gives. `fail_open` is the user's `RAMPART_FAIL_OPEN`.
    pub fn of(
        id: Option<&'a Value>,
        verdict: &Verdict<'a>,
        images: &[Image<'a>],
        fail_open: Option<bool>,
    ) -> Self {
        let matched = names::matched(verdict, images).into_iter().map(Match::of);
        Self {
            id,
            action: verdict.action.name(),
            reason: verdict.reason.name(),
            policy: Text(verdict.policy),
            rule: Text(verdict.rule),
            message: Text(verdict.message),
            matched: matched.collect(),
            unanswered: unanswered(verdict, fail_open),
        }
    }

    /// The answer to a case that is denied before any rule.
    pub fn refused(id: Option<&'a Value>, refusal: &'a Refusal) -> Self {
        Self {
            id,
            action: evaluator::Action::Deny.name(),
            reason: refusal.reason,
            policy: Text(b""),
            rule: Text(b""),
            message: Text(refusal.message.as_bytes()),
            matched: Vec::new(),
            unanswered: None,
        }
    }
}

/// `allow` or `deny`, for a verdict that needs somebody's consent and does not get it.
fn unanswered(verdict: &Verdict<'_>, fail_open: Option<bool>) -> Option<&'static str> {
    if verdict.action.permits() || verdict.action == evaluator::Action::Deny {
        return None;
    }
    let Settled { permitted, .. } = settle(verdict, fail_open);
    Some(if permitted { "allow" } else { "deny" })
}

impl<'a> Match<'a> {
    fn of(found: Named<'a>) -> Self {
        let (policy, rule) = (Text(found.policy), Text(found.rule));
        Self { policy, rule, action: found.action.name(), layer: None }
    }
}

impl<'a> Explanation<'a> {
    /// The explanation of `verdict`, made by these layers.
    pub fn of(
        (verdict, around): (&Verdict<'a>, &Around<'_>),
        images: &[Image<'a>],
        layers: Vec<String>,
        fail_open: Option<bool>,
    ) -> Self {
        let tree = verdict.tree;
        let mut answer = Answer::of(None, verdict, images, fail_open);
        for (shown, found) in answer.matched.iter_mut().zip(names::matched(verdict, images)) {
            shown.layer = Some(found.image);
        }
        Self {
            answer,
            command: verdict.command,
            understood: match tree.outcome {
                Outcome::Complete => "complete",
                Outcome::Unparseable => "unparseable",
                Outcome::TooComplex => "too-complex",
            },
            commands: (0..tree.commands.len()).filter_map(|at| simple(&tree, at)).collect(),
            effects: effects::told(&tree, around, Some(&FileSystem::default())),
            layers,
        }
    }
}

fn simple<'a>(tree: &Tree<'a>, index: usize) -> Option<Simple<'a>> {
    let command = tree.commands.get(index)?;
    let known = |words: &'a [Word]| words.iter().map(|word| known(tree, word)).collect();
    let redirects = tree.redirects(command).iter().map(|redirect| Redirected {
        fd: redirect.fd,
        op: operator(redirect.op),
        target: self::known(tree, &redirect.target),
    });
    Some(Simple {
        words: known(tree.words(command.words)),
        assignments: known(tree.words(command.assignments)),
        redirects: redirects.collect(),
        via: command.via.name(),
        parent: (command.via != Via::Call).then_some(command.parent).and_then(|p| p.checked_sub(1)),
        pipes_into: command.pipes_into.checked_sub(1),
        facts: facts(command.flags),
        cwd: (command.cwd.len != 0).then(|| Text(tree.bytes(command.cwd))),
    })
}

fn known<'a>(tree: &Tree<'a>, word: &Word) -> Known<'a> {
    let text = tree.bytes(word.text);
    let partial = WordFlags::PARTIAL.with(WordFlags::DYNAMIC);
    if !word.flags.has(partial) && !text.contains(&UNKNOWN) {
        return Known::Whole(Text(text));
    }
    Known::Partial { partial: String::from_utf8_lossy(text).replace('\0', "…") }
}

/// How a redirection is written in a shell.
pub const fn operator(op: RedirectOp) -> &'static str {
    match op {
        RedirectOp::Read => "<",
        RedirectOp::Write => ">",
        RedirectOp::Append => ">>",
        RedirectOp::ReadWrite => "<>",
        RedirectOp::Duplicate => ">&",
        RedirectOp::HereDoc => "<<",
        RedirectOp::HereString => "<<<",
    }
}

/// The names of what is known of a command, as policies and explanations use them.
fn facts(flags: CommandFlags) -> Vec<&'static str> {
    let all = [
        (CommandFlags::WRAPPER, "wrapper"),
        (CommandFlags::UNKNOWN_CODE, "unknown-code"),
        (CommandFlags::FETCHED_CODE, "fetched-code"),
        (CommandFlags::STDIN_UNKNOWN, "stdin-unknown"),
        (CommandFlags::CWD_CHANGED, "cwd-changed"),
        (CommandFlags::FORK_BOMB, "fork-bomb"),
        (CommandFlags::BUILTIN, "builtin"),
    ];
    let held = all.iter().filter(|(flag, _)| flags.has(*flag));
    held.map(|(_, name)| *name).collect()
}
