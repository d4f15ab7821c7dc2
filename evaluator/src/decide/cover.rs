//! Which commands an allow has to cover. A wrapper that changes nothing of note (`env`, `nohup`,
//! `sh -c`) is covered by what it runs; one that changes who or where (`sudo`, `ssh`) is not.

use crate::command::{Command, CommandFlags, RedirectOp, Tree};

/// Whether an allow has to cover `command`.
#[must_use]
pub fn needs(tree: &Tree<'_>, command: &Command) -> bool {
    if command.words.count == 0 {
        return tree.redirects(command).iter().any(|redirect| {
            matches!(redirect.op, RedirectOp::Write | RedirectOp::Append | RedirectOp::ReadWrite)
        });
    }
    !(command.flags.has(CommandFlags::WRAPPER) && command.flags.has(CommandFlags::RUNS_PLAIN))
}

/// How many commands an allow has to cover; at least one, so that nothing is granted by default.
#[must_use]
pub fn needed(tree: &Tree<'_>) -> u32 {
    let count = tree.commands.iter().filter(|command| needs(tree, command));
    u32::try_from(count.count()).unwrap_or(u32::MAX).max(1)
}

/// Index of the first command that an allow has to cover.
#[must_use]
pub fn first(tree: &Tree<'_>) -> u32 {
    let found = tree.commands.iter().position(|command| needs(tree, command));
    u32::try_from(found.unwrap_or(0)).unwrap_or(0)
}
