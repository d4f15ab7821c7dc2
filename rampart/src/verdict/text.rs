//! A verdict in words, for a person or a language model that wants to know why.

use super::json::{facts, operator};
use super::names::{self, Named};
use crate::bytes;
use evaluator::command::{Command, Tree, Via};
use evaluator::settle::settle;
use evaluator::{Action, Image, Reason, Verdict};

/// How many commands of a call are shown; a generated script may hold thousands.
const COMMANDS: usize = 60;

/// How much of one command is shown, in characters.
const WIDTH: usize = 200;

/// The explanation of `verdict`, several lines without the last newline.
pub fn explain(verdict: &Verdict<'_>, images: &[Image<'_>], layers: &[String]) -> String {
    let matched = names::matched(verdict, images);
    let mut lines = vec![headline(verdict)];
    if !verdict.message.is_empty() {
        lines.push(format!("  {}", bytes::visible(verdict.message)));
    }
    lines.extend(consequence(verdict).map(|text| format!("  {text}")));
    if !verdict.tree.commands.is_empty() {
        lines.push(String::new());
        lines.push("what it would run:".to_owned());
        lines.extend(tree(&verdict.tree, &matched));
    }
    if !matched.is_empty() {
        lines.push(String::new());
        lines.push("rules that match:".to_owned());
        lines.extend(matched.iter().map(|found| rule(found, &verdict.tree)));
    }
    lines.push(String::new());
    lines.push(format!("policy: {}", layers.join(" < ")));
    lines.join("\n")
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
    }
}

/// What follows from an action that does not speak for itself.
fn consequence(verdict: &Verdict<'_>) -> Option<String> {
    let who = match verdict.action {
        Action::Allow | Action::Deny => return None,
        Action::Watch => return Some("it runs, and is marked in the audit log".to_owned()),
        Action::Ask => "a person has to approve it",
        Action::Webhook => "another service has to approve it",
    };
    let end = if settle(verdict, None).permitted {
        "it runs"
    } else {
        "it is denied"
    };
    Some(format!("{who}; where nobody can be asked, {end}"))
}

fn label(policy: &[u8], rule: &[u8]) -> String {
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

/// The commands, each below the one that it was found in.
fn tree(tree: &Tree<'_>, matched: &[Named<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, command) in tree.commands.iter().enumerate().take(COMMANDS) {
        let indent = "  ".repeat(depth(tree, command).min(20) + 1);
        let via = match command.via {
            Via::Call => String::new(),
            via => format!("{}: ", via.name()),
        };
        let mut notes = facts(command.flags);
        notes.retain(|fact| !matches!(*fact, "wrapper" | "builtin" | "stdin-unknown"));
        let strictest = matched.iter().find(|found| found.command as usize == index);
        let mark = strictest.map(|found| {
            format!(
                "  <- {} {}",
                found.action.name(),
                label(found.policy, found.rule)
            )
        });
        let notes = if notes.is_empty() {
            String::new()
        } else {
            format!("  ({})", notes.join(", "))
        };
        let written = written(tree, command);
        lines.push(format!(
            "{indent}{via}{written}{notes}{}",
            mark.unwrap_or_default()
        ));
    }
    if tree.commands.len() > COMMANDS {
        lines.push(format!("  … and {} more", tree.commands.len() - COMMANDS));
    }
    lines
}

fn depth(tree: &Tree<'_>, command: &Command) -> usize {
    let mut depth = 0;
    let mut at = command;
    while let Some(parent) = tree.parent(at) {
        depth += 1;
        if depth > 64 {
            break;
        }
        at = parent;
    }
    depth
}

/// A command as it would be written, shortened.
fn written(tree: &Tree<'_>, command: &Command) -> String {
    let words = tree
        .words(command.assignments)
        .iter()
        .chain(tree.words(command.words));
    let mut line = bytes::command_line(words.map(|word| tree.bytes(word.text)));
    for redirect in tree.redirects(command) {
        let target = bytes::command_line([tree.bytes(redirect.target.text)]);
        line.push_str(&format!(" {}{target}", operator(redirect.op)));
    }
    if command.pipes_into != 0 {
        line.push_str(" |");
    }
    match line.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or(&line)),
        None => line,
    }
}
