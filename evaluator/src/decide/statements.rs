//! What a command does: the SQL that it is given, as an argument or as input, and its effects.

use crate::command::{Command, RedirectOp};
use crate::{effects, sql};

use super::condition::{At, Judge};
use super::found::Fault;

impl Judge<'_, '_> {
    /// What SQL that the command gets does (`sql::effect`).
    pub fn sql(&self, command: &Command) -> Result<u32, Fault> {
        let words = self.tree.words(command.words).iter().skip(1);
        let arguments = words.map(|word| option_value(self.tree.bytes(word.text)));
        let redirects = self.tree.redirects(command).iter();
        let inputs = redirects
            .filter(|redirect| matches!(redirect.op, RedirectOp::HereDoc | RedirectOp::HereString))
            .map(|redirect| self.tree.bytes(redirect.target.text));
        arguments.chain(inputs).chain([self.tree.bytes(command.stdin)]).try_fold(
            0,
            |found, text| {
                self.spend_on(1, text.len())?;
                Ok(found | sql::effects(text))
            },
        )
    }
}

impl<'j> Judge<'j, '_> {
    /// What a command does (`effects::Kinds`).
    pub fn effects(&self, (index, command): At<'j>) -> Result<u32, Fault> {
        // Every word is compared with some hundred names and patterns.
        let words = self.tree.words(command.words).iter();
        let bytes = words.fold(0, |sum, word| (word.text.len as usize).saturating_add(sum));
        self.spend_on(64, bytes)?;
        let mut found = effects::Kinds::default();
        let cwd = self.request.cwd.known_to(self.world);
        let around = effects::Around { cwd, ..effects::Around::of(self.request) };
        effects::of_command(self.tree, &around, (index, command), &mut |effect| {
            found = found.with(effect.kind);
        });
        Ok(found.0)
    }
}

/// What an option is given in the same word (`--command=x`, `-ex`); a word that is none, whole.
fn option_value(text: &[u8]) -> &[u8] {
    match text {
        // Text that begins with a comment, not an option.
        [b'-', b'-', first, ..] if !first.is_ascii_alphabetic() => text,
        [b'-', b'-', name @ ..] => {
            let at = name.iter().position(|byte| *byte == b'=');
            at.and_then(|at| name.get(at.saturating_add(1)..)).unwrap_or(&[])
        }
        [b'-', _, value @ ..] => value,
        _ => text,
    }
}
