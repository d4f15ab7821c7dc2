//! `disable` and `lock`: rules that a person has switched off, wholly or for one exact command, and
//! rules that nobody may. Only the user's and the system's layers are listened to.

use crate::command::{Command, Tree, Via};
use crate::image::Image;
use crate::image::format::{ExceptionRecord, RuleRecord, Section, exception, level};
use crate::request::Call;
use crate::world::{Answer, Once};

use super::condition::{At, Judge};
use super::found::Fault;

impl<'j> Judge<'j, '_> {
    /// Whether `rule`, which holds for the command at hand, is switched off.
    pub fn is_disabled(
        &self,
        image: &Image<'_>,
        rule: &RuleRecord,
        at: Option<At<'j>>,
    ) -> Result<bool, Fault> {
        let policy = image.policy(rule.policy).ok_or(Fault::Corrupt)?;
        let policy = image.text(policy.name, policy.name_len).ok_or(Fault::Corrupt)?;
        let name = image.text(rule.name, rule.name_len).ok_or(Fault::Corrupt)?;
        let mut disabled = false;
        for layer in self.images {
            let level = layer.header.level;
            if !matches!(level, level::SYSTEM | level::USER) {
                continue;
            }
            for index in 0..layer.count(Section::Exceptions) {
                self.spend(1)?;
                let entry = layer.exception(index).ok_or(Fault::Corrupt)?;
                if !names(layer, &entry, policy, name)? {
                    continue;
                }
                match entry.kind {
                    exception::LOCK if level == level::SYSTEM => return Ok(false),
                    exception::LOCK => {}
                    exception::DISABLE | exception::DISABLE_WORDS => {
                        disabled |= self.is_timely(&entry)
                            && self.is_about(layer, &entry, at)?
                            && (entry.flags & 1 == 0
                                || self.may_use(policy, name, entry.expires_at));
                    }
                    _ => return Err(Fault::Corrupt),
                }
            }
        }
        Ok(disabled)
    }

    /// Whether a second party lets the call use what holds once.
    fn may_use(&self, policy: &[u8], rule: &[u8], expires_at: u64) -> bool {
        self.world.may_use(&Once { policy, rule, expires_at })
    }

    /// The same for a rule that grants once.
    pub fn may_use_rule(&self, image: &Image<'_>, rule: &RuleRecord) -> Result<bool, Fault> {
        let policy = image.policy(rule.policy).ok_or(Fault::Corrupt)?;
        let policy = image.text(policy.name, policy.name_len).ok_or(Fault::Corrupt)?;
        let name = image.text(rule.name, rule.name_len).ok_or(Fault::Corrupt)?;
        Ok(self.may_use(policy, name, rule.expires_at))
    }

    /// Whether its time is not over.
    fn is_timely(&self, entry: &ExceptionRecord) -> bool {
        let ends = entry.expires_at != 0;
        let over = || match self.world.now() {
            Answer::Value(now) => now >= entry.expires_at,
            Answer::Absent | Answer::Unavailable => true,
        };
        !(ends && over())
    }

    /// Whether it is about the command at hand: about every one, or about exactly this or one that
    /// this was found in.
    fn is_about(
        &self,
        layer: &Image<'_>,
        entry: &ExceptionRecord,
        at: Option<At<'j>>,
    ) -> Result<bool, Fault> {
        if entry.count == 0 {
            return Ok(true);
        }
        self.alike.note_surroundings();
        let tree = self.tree;
        let mut step = at.map(|(_, command)| command).or(tree.commands.first());
        let mut inner: Option<&Command> = None;
        while let Some(command) = step {
            let is_it = if entry.kind == exception::DISABLE_WORDS {
                has_words(tree, command, layer, entry)?
            } else {
                let (_, text) = layer.pattern(entry.first).ok_or(Fault::Corrupt)?;
                let root = tree.commands.first().is_some_and(|root| core::ptr::eq(root, command));
                let whole = matches!(self.request.call, Call::Shell(all) if root && all.trim_ascii() == text);
                let runs = inner.is_some_and(|inner| inner.via == Via::Shell);
                whole || is_text(tree, command, text) || (runs && has_argument(tree, command, text))
            };
            if is_it {
                return Ok(true);
            }
            inner = Some(command);
            step = tree.parent(command);
        }
        Ok(false)
    }
}

fn names(
    layer: &Image<'_>,
    entry: &ExceptionRecord,
    policy: &[u8],
    rule: &[u8],
) -> Result<bool, Fault> {
    if layer.text(entry.policy, entry.policy_len).ok_or(Fault::Corrupt)? != policy {
        return Ok(false);
    }
    let named = layer.text(entry.rule, entry.rule_len).ok_or(Fault::Corrupt)?;
    Ok(named.is_empty() || named == rule)
}

/// Whether the words of `command` are exactly those of the entry.
fn has_words(
    tree: &Tree<'_>,
    command: &Command,
    layer: &Image<'_>,
    entry: &ExceptionRecord,
) -> Result<bool, Fault> {
    if command.words.count != entry.count {
        return Ok(false);
    }
    for (index, word) in (entry.first..).zip(tree.words(command.words)) {
        let (_, wanted) = layer.pattern(index).ok_or(Fault::Corrupt)?;
        if tree.bytes(word.text) != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the words of `command`, joined by blanks, are `text`. A word with a blank in it is not
/// two words.
fn is_text(tree: &Tree<'_>, command: &Command, text: &[u8]) -> bool {
    let mut rest = Some(text);
    for (index, word) in tree.words(command.words).iter().enumerate() {
        let word = tree.bytes(word.text);
        if word.is_empty() || word.iter().any(u8::is_ascii_whitespace) {
            return false;
        }
        let tail = if index == 0 { rest } else { rest.and_then(|rest| rest.strip_prefix(b" ")) };
        rest = tail.and_then(|tail| tail.strip_prefix(word));
    }
    command.words.count > 0 && rest == Some(b"")
}

/// Whether `text` is an argument of `command`, which runs it.
fn has_argument(tree: &Tree<'_>, command: &Command, text: &[u8]) -> bool {
    let mut arguments = tree.words(command.words).iter().skip(1);
    arguments.any(|word| tree.bytes(word.text).trim_ascii() == text)
}
