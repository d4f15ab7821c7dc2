//! Git: the remote that a command talks to and the branch that it pushes to or works on.

use crate::command::Command;
use crate::path::file_name;
use crate::world::Answer;

use super::super::condition::{At, Judge};
use super::super::found::Fault;
use super::super::lines::Text;
use super::{Name, Path, Seen};

/// Options of git itself that take a value (git(1)).
const GLOBAL: &[u8] = b" -C -c --git-dir --work-tree --namespace --exec-path --super-prefix --config-env --attr-source ";

/// Options of `push`, `fetch` and `pull` that take a value.
const VALUED: &[u8] = b" -o --push-option --repo --receive-pack --exec --upload-pack --depth --deepen --shallow-since --shallow-exclude --refmap --server-option --negotiation-tip -j --jobs -s --strategy -X --strategy-option ";

/// Most directories that are looked at upwards for a repository.
const LEVELS: usize = 64;

/// A repository: where its HEAD and its configuration lie.
struct Repository {
    head: Path,
    config: Path,
}

impl<'j> Judge<'j, '_> {
    /// The remote that is given, or the one that is configured: by its name and its addresses.
    pub(super) fn git_remote(&mut self, at: At<'j>, seen: &mut Seen<'_, '_>) -> Result<(), Fault> {
        let (verb, from) = self.verb(at.1);
        if !matches!(verb, b"push" | b"fetch" | b"pull" | b"ls-remote" | b"clone") {
            return Ok(());
        }
        let first = self.operands(at.1, from, VALUED).next();
        let given = match self.option(at.1, b"--repo") {
            Answer::Absent => first.map(|word| self.known(word)),
            Answer::Value(value) => Some(Some(value)),
            Answer::Unavailable => Some(None),
        };
        let repository = self.repository(at)?;
        let mut remote = Text::<512>::new();
        match (given, &repository) {
            (Some(None), _) => seen.unknown(),
            (Some(Some(given)), _) => {
                if remote.set(given).is_none() {
                    seen.unknown();
                }
            }
            // `clone` without an operand does nothing.
            (None, Answer::Absent) => return Ok(()),
            (None, Answer::Unavailable) => seen.unknown(),
            (None, Answer::Value(found)) => {
                if self.default_remote(found, verb == b"push", &mut remote)?.is_none() {
                    seen.unknown();
                }
            }
        }
        if remote.get().is_empty() {
            return Ok(());
        }
        seen.value(remote.get());
        match repository {
            Answer::Value(found) => {
                let read = self.settings(found.config.get(), &mut |section, key, value| {
                    if subsection(section, b"remote") == Some(remote.get())
                        && (key.eq_ignore_ascii_case(b"url")
                            || key.eq_ignore_ascii_case(b"pushurl"))
                    {
                        seen.value(value);
                    }
                    false
                })?;
                if read == Answer::Unavailable {
                    seen.unknown();
                }
            }
            Answer::Absent => {}
            Answer::Unavailable => seen.unknown(),
        }
        Ok(())
    }

    /// The branches that a push changes, or the branch that other commands work on.
    pub(super) fn git_branch(&mut self, at: At<'j>, seen: &mut Seen<'_, '_>) -> Result<(), Fault> {
        let (verb, from) = self.verb(at.1);
        if verb != b"push" {
            return self.current_branch(at, seen);
        }
        if self.has_flag(at.1, b" --all --branches --mirror ") {
            seen.unknown();
        }
        let repo_given = self.option(at.1, b"--repo") != Answer::Absent;
        let skip = usize::from(!repo_given);
        let mut any = false;
        let mut is_tag = false;
        let mut current = false;
        for word in self.operands(at.1, from, VALUED).skip(skip) {
            any = true;
            let Some(text) = self.known(word) else {
                seen.unknown();
                continue;
            };
            if core::mem::take(&mut is_tag) {
                continue;
            }
            is_tag = text == b"tag";
            if is_tag {
                continue;
            }
            let text = text.strip_prefix(b"+").unwrap_or(text);
            let target = text.rsplit(|byte| *byte == b':').next().unwrap_or(text);
            let target = target.strip_prefix(b"refs/heads/").unwrap_or(target);
            match target {
                b"HEAD" | b"@" => current = true,
                // `:` pushes every branch that the other side has.
                [] => seen.unknown(),
                _ if target.contains(&b'*') => seen.unknown(),
                _ if target.starts_with(b"refs/") => {}
                _ => seen.value(target),
            }
        }
        let only_tags = !any && self.has_flag(at.1, b" --tags ");
        if current || (!any && !only_tags) {
            self.current_branch(at, seen)?;
        }
        Ok(())
    }

    /// Git's own command and the position of the word behind it.
    fn verb(&self, command: &Command) -> (&'j [u8], usize) {
        let Some(word) = self.operands(command, 1, GLOBAL).next() else {
            return (b"", 0);
        };
        let words = self.tree.words(command.words);
        let at = words.iter().position(|other| core::ptr::eq(other, word)).unwrap_or(0);
        (self.tree.bytes(word.text), at.saturating_add(1))
    }

    fn current_branch(&mut self, at: At<'j>, seen: &mut Seen<'_, '_>) -> Result<(), Fault> {
        match self.repository(at)? {
            Answer::Value(found) => {
                let mut branch = Name::new();
                match self.checked_out(&found, &mut branch)? {
                    Some(()) if branch.get().is_empty() => {}
                    Some(()) => seen.value(branch.get()),
                    None => seen.unknown(),
                }
            }
            Answer::Absent => {}
            Answer::Unavailable => seen.unknown(),
        }
        Ok(())
    }

    /// The branch that HEAD names; empty if none is checked out, `None` if it cannot be known.
    fn checked_out(&mut self, found: &Repository, out: &mut Name) -> Result<Option<()>, Fault> {
        let mut known = false;
        self.lines(found.head.get(), &mut |line, whole| {
            let branch = line.strip_prefix(b"ref: refs/heads/").unwrap_or(b"");
            known = whole && out.set(branch).is_some();
            true
        })?;
        Ok(known.then_some(()))
    }

    /// The remote that is used if none is given (git-config(1), `branch.*.remote`).
    fn default_remote(
        &mut self,
        found: &Repository,
        is_push: bool,
        out: &mut Text<512>,
    ) -> Result<Option<()>, Fault> {
        let mut branch = Name::new();
        if self.checked_out(found, &mut branch)?.is_none() {
            return Ok(None);
        }
        let mut rank = 0;
        let mut fits = out.set(b"origin").is_some();
        let read = self.settings(found.config.get(), &mut |section, key, value| {
            let own = subsection(section, b"branch") == Some(branch.get());
            let this = if own && is_push && key.eq_ignore_ascii_case(b"pushRemote") {
                3
            } else if section == b"remote" && is_push && key.eq_ignore_ascii_case(b"pushDefault") {
                2
            } else if own && key.eq_ignore_ascii_case(b"remote") {
                1
            } else {
                0
            };
            if this > rank {
                rank = this;
                fits = out.set(value).is_some();
            }
            false
        })?;
        Ok((fits && read != Answer::Unavailable).then_some(()))
    }

    /// The repository that the command works in: `--git-dir`, `GIT_DIR`, or upwards from the
    /// directory (gitrepository-layout(5)).
    fn repository(&mut self, at: At<'j>) -> Result<Answer<Repository>, Fault> {
        let mut start = Path::new();
        let directory = match self.option(at.1, b"-C") {
            Answer::Absent => b".",
            Answer::Value(directory) => directory,
            Answer::Unavailable => return Ok(Answer::Unavailable),
        };
        if !self.below(at, directory, &mut start) {
            return Ok(Answer::Unavailable);
        }
        let named = match self.option(at.1, b"--git-dir") {
            Answer::Absent => self.first_variable(at, b"GIT_DIR")?,
            given => given,
        };
        let mut place = Path::new();
        match named {
            Answer::Value(path) => {
                return Ok(match place.set_path(start.get(), path) {
                    Some(()) => self.layout(place.get())?,
                    None => Answer::Unavailable,
                });
            }
            Answer::Unavailable => return Ok(Answer::Unavailable),
            Answer::Absent => {}
        }
        for _ in 0..LEVELS {
            if place.set_path(start.get(), b".git").is_none() {
                return Ok(Answer::Unavailable);
            }
            match self.layout(place.get())? {
                Answer::Absent => {}
                found => return Ok(found),
            }
            let mut above = Path::new();
            if start.get() == b"/" || above.set_path(start.get(), b"..").is_none() {
                return Ok(Answer::Absent);
            }
            start = above;
        }
        Ok(Answer::Unavailable)
    }

    /// The files of the repository at `place`, a directory or a file that names one.
    fn layout(&mut self, place: &[u8]) -> Result<Answer<Repository>, Fault> {
        let mut found = Repository { head: Path::new(), config: Path::new() };
        let mut directory = Path::new();
        if directory.set(place).is_none() {
            return Ok(Answer::Unavailable);
        }
        let mut is_there = self.has_head(&directory, &mut found)?;
        if is_there == Answer::Absent {
            // A worktree or a submodule: `gitdir: PATH`.
            let base = place.strip_suffix(file_name(place)).unwrap_or(place);
            let mut named = false;
            let read = self.lines(place, &mut |line, whole| {
                let path = line.strip_prefix(b"gitdir: ").unwrap_or(b"");
                named = whole && !path.is_empty() && directory.set_path(base, path).is_some();
                true
            })?;
            if !named {
                return Ok(if read == Answer::Value(()) {
                    Answer::Unavailable
                } else {
                    Answer::Absent
                });
            }
            is_there = self.has_head(&directory, &mut found)?;
        }
        if is_there != Answer::Value(()) {
            return Ok(if is_there == Answer::Absent {
                Answer::Absent
            } else {
                Answer::Unavailable
            });
        }
        // Worktrees share the configuration of the repository that they belong to.
        let mut common = Path::new();
        let mut shared = false;
        if common.set_path(directory.get(), b"commondir").is_some() {
            let mut target = Path::new();
            self.lines(common.get(), &mut |line, whole| {
                shared = whole && target.set_path(directory.get(), line).is_some();
                true
            })?;
            if shared {
                directory = target;
            }
        }
        let fits = found.config.set_path(directory.get(), b"config").is_some();
        Ok(if fits { Answer::Value(found) } else { Answer::Unavailable })
    }

    fn has_head(&mut self, directory: &Path, found: &mut Repository) -> Result<Answer<()>, Fault> {
        if found.head.set_path(directory.get(), b"HEAD").is_none() {
            return Ok(Answer::Unavailable);
        }
        self.lines(found.head.get(), &mut |_, _| true)
    }
}

/// The quoted part of a section `[kind "name"]`.
fn subsection<'s>(section: &'s [u8], kind: &[u8]) -> Option<&'s [u8]> {
    let rest = section.strip_prefix(kind)?.trim_ascii_start();
    rest.strip_prefix(b"\"")?.strip_suffix(b"\"")
}
