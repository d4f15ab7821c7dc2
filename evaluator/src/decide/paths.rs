//! Tests on paths: operands, redirections, the path of a file tool. A path is compared as it is
//! spelled (made absolute and clean) and as it resolves; restrictive rules hold if either
//! matches, grants only if both do.

use crate::command::{Command, CommandFlags, RedirectOp, UNKNOWN, Word, WordFlags};
use crate::glob;
use crate::image::Image;
use crate::image::format::{NodeRecord, pattern};
use crate::path::file_name;
use crate::request::{Cwd, TargetKinds};
use crate::world::Answer;

use super::command::is_option;
use super::condition::{Judge, Tri, matches};
use super::found::Fault;
use super::operands::{Files, Operands};
use super::seen::Recent;
use super::sketch::Candidates;
use super::views::{View, anybody, below, view_of};

/// Longest path that the kernel takes, its NUL included (`limits.h`).
pub const PATH_MAX: usize = 4096;

/// Kinds of target whose new process cannot judge itself again, with the directory known.
const CANNOT_LOAD: TargetKinds = TargetKinds::STATIC
    .with(TargetKinds::SETID)
    .with(TargetKinds::OTHER_ARCH)
    .with(TargetKinds::FOREIGN)
    .with(TargetKinds::FILE_CAPS)
    .with(TargetKinds::OTHER_ROOT)
    .with(TargetKinds::UNREADABLE);

impl<'j> Judge<'j, '_> {
    /// Whether some operand, or the path in some `name=path`, `@path` or `file://path`, matches.
    pub fn path_operands(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &'j Command,
    ) -> Result<Tri, Fault> {
        let candidates = self.path_candidates(image, record, command)?;
        if candidates.is_empty() {
            return Ok(Tri::No);
        }
        let sought = &Sought { record, candidates };
        let tree = self.tree;
        let cwd = self.cwd(command);
        let mut any = Tri::No;
        let mut literal = false;
        let mut recent = Recent::new();
        for word in tree.words(command.words).iter().skip(1) {
            let text = tree.bytes(word.text);
            self.spend(1)?;
            if text == b"--" && !literal {
                // What was an option is an operand from here on.
                (literal, recent) = (true, Recent::new());
            }
            if recent.has(text, word.flags) || word.flags.has(WordFlags::DYNAMIC) {
                continue;
            }
            let glob = word.flags.has(WordFlags::GLOB);
            if literal || !is_option(text) {
                any = any.or(self.spelled(image, sought, text, cwd, glob)?);
            }
            if let Some(path) = embedded(text) {
                any = any.or(self.spelled(image, sought, path, cwd, glob)?);
            }
            if any == Tri::Yes {
                break;
            }
        }
        Ok(any)
    }

    /// Whether a redirection goes to or comes from a matching path; also what programs that are
    /// known to read or write would, unless only redirections count.
    pub fn touched(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &'j Command,
        files: Files,
    ) -> Result<Tri, Fault> {
        let ops: &[RedirectOp] = match files {
            Files::Read => &[RedirectOp::Read, RedirectOp::ReadWrite],
            Files::Written | Files::Redirected => {
                &[RedirectOp::Write, RedirectOp::Append, RedirectOp::ReadWrite]
            }
        };
        let tree = self.tree;
        let redirects = tree.redirects(command).iter().filter(|found| ops.contains(&found.op));
        let name = tree.program(command).map_or(&b""[..], |(_, text)| file_name(text));
        let taken =
            if files == Files::Redirected { Operands::None } else { Operands::of(name, files) };
        if taken == Operands::None && redirects.clone().next().is_none() {
            return Ok(Tri::No);
        }
        let candidates = self.path_candidates(image, record, command)?;
        if candidates.is_empty() {
            return Ok(Tri::No);
        }
        let sought = &Sought { record, candidates };
        let cwd = self.cwd(command);
        let mut any = Tri::No;
        let mut recent = Recent::new();
        for redirect in redirects {
            let (text, flags) = (tree.bytes(redirect.target.text), redirect.target.flags);
            if !flags.has(WordFlags::DYNAMIC) && !recent.has(text, flags) {
                any = any.or(self.spelled(image, sought, text, cwd, false)?);
            }
        }
        if any == Tri::Yes {
            return Ok(any);
        }
        let words = tree.words(command.words);
        let operands = || words.iter().skip(1).filter(|word| !is_option(tree.bytes(word.text)));
        let reads = files == Files::Read;
        let last = || operands().count().saturating_sub(1);
        let (skip, take) = match taken {
            Operands::None => return Ok(any),
            Operands::Behind(prefix) => {
                let values = |word: &Word| tree.bytes(word.text).strip_prefix(prefix);
                for path in operands().filter_map(values) {
                    any = any.or(self.spelled(image, sought, path, cwd, false)?);
                }
                return Ok(any);
            }
            Operands::AllButLast => (0, last()),
            Operands::Last => (last(), 1),
            Operands::All => (0, usize::MAX),
        };
        recent = Recent::new();
        for word in operands().skip(skip).take(take) {
            self.spend(1)?;
            let text = tree.bytes(word.text);
            if !recent.has(text, word.flags) && !word.flags.has(WordFlags::DYNAMIC) {
                let glob = reads && word.flags.has(WordFlags::GLOB);
                any = any.or(self.spelled(image, sought, text, cwd, glob)?);
            }
        }
        Ok(any)
    }

    /// The directory that a command's relative paths start at; maybe still to be asked for.
    pub fn cwd(&self, command: &Command) -> Cwd<'j> {
        if command.cwd.len != 0 {
            Cwd::Known(self.tree.bytes(command.cwd))
        } else if command.flags.has(CommandFlags::CWD_CHANGED) {
            Cwd::Unknown
        } else {
            self.request.cwd
        }
    }

    /// Whether no new process will judge itself with the directory known.
    pub const fn cannot_load(&self) -> bool {
        self.request.target.kinds.intersects(CANNOT_LOAD)
    }

    /// Whether a command's directory is only known once its process has started, and that judges
    /// itself.
    pub fn waits_for_directory(&self, command: &Command) -> bool {
        let is_unknown = |cwd: Cwd<'j>| cwd.known_to(self.world) == Cwd::Unknown;
        is_unknown(self.cwd(command)) && is_unknown(self.request.cwd) && !self.cannot_load()
    }

    /// Whether one spelling of a path matches.
    fn spelled(
        &mut self,
        image: &Image<'_>,
        sought: &Sought<'_>,
        text: &[u8],
        cwd: Cwd<'_>,
        glob: bool,
    ) -> Result<Tri, Fault> {
        let here = self.path(image, sought, text, cwd, glob && !self.grants)?;
        if here == Tri::Yes || !glob || self.grants {
            return Ok(here);
        }
        // `dir/*` is everything in `dir`: as good as `dir` itself.
        match all_in(text) {
            Some(parent) => Ok(here.or(self.path(image, sought, parent, cwd, false)?)),
            None => Ok(here),
        }
    }

    /// Whether `path` matches, as it is spelled or as it resolves.
    pub fn path_matches(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        path: &[u8],
        cwd: Cwd<'_>,
    ) -> Result<Tri, Fault> {
        let sought = Sought { record, candidates: Candidates::ALL };
        self.path(image, &sought, path, cwd, false)
    }

    /// The same for a path that a shell will replace by every path that it fits, if `glob`.
    fn path(
        &mut self,
        image: &Image<'_>,
        sought: &Sought<'_>,
        path: &[u8],
        cwd: Cwd<'_>,
        glob: bool,
    ) -> Result<Tri, Fault> {
        let tests = sought.candidates.among(sought.record.count);
        self.spend_on(tests, path.len().min(PATH_MAX))?;
        let home = self.home;
        let grants = self.grants;
        let cwd = cwd.known_to(self.world);
        let below = below(cwd);
        let test = |value: &[u8]| {
            let place = Place { home, cwd: below, grants, glob };
            run(image, sought, value, place)
        };
        if path.first() == Some(&UNKNOWN) {
            return test(path);
        }
        // Text that no file can be opened by (ENAMETOOLONG) is no path, whatever it says.
        if path.len() >= PATH_MAX {
            return Ok(Tri::No);
        }
        let base = match cwd {
            Cwd::Known(base) => base,
            _ if path.first() == Some(&b'/') => b"/",
            // A target that loads the library is judged again where the directory is known.
            Cwd::Unknown | Cwd::OnDemand => {
                return Ok(if self.cannot_load() { Tri::Unknown } else { Tri::No });
            }
        };
        let Some(at) = self.spellings.remember(base, path) else {
            return Ok(Tri::Unknown);
        };
        let lexical = self.spellings.lexical(at);
        let spelled = test(lexical)?;
        if (spelled == Tri::Yes) != grants || lexical.contains(&UNKNOWN) {
            return Ok(spelled);
        }
        match self.spellings.real(at, self.world) {
            Answer::Value(real) => {
                let real = test(real)?;
                Ok(if grants { real } else { spelled.or(real) })
            }
            Answer::Absent => Ok(spelled),
            Answer::Unavailable => Ok(Tri::Unknown),
        }
    }
}

/// The path inside `name=path`, `@path`, `name=@path` or `file://path`.
pub fn embedded(text: &[u8]) -> Option<&[u8]> {
    let value = match text.iter().position(|byte| *byte == b'=') {
        Some(at) => text.get(at.checked_add(1)?..)?,
        None => text,
    };
    let path = value.strip_prefix(b"@").unwrap_or(value);
    let path = path.strip_prefix(b"file://").unwrap_or(path);
    (path.len() < text.len() && !path.is_empty()).then_some(path)
}

/// The directory of which `glob` names all entries: `dir/` for `dir/*`.
pub fn all_in(glob: &[u8]) -> Option<&[u8]> {
    let last = file_name(glob);
    let wild = |byte: &u8| matches!(byte, b'*' | b'?' | b'.' | b'[' | b']' | b'!' | b'^');
    let is_all = last.contains(&b'*') && last.iter().all(wild);
    glob.get(..glob.len().saturating_sub(last.len())).filter(|_| is_all)
}

/// The patterns of a node that are worth a look.
struct Sought<'n> {
    record: &'n NodeRecord,
    candidates: Candidates,
}

/// What the start of a path pattern may stand for.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The caller's home directory, for `~`.
    home: Option<&'p [u8]>,
    /// The command's directory, for a relative pattern.
    cwd: Option<&'p [u8]>,
    /// Whether the rule grants: then `~` is nobody else's home.
    grants: bool,
    /// Whether the value is a glob, which also fits the literal patterns that it stands for.
    glob: bool,
}

/// Whether `value` matches some pattern of the node: an absolute one, one below a home (`~`) or
/// below the working directory (relative).
fn run(
    image: &Image<'_>,
    sought: &Sought<'_>,
    value: &[u8],
    place: Place<'_>,
) -> Result<Tri, Fault> {
    let mut any = Tri::No;
    let own = place.home.and_then(|home| value.strip_prefix(home));
    let below_home = [own, anybody(value).filter(|_| !place.grants)];
    let below_cwd = place.cwd.and_then(|cwd| value.strip_prefix(cwd));
    let below_cwd = below_cwd.and_then(|rest| rest.strip_prefix(b"/"));
    for position in 0..sought.record.count {
        if !sought.candidates.has(position) {
            continue;
        }
        let index = sought.record.first.saturating_add(position);
        let (found, text) = image.pattern(index).ok_or(Fault::Corrupt)?;
        let fits = |text: &[u8], value: &[u8]| {
            if place.glob && found.class == pattern::LITERAL {
                if hidden(value, text) {
                    return Ok(Tri::No);
                }
                return Ok(Tri::from(glob::path(value, text, false)));
            }
            matches(&found, text, value)
        };
        any = any.or(match view_of(text) {
            (View::Home, tail) => {
                let mut home = Tri::No;
                for rest in below_home.into_iter().flatten() {
                    let whole = if tail.is_empty() {
                        Tri::from(rest.is_empty())
                    } else {
                        fits(tail, rest)?
                    };
                    home = home.or(whole);
                }
                home
            }
            (View::Whole, text) => fits(text, value)?,
            (View::Below, text) => match (text.strip_prefix(b"./"), below_cwd) {
                (Some(tail), Some(rest)) => fits(tail, rest)?,
                (Some(_), None) => Tri::No,
                (None, _) => fits(text, below_cwd.unwrap_or(value))?,
            },
        });
        if any == Tri::Yes {
            break;
        }
    }
    Ok(any)
}

/// Whether a name in `path` begins with a dot where `glob` has a wildcard: a shell's wildcards do
/// not fit hidden names (POSIX 2.14.3).
fn hidden(glob: &[u8], path: &[u8]) -> bool {
    let names = |text| <[u8]>::split(text, |byte| *byte == b'/');
    names(glob).zip(names(path)).any(|(wild, name)| {
        name.first() == Some(&b'.') && matches!(wild.first(), Some(b'*' | b'?' | b'['))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside_words() {
        for (text, want) in [
            ("of=/dev/sda", Some("/dev/sda")),
            ("@/etc/passwd", Some("/etc/passwd")),
            ("file=@/etc/passwd", Some("/etc/passwd")),
            ("--output=/x", Some("/x")),
            ("file:///etc/passwd", Some("/etc/passwd")),
            ("/etc/passwd", None),
            ("x=", None),
        ] {
            assert_eq!(embedded(text.as_bytes()), want.map(str::as_bytes), "{text}");
        }
    }
}
