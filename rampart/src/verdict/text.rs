//! A verdict in words, for a person or a language model that wants to know why.

use super::json::operator;
use super::names::{self, Named};
use super::world::FileSystem;
use crate::bytes;
use evaluator::command::{Command, CommandFlags, Outcome, Redirect, RedirectOp, Tree, Via};
use evaluator::effects::Around;
use evaluator::settle::settle;
use evaluator::{Action, Image, Reason, Verdict};

/// How many commands of a call are shown; a generated script may hold thousands.
const COMMANDS: usize = 60;

/// How much of one command is shown, in characters.
const WIDTH: usize = 200;

/// The explanation of `verdict`, several lines without the last newline. `fail_open` is the
/// user's `RAMPART_FAIL_OPEN`.
pub fn explain(
    (verdict, around): (&Verdict<'_>, &Around<'_>),
    images: &[Image<'_>],
    layers: &[String],
    fail_open: Option<bool>,
) -> String {
    let mut lines = body((verdict, around), images, fail_open);
    lines.push(String::new());
    lines.push(format!("policy: {}", layers.join(" < ")));
    lines.join("\n")
}

/// The same with the layer and the message of each rule, and how the answer came about.
pub fn explain_fully(
    (verdict, around): (&Verdict<'_>, &Around<'_>),
    images: &[Image<'_>],
    layers: &[String],
    fail_open: Option<bool>,
) -> String {
    let mut lines = body((verdict, around), images, fail_open);
    lines.push(String::new());
    lines.extend(super::steps::steps(verdict, images, layers));
    lines.join("\n")
}

fn body(
    (verdict, around): (&Verdict<'_>, &Around<'_>),
    images: &[Image<'_>],
    fail_open: Option<bool>,
) -> Vec<String> {
    let matched = names::matched(verdict, images);
    let mut lines = vec![headline(verdict)];
    if !verdict.message.is_empty() {
        lines.push(format!("  {}", bytes::visible(verdict.message)));
    }
    lines.extend(consequence(verdict, fail_open).map(|text| format!("  {text}")));
    let commands = tree(&verdict.tree, &matched);
    if !commands.is_empty() {
        lines.push(String::new());
        lines.push("what it would run:".to_owned());
        lines.extend(commands);
    }
    let effects = super::effects::lines(&verdict.tree, around, Some(&FileSystem::default()));
    if !effects.is_empty() {
        lines.push(String::new());
        lines.push("what it would do:".to_owned());
        lines.extend(effects.iter().map(|line| format!("  {line}")));
    }
    if !matched.is_empty() {
        lines.push(String::new());
        lines.push("rules that match:".to_owned());
        lines.extend(matched.iter().map(|found| rule(found, &verdict.tree)));
    }
    lines
}

fn headline(verdict: &Verdict<'_>) -> String {
    let action = verdict.action.name();
    let rule = label(verdict.policy, verdict.rule);
    match verdict.reason {
        Reason::Rule => format!("{action}: rule {rule}"),
        Reason::Default => format!("{action}: no rule matches, so the default of the policy holds"),
        Reason::TooComplex => {
            format!("{action}: too complex to be understood; split it into simple commands")
        }
        Reason::Unparseable => {
            format!("{action}: a shell would run it, but it does not parse; write it plainly")
        }
        Reason::CorruptImage => {
            format!("{action}: the compiled policy is corrupt; compile it again")
        }
        Reason::NoMemory => format!("{action}: there was no memory to judge it"),
        Reason::Unseen => format!("{action}: it cannot be seen, so it was not judged"),
    }
}

/// What follows from an action that does not speak for itself.
fn consequence(verdict: &Verdict<'_>, fail_open: Option<bool>) -> Option<String> {
    let who = match verdict.action {
        Action::Allow | Action::Deny => return None,
        Action::Watch => return Some("it runs, and is marked in the audit log".to_owned()),
        Action::Ask => "a person has to approve it",
        Action::Webhook => "another service has to approve it",
    };
    let end = if settle(verdict, fail_open).permitted { "it runs" } else { "it is denied" };
    Some(format!("{who}; where nobody can be asked, {end}"))
}

/// `policy/rule`, as far as there are names.
pub fn label(policy: &[u8], rule: &[u8]) -> String {
    match (policy.is_empty(), rule.is_empty()) {
        (false, false) => format!("{}/{}", bytes::visible(policy), bytes::visible(rule)),
        (_, true) => bytes::visible(policy),
        (true, false) => bytes::visible(rule),
    }
}

fn rule(found: &Named<'_>, tree: &Tree<'_>) -> String {
    let label = label(found.policy, found.rule);
    let action = found.action.name();
    match tree.commands.get(found.command as usize) {
        Some(command) => format!("  {action:<8} {label:<32} {}", written(tree, command)),
        None => format!("  {action:<8} {label}"),
    }
}

/// The commands, each below the one that it was found in. The text of a tool call has no words of
/// its own and is left out.
fn tree(tree: &Tree<'_>, matched: &[Named<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut cwd: Option<&[u8]> = None;
    for (index, command) in tree.commands.iter().enumerate().take(COMMANDS) {
        let written = written(tree, command);
        if written.is_empty() {
            continue;
        }
        let indent = "  ".repeat(depth(tree, command).min(20) + 1);
        let via = match (command.via, is_top(tree, command)) {
            (Via::Call, _) | (_, true) => String::new(),
            (via, false) => format!("{}: ", via.name()),
        };
        let pipe = if receives(tree, index) { "| " } else { "" };
        let mut notes = remarks(command);
        let now = command.flags.has(CommandFlags::CWD_CHANGED).then(|| tree.bytes(command.cwd));
        if now.is_some() && now != cwd {
            notes.push(match now {
                Some(known) if !known.is_empty() => format!("in {}", bytes::visible(known)),
                _ => "in a directory that is not known here".to_owned(),
            });
        }
        cwd = now;
        let notes = match notes.is_empty() {
            true => String::new(),
            false => format!("   ({})", notes.join(", ")),
        };
        let strictest = matched.iter().find(|found| found.command as usize == index);
        let mark = strictest.map(|found| {
            format!("   <- {} {}", found.action.name(), label(found.policy, found.rule))
        });
        lines.push(format!("{indent}{via}{pipe}{written}{notes}{}", mark.unwrap_or_default()));
    }
    if tree.commands.len() > COMMANDS {
        lines.push(format!("  … and {} more", tree.commands.len() - COMMANDS));
    }
    lines.extend(match tree.outcome {
        Outcome::Complete => None,
        Outcome::Unparseable => {
            Some("  … and what follows the part that does not parse".to_owned())
        }
        Outcome::TooComplex => Some("  … and what was too much to be understood".to_owned()),
    });
    lines
}

/// What a reader should know of a command that its words do not say.
fn remarks(command: &Command) -> Vec<String> {
    let known = [
        (CommandFlags::FETCHED_CODE, "runs code that is downloaded or decoded"),
        (CommandFlags::UNKNOWN_CODE, "runs code that is not known here"),
        (CommandFlags::FORK_BOMB, "starts itself without end"),
    ];
    let first = known.iter().find(|(flag, _)| command.flags.has(*flag));
    first.map(|(_, text)| (*text).to_owned()).into_iter().collect()
}

/// Whether the output of another command flows into the one at `index`.
fn receives(tree: &Tree<'_>, index: usize) -> bool {
    let is_source = |command: &Command| command.pipes_into as usize == index + 1;
    tree.commands.iter().any(is_source)
}

/// Whether `command` stands at the top of a tool call's text.
fn is_top(tree: &Tree<'_>, command: &Command) -> bool {
    command.via == Via::Shell
        && tree
            .parent(command)
            .is_some_and(|parent| parent.via == Via::Call && parent.words.count == 0)
}

/// How many commands with words `command` stands below.
fn depth(tree: &Tree<'_>, command: &Command) -> usize {
    let mut depth = 0;
    let mut at = command;
    // A parent stands before its children, so this ends.
    while let Some(parent) = tree.parent(at).filter(|_| depth <= 64) {
        depth += usize::from(parent.words.count != 0);
        at = parent;
    }
    depth
}

/// A command as it would be written, shortened.
fn written(tree: &Tree<'_>, command: &Command) -> String {
    let words = tree.words(command.assignments).iter().chain(tree.words(command.words));
    let mut parts = vec![bytes::command_line(words.map(|word| tree.bytes(word.text)))];
    parts.extend(tree.redirects(command).iter().map(|redirect| redirected(tree, redirect)));
    parts.retain(|part| !part.is_empty());
    let line = parts.join(" ");
    match line.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or(&line)),
        None => line,
    }
}

/// A redirection as it would be written: the descriptor only where it is not the usual one.
fn redirected(tree: &Tree<'_>, redirect: &Redirect) -> String {
    let usual = match redirect.op {
        RedirectOp::Read | RedirectOp::ReadWrite | RedirectOp::HereDoc | RedirectOp::HereString => {
            0
        }
        RedirectOp::Write | RedirectOp::Append | RedirectOp::Duplicate => 1,
    };
    let descriptor = match redirect.fd {
        -1 => "&".to_owned(),
        fd if fd == usual => String::new(),
        fd => fd.to_string(),
    };
    let target = bytes::command_line([tree.bytes(redirect.target.text)]);
    match redirect.op {
        RedirectOp::Duplicate => format!("{descriptor}>&{target}"),
        op => format!("{descriptor}{} {target}", operator(op)),
    }
}
