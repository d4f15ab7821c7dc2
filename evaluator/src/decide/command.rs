//! Tests that look at one command of the tree.

use crate::command::{Command, Word, WordFlags};
use crate::image::Image;
use crate::image::format::{NodeRecord, node};
use crate::path::file_name;
use crate::request::Call;

use super::condition::{At, Judge, Tri, matches, patterns};
use super::found::Fault;
use super::operands::Files;
use super::patterns::{of_record, records};
use super::seen::Recent;

/// Builtins whose operands `NAME=value` are assignments too.
const ASSIGNERS: [&[u8]; 7] =
    [b"export", b"declare", b"typeset", b"readonly", b"local", b"env", b"sudo"];

/// Where a link's own name can be believed.
const SYSTEM_DIRECTORIES: [&[u8]; 6] =
    [b"/bin/", b"/sbin/", b"/usr/bin/", b"/usr/sbin/", b"/usr/local/bin/", b"/usr/local/sbin/"];

impl<'j> Judge<'j, '_> {
    /// Evaluates a test of the command `at`.
    pub fn command_test(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: At<'j>,
    ) -> Result<Tri, Fault> {
        let (index, command) = at;
        match record.kind {
            node::COMMAND_GLOB | node::COMMAND_CONTAINS => self.text(image, record, index, command),
            node::PROGRAM => self.program(image, record, index, command),
            node::FLAG => self.flag(image, record, command),
            node::SUBCOMMAND => self.subcommand(image, record, command),
            node::OPERAND if record.flags & 1 != 0 => self.path_operands(image, record, command),
            node::OPERAND => self.text_operands(image, record, command),
            node::READS => self.touched(image, record, command, Files::Read),
            node::WRITES => self.touched(image, record, command, Files::Written),
            node::REDIRECTS_TO => self.touched(image, record, command, Files::Redirected),
            node::CONTEXT => self.context(image, record, at),
            node::EXE_PATH => self.executable(image, record, at),
            node::WRITTEN => self.written(at),
            node::EXE_SHA256 => self.digest(image, record, at),
            node::PIPES_INTO => self.pipes_into(image, record, command),
            node::INSIDE => Ok(Tri::from(u32::from(command.inside) & record.number != 0)),
            node::ENV_ASSIGNS => self.assigns(image, record, command),
            node::SQL => Ok(Tri::from(self.sql(command)? & record.number != 0)),
            node::EFFECTS => Ok(Tri::from(self.effects(at)? & record.number != 0)),
            node::COMMAND_FACT => Ok(Tri::from(command.flags.0 & record.number != 0)),
            _ => Err(Fault::Corrupt),
        }
    }

    /// Restrictive rules look at every form, grants only at the command as it was written.
    fn text(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        index: usize,
        command: &Command,
    ) -> Result<Tri, Fault> {
        let some = |value: &[u8]| patterns(image, record.first, record.count, value);
        if index == 0
            && let Call::Shell(text) = self.request.call
        {
            self.spend_on(record.count, text.len())?;
            // An exclusion that fits the whole text holds for it if it is one command.
            let several = |byte: &u8| matches!(byte, b';' | b'&' | b'\n');
            return if self.grants && text.iter().any(several) {
                Ok(Tri::No)
            } else {
                some(text.trim_ascii())
            };
        }
        if command.words.count == 0 {
            return Ok(Tri::No);
        }
        let Some(len) = self.forms.of(self.tree, index, command).map(|[full, ..]| full.len())
        else {
            return Ok(Tri::Unknown);
        };
        self.spend_on(record.count.saturating_mul(2), len)?;
        let Some([full, short, bare]) = self.forms.of(self.tree, index, command) else {
            return Ok(Tri::Unknown);
        };
        let mut found = some(full)?;
        if self.grants {
            let fits = found == Tri::Yes && self.fits_every_operand(image, record, command)?;
            return Ok(if fits { Tri::Yes } else { Tri::No });
        }
        for (form, other) in [(short, full), (bare, short)] {
            if found != Tri::Yes && form.len() != other.len() {
                found = found.or(some(form)?);
            }
        }
        if found == Tri::Yes {
            return Ok(found);
        }
        Ok(found.or(self.other_readings(image, record, command)?))
    }

    /// Whether the program's name matches.
    pub fn program(
        &self,
        image: &Image<'_>,
        record: &NodeRecord,
        index: usize,
        command: &Command,
    ) -> Result<Tri, Fault> {
        if self.program_word(command).is_none() {
            return Ok(Tri::No);
        }
        let names = self.names(index, command);
        let [word, file, resolved] = names;
        if let (Some(word), None, None) = (word, file, resolved) {
            return patterns(image, record.first, record.count, word);
        }
        // Whoever can write to a system directory needs no link to be trusted.
        let linked = resolved.filter(|_| !self.is_system_file());
        let trusted = [word, file, linked];
        let mut any = Tri::No;
        let mut all = Tri::Yes;
        for name in if self.grants { trusted } else { names }.into_iter().flatten() {
            let this = patterns(image, record.first, record.count, name)?;
            any = any.or(this);
            if this != Tri::Yes {
                all = this;
            }
        }
        Ok(if self.grants { all } else { any })
    }

    /// Whether the file that was named lies where only root writes.
    pub fn is_system_file(&self) -> bool {
        let (Call::Exec { file, .. } | Call::Operation { program: file, .. }) = self.request.call
        else {
            return false;
        };
        let len = file.len().saturating_sub(file_name(file).len());
        SYSTEM_DIRECTORIES.contains(&file.get(..len).unwrap_or(&[]))
    }

    /// The program word, unless nothing of it is known.
    pub fn program_word(&self, command: &Command) -> Option<&Word> {
        let (word, _) = self.tree.program(command)?;
        (!word.flags.has(WordFlags::DYNAMIC)).then_some(word)
    }

    /// The words behind the program, each with whether `--` stands before it.
    pub fn arguments(&self, command: &Command) -> impl Iterator<Item = (Word, &[u8], bool)> {
        let tree = self.tree;
        let mut literal = false;
        tree.words(command.words).iter().skip(1).filter_map(move |word| {
            let text = tree.bytes(word.text);
            if text == b"--" && !literal {
                literal = true;
                return None;
            }
            Some((*word, text, literal))
        })
    }

    fn flag(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Tri, Fault> {
        for found in records(image, record.first, record.count)? {
            let wanted = image.text(found.text, found.len).ok_or(Fault::Corrupt)?;
            if !self.seen.may_have_flag(self.tree, command, wanted) {
                continue;
            }
            let mut words = self.arguments(command);
            self.spend(command.words.count)?;
            if words.any(|(_, text, literal)| !literal && is_flag(text, wanted, self.grants)) {
                return Ok(Tri::Yes);
            }
        }
        Ok(Tri::No)
    }

    /// The first operand; restrictive rules also look behind what may be the value of an option.
    fn subcommand(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Tri, Fault> {
        if self.word_candidates(image, record, command)?.is_empty() {
            return Ok(Tri::No);
        }
        let mut behind_option = false;
        let mut recent = Recent::of(command);
        for (word, text, literal) in self.arguments(command) {
            if is_option(text) && !literal {
                behind_option = !text.contains(&b'=');
                continue;
            }
            // The same word was no match before.
            let mut found = Tri::No;
            if !recent.as_mut().is_some_and(|recent| recent.has(text, word.flags)) {
                self.spend_on(record.count, text.len())?;
                found = patterns(image, record.first, record.count, text)?;
            }
            if found != Tri::No || self.grants || !behind_option {
                return Ok(found);
            }
            behind_option = false;
        }
        Ok(Tri::No)
    }

    fn text_operands(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Tri, Fault> {
        let candidates = self.word_candidates(image, record, command)?;
        if candidates.is_empty() {
            return Ok(Tri::No);
        }
        let mut any = Tri::No;
        let mut recent = Recent::of(command);
        for (word, text, literal) in self.arguments(command) {
            self.spend(1)?;
            if (is_option(text) && !literal)
                || word.flags.has(WordFlags::DYNAMIC)
                || recent.as_mut().is_some_and(|recent| recent.has(text, word.flags))
            {
                continue;
            }
            self.spend_on(record.count, text.len())?;
            for (position, found) in (0..).zip(records(image, record.first, record.count)?) {
                if candidates.has(position) {
                    any = any.or(of_record(image, &found, text)?);
                }
                if any == Tri::Yes {
                    return Ok(any);
                }
            }
        }
        Ok(any)
    }

    fn assigns(
        &self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Tri, Fault> {
        let mut any = Tri::No;
        for word in self.tree.words(command.assignments) {
            any = any.or(assigned(image, record, self.tree.bytes(word.text))?);
        }
        let program = self.tree.program(command).map(|(_, text)| file_name(text));
        if program.is_some_and(|name| ASSIGNERS.contains(&name)) {
            for (_, text, _) in self.arguments(command) {
                any = any.or(assigned(image, record, text)?);
            }
        }
        Ok(any)
    }
}

/// Whether the name in `name=value` (or `name+=value`) matches; a pattern that holds a `=` is
/// compared with the whole word.
fn assigned(image: &Image<'_>, record: &NodeRecord, word: &[u8]) -> Result<Tri, Fault> {
    let Some(at) = word.iter().position(|byte| *byte == b'=') else {
        return Ok(Tri::No);
    };
    let name = word.get(..at).unwrap_or(&[]);
    let name = name.strip_suffix(b"+").unwrap_or(name);
    let mut any = Tri::No;
    for index in record.first..record.first.saturating_add(record.count) {
        let (pattern, text) = image.pattern(index).ok_or(Fault::Corrupt)?;
        let value = if text.contains(&b'=') { word } else { name };
        any = any.or(matches(&pattern, text, value)?);
    }
    Ok(any)
}

/// Whether a word has the form of an option.
pub const fn is_option(text: &[u8]) -> bool {
    matches!(text, [b'-', _, ..])
}

/// Whether `text` is the option `wanted` in some spelling (`node::FLAG`). `exact`: only spellings
/// that can mean nothing else.
pub fn is_flag(text: &[u8], wanted: &[u8], exact: bool) -> bool {
    let name = text.split(|byte| *byte == b'=').next().unwrap_or(text);
    if name == wanted {
        return true;
    }
    match (wanted, name) {
        ([b'-', b'-', long @ ..], [b'-', b'-', given @ ..]) => {
            let rest = long.strip_prefix(given);
            !exact && given.len() >= 3 && rest.is_some_and(|rest| rest.first() != Some(&b'-'))
        }
        ([b'-', letter], [b'-', cluster @ ..]) if cluster.first() != Some(&b'-') => {
            let mut letters = cluster.iter().take_while(|byte| byte.is_ascii_alphanumeric());
            letters.any(|byte| byte == letter)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_every_spelling() {
        for (text, wanted, loose, exact) in [
            ("-r", "-r", true, true),
            ("-rf", "-r", true, true),
            ("-fr", "-r", true, true),
            ("-f", "-r", false, false),
            ("--recursive", "--recursive", true, true),
            ("--rec", "--recursive", true, false),
            ("--re", "--recursive", false, false),
            ("--recursive=x", "--recursive", true, true),
            ("--recursively", "--recursive", false, false),
            ("--force", "--force-with-lease", false, false),
            ("--recursive", "-r", false, false),
            ("-exec", "-exec", true, true),
            ("-executable", "-exec", false, false),
            ("r", "-r", false, false),
            ("-", "-r", false, false),
        ] {
            let got = |exact| is_flag(text.as_bytes(), wanted.as_bytes(), exact);
            assert_eq!((got(false), got(true)), (loose, exact), "{text} for {wanted}");
        }
    }
}
