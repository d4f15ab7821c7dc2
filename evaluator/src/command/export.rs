//! Which variables the processes that are started get, and which stand for other ones.

use super::limits::Step;
use super::shell::Shell;
use super::vars::{MAX_VALUES, SHOWN, kind};
use super::{Run, Var};

impl Shell<'_, '_> {
    /// Whether a started process gets the variable.
    pub fn is_exported(&self, entry: &Var) -> bool {
        let name = self.bytes(entry.name);
        entry.scope & kind::EXPORTED != 0
            || SHOWN.contains(&name)
            || name == b"PATH"
            || self.env.get(name).is_some()
    }

    /// `export NAME[=VALUE] …`, `declare -x NAME …`.
    pub fn export(&mut self, args: Run) {
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            let name = self.assignment_parts(word).map_or(word.text, |(name, _)| name);
            let mut found = [0_usize; MAX_VALUES];
            let entries = self.named(kind::VARIABLE, self.bytes(name));
            let mut count = 0_usize;
            for ((at, entry), slot) in entries.zip(found.iter_mut()) {
                *slot = at;
                count = count.saturating_add(1);
                if entry.scope & kind::MAYBE == 0 {
                    break;
                }
            }
            for at in found.iter().take(count) {
                if let Some(entry) = self.vars.get_mut(*at) {
                    entry.scope |= kind::EXPORTED;
                }
            }
        }
    }

    /// `declare [-n] [-x] NAME[=VALUE] …`.
    pub fn declare(&mut self, args: Run) -> Step {
        let options = |letter: u8| {
            let text = |nth| self.bytes(self.arg(args, nth).unwrap_or_default().text);
            (0..args.count).map(text).any(|t| t.first() == Some(&b'-') && t.contains(&letter))
        };
        let (references, exported) = (options(b'n'), options(b'x'));
        if references {
            self.declare_references(args)?;
        }
        if exported {
            self.export(args);
        }
        Ok(())
    }

    /// `declare -n NAME=OTHER …`: whoever says NAME means OTHER.
    fn declare_references(&mut self, args: Run) -> Step {
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            let parts = self.assignment_parts(word).filter(|(name, value)| {
                self.bytes(*name) != self.bytes(value.text) && value.text.len > 0
            });
            if let Some((name, value)) = parts {
                self.set(kind::VARIABLE | kind::REFERENCE, name, value)?;
            }
        }
        Ok(())
    }
}
