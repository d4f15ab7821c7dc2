//! The production context: what a command would act on. Read from the same options, variables and
//! files as the tools read, in that order. What cannot be found out counts against the call.
//!
//! Only what the tool itself would use is looked at, so a rule on a context is about the programs
//! in [`context::programs`] and holds for no other.

mod cloud;
mod git;
mod hosts;
mod kube;

use crate::command::{Command, UNKNOWN, Word, WordFlags};
use crate::image::Image;
use crate::image::format::{NodeRecord, context};
use crate::path::file_name;
use crate::request::Cwd;
use crate::world::Answer;

use super::command::is_option;
use super::condition::{At, Judge, Tri, patterns};
use super::found::Fault;
use super::lines::{EachSetting, Text, lines, settings};
use crate::list::is_listed;

/// Longest path of a configuration file that is read.
type Path = Text<512>;

/// Longest name of a context that is compared.
type Name = Text<256>;

/// What the values found come to.
struct Seen<'i, 'a> {
    image: &'i Image<'a>,
    record: &'i NodeRecord,
    any: Tri,
    every: Tri,
    fault: Option<Fault>,
}

impl Seen<'_, '_> {
    /// One value that the command would act on.
    fn value(&mut self, value: &[u8]) {
        if value.contains(&UNKNOWN) {
            return self.unknown();
        }
        match patterns(self.image, self.record.first, self.record.count, value) {
            Ok(found) => self.add(found),
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Something that it would act on and that is not known.
    fn unknown(&mut self) {
        self.add(Tri::Unknown);
    }

    /// A value, nothing, or something unknown.
    fn answer(&mut self, answer: Answer<&[u8]>) {
        match answer {
            Answer::Value(value) => self.value(value),
            Answer::Absent => {}
            Answer::Unavailable => self.unknown(),
        }
    }

    fn add(&mut self, found: Tri) {
        self.any = self.any.or(found);
        if found != Tri::Yes && self.every != Tri::No {
            self.every = found;
        }
    }
}

impl<'j> Judge<'j, '_> {
    /// Whether what the command would act on matches: any of it for restrictions, all for grants.
    ///
    /// A frame of its own: few commands get here, and the names it holds take a page.
    #[inline(never)]
    pub fn context(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: At<'j>,
    ) -> Result<Tri, Fault> {
        let (_, command) = at;
        let kind = record.flags;
        let name = match self.program_word(command) {
            Some(word) => file_name(self.tree.bytes(word.text)),
            None => return Ok(Tri::No),
        };
        let programs = context::programs(kind);
        if !programs.is_empty() && !is_listed(programs, name) {
            return Ok(Tri::No);
        }
        self.spend(record.count)?;
        let mut seen = Seen { image, record, any: Tri::No, every: Tri::Yes, fault: None };
        match kind {
            context::KUBE_CONTEXT => self.kube_context(at, name, &mut seen)?,
            context::KUBE_NAMESPACE => self.kube_namespace(at, name, &mut seen)?,
            context::AWS_PROFILE => {
                let profile = self.aws_profile(at)?;
                seen.answer(profile);
            }
            context::AWS_ACCOUNT => self.aws_account(at, &mut seen)?,
            context::GCLOUD_PROJECT => self.gcloud_project(at, name, &mut seen)?,
            context::TERRAFORM_WORKSPACE => self.terraform_workspace(at, &mut seen)?,
            context::GIT_REMOTE => self.git_remote(at, &mut seen)?,
            context::GIT_BRANCH => self.git_branch(at, &mut seen)?,
            context::DATABASE_HOST => self.database_host(at, name, &mut seen)?,
            context::HOST => self.machine(at, name, &mut seen),
            _ => return Err(Fault::Corrupt),
        }
        match seen.fault {
            Some(fault) => Err(fault),
            None if self.grants && seen.any != Tri::No => Ok(seen.every),
            // A process that loads us is judged again where the directory is known.
            None if seen.any == Tri::Unknown && self.waits_for_directory(command) => Ok(Tri::No),
            None => Ok(seen.any),
        }
    }

    /// The value of the last of the options `names` (separated by blanks) that is given: `--name x`,
    /// `--name=x`, `-n x`, `-nx`.
    fn option(&self, command: &Command, names: &[u8]) -> Answer<&'j [u8]> {
        let mut found = Answer::Absent;
        let mut words = self.tree.words(command.words).iter().skip(1);
        while let Some(word) = words.next() {
            let text = self.tree.bytes(word.text);
            if text == b"--" {
                break;
            }
            for name in names.split(|byte| *byte == b' ') {
                let value = match text.strip_prefix(name) {
                    Some([]) => words.next().map(|word| self.tree.bytes(word.text)),
                    Some([b'=', value @ ..]) => Some(value),
                    Some(value) if name.len() == 2 && !name.ends_with(b"-") => Some(value),
                    _ => continue,
                };
                found = match value {
                    Some(value) if !value.contains(&UNKNOWN) => Answer::Value(value),
                    Some(_) => Answer::Unavailable,
                    None => Answer::Absent,
                };
                break;
            }
        }
        found
    }

    /// Whether one of the flags `names` is given.
    fn has_flag(&self, command: &Command, names: &[u8]) -> bool {
        let mut words = self.tree.words(command.words).iter().skip(1);
        words.any(|word| is_listed(names, self.tree.bytes(word.text)))
    }

    /// The words that are no options and no values of the options `valued`, from word `from` on.
    fn operands(
        &self,
        command: &Command,
        from: usize,
        valued: &'static [u8],
    ) -> impl Iterator<Item = &'j Word> + use<'j, '_> {
        let tree = self.tree;
        let mut words = tree.words(command.words).iter().skip(from);
        let mut literal = false;
        core::iter::from_fn(move || {
            loop {
                let word = words.next()?;
                let text = tree.bytes(word.text);
                if literal || !is_option(text) {
                    return Some(word);
                }
                if text == b"--" {
                    literal = true;
                } else if is_listed(valued, text) {
                    words.next();
                }
            }
        })
    }

    /// The first of the variables `names` (separated by blanks) that is set and not empty.
    fn first_variable(&self, at: At<'j>, names: &[u8]) -> Result<Answer<&'j [u8]>, Fault> {
        for name in names.split(|byte| *byte == b' ') {
            match self.variable(Some(at), name)? {
                Answer::Absent | Answer::Value([]) => {}
                found => return Ok(found),
            }
        }
        Ok(Answer::Absent)
    }

    /// The file that `variable` names, else `tail` in the home directory.
    fn configuration(
        &self,
        at: At<'j>,
        variable: &[u8],
        tail: &[u8],
        out: &mut Path,
    ) -> Result<bool, Fault> {
        let named = match variable {
            [] => Answer::Absent,
            name => self.first_variable(at, name)?,
        };
        Ok(match named {
            Answer::Value(path) => self.below(at, path, out),
            Answer::Unavailable => false,
            Answer::Absent => match self.variable(Some(at), b"HOME")? {
                Answer::Value(home) => out.set_path(home, tail).is_some(),
                Answer::Absent | Answer::Unavailable => false,
            },
        })
    }

    /// Makes `path` absolute as the command would, with a `~` that a tool expands itself.
    fn below(&self, (_, command): At<'j>, path: &[u8], out: &mut Path) -> bool {
        if let (Some(rest), Some(home)) = (path.strip_prefix(b"~/"), self.home) {
            return out.set_path(home, rest).is_some();
        }
        let base = match self.cwd(command).known_to(self.world) {
            Cwd::Known(base) => base,
            _ if path.first() == Some(&b'/') => b"/",
            Cwd::Unknown | Cwd::OnDemand => return false,
        };
        out.set_path(base, path).is_some()
    }

    /// The lines of a file; see [`lines`].
    fn lines(
        &mut self,
        path: &[u8],
        each: &mut dyn FnMut(&[u8], bool) -> bool,
    ) -> Result<Answer<()>, Fault> {
        self.spend(256)?;
        Ok(lines(self.world, path, self.line, each))
    }

    /// The settings of a file; see [`settings`].
    fn settings(&mut self, path: &[u8], each: &mut EachSetting<'_>) -> Result<Answer<()>, Fault> {
        self.spend(256)?;
        Ok(settings(self.world, path, self.line, each))
    }

    /// The text of a word; `None` if something of it is not known.
    fn known(&self, word: &Word) -> Option<&'j [u8]> {
        let text = self.tree.bytes(word.text);
        (!word.flags.has(WordFlags::DYNAMIC) && !text.contains(&UNKNOWN)).then_some(text)
    }
}
