//! Other readings of a command, which only restrictive text patterns look at. A pattern has one
//! spelling, a command has many; whoever wrote `rm -rf /` meant all of them.

use crate::command::{Command, CommandFlags};
use crate::image::Image;
use crate::image::format::NodeRecord;
use crate::path::{clean_above, file_name};

use super::command::{is_flag, is_option};
use super::condition::{Judge, Tri, patterns};
use super::found::Fault;

/// How a forced recursive removal is spelled in patterns.
const REMOVAL: &[u8] = b"rm -rf ";

impl Judge<'_, '_> {
    /// Whether some other reading of the command matches: the whole text that a shell is given,
    /// or one operand of a removal, in the usual spelling of its flags and path.
    pub fn other_readings(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Tri, Fault> {
        let mut any = Tri::No;
        if command.flags.has(CommandFlags::RUNS_TEXT) {
            for (_, text, _) in self.arguments(command) {
                let text = text.trim_ascii();
                any = any.or(patterns(image, record.first, record.count, text)?);
            }
        }
        if any == Tri::Yes || !self.is_removal(command) {
            return Ok(any);
        }
        let (some, _) = self.removal(image, record, command)?;
        Ok(any.or(some))
    }

    /// Whether a pattern that fits the whole text of a removal fits each of its operands too: the
    /// stars of `rm -rf /tmp/**` would cross into the next operand. Holds for other commands.
    pub fn fits_every_operand(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<bool, Fault> {
        if !self.is_removal(command) {
            return Ok(true);
        }
        let (_, every) = self.removal(image, record, command)?;
        Ok(every)
    }

    /// Whether some and whether every operand of a removal matches.
    fn removal(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<(Tri, bool), Fault> {
        let (mut some, mut every) = (Tri::No, true);
        let tree = self.tree;
        let mut literal = false;
        self.spend(command.words.count)?;
        for word in tree.words(command.words).iter().skip(1) {
            let text = tree.bytes(word.text);
            if !literal && (text == b"--" || is_option(text)) {
                literal = text == b"--";
                continue;
            }
            self.spend_on(record.count, text.len())?;
            let operand = match text.first() {
                Some(b'/') => {
                    let at = self.spellings.remember(b"/", text);
                    at.map(|at| self.spellings.lexical(at))
                }
                _ => Some(text),
            };
            let value = operand.and_then(|operand| joined(self.line, operand));
            let mut this = match value {
                Some(value) => patterns(image, record.first, record.count, value)?,
                None => Tri::Unknown,
            };
            if this == Tri::No
                && let Some(above) = above(self.line, text)
            {
                this = patterns(image, record.first, record.count, above)?;
            }
            some = some.or(this);
            every &= this == Tri::Yes;
        }
        Ok((some, every))
    }

    /// Whether it is `rm` with both flags, in any spelling.
    pub fn is_removal(&self, command: &Command) -> bool {
        let name = self.tree.program(command).map(|(_, text)| file_name(text));
        let has = |flags: &[&[u8]]| {
            self.arguments(command).any(|(_, text, literal)| {
                !literal && flags.iter().any(|flag| is_flag(text, flag, false))
            })
        };
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"rm"))
            && has(&[b"-r", b"-R", b"--recursive"])
            && has(&[b"-f", b"--force"])
    }
}

/// [`REMOVAL`] and the clean form of an operand that leads above the directory, in `out`; `None`
/// for any other operand.
fn above<'b>(out: &'b mut [u8], operand: &[u8]) -> Option<&'b [u8]> {
    let (head, tail) = out.split_at_mut_checked(REMOVAL.len())?;
    head.iter_mut().zip(REMOVAL).for_each(|(to, from)| *to = *from);
    let len = clean_above(operand, tail)?.len();
    out.get(..REMOVAL.len().saturating_add(len))
}

/// [`REMOVAL`] and `operand`, in `out`; `None` if it is too small.
fn joined<'b>(out: &'b mut [u8], operand: &[u8]) -> Option<&'b [u8]> {
    let len = REMOVAL.len().saturating_add(operand.len());
    let line = out.get_mut(..len)?;
    let bytes = REMOVAL.iter().chain(operand);
    line.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    Some(line)
}
