//! Which commands an approval covers. A person who says yes to `sh -c "git push -f"` has seen two
//! commands in one, and the shell starts the second as a process of its own: both are one call.
//! Covered is exactly what was shown: the same words in the same directory, reached with no more
//! privileges than were shown.

use evaluator::command::{Command, CommandFlags, Tree, Via};
use evaluator::{Cwd, Request, Verdict};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// A digest of one command, or of one whole call.
pub type Id = [u8; 32];

/// What a call would run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Every command that does something of its own, but for those in a script file that is free; empty if the call was not understood wholly.
    pub commands: Vec<Id>,
    /// The same with every shorter way to it: `sudo sh -c X` starts `sh -c X`, which starts `X`.
    pub reached: Vec<Id>,
}

impl Coverage {
    /// What `request` would run, as `verdict` understood it. With `is_script_free` the policy has nothing
    /// against the script that is executed, but for its name: whoever says yes to `sh -c ./deploy` is not
    /// shown what stands in the file, so that a shell which starts it may not need a yes to that, either.
    pub fn of(request: &Request<'_>, verdict: &Verdict<'_>, is_script_free: bool) -> Self {
        let mut coverage = Self::default();
        let tree = &verdict.tree;
        if tree.outcome != evaluator::command::Outcome::Complete {
            return coverage;
        }
        for command in tree.commands {
            if command.words.count == 0 || command.flags.has(CommandFlags::WRAPPER) {
                continue;
            }
            let (ways, is_in_script) = ways(tree, command);
            let is_free = is_in_script && is_script_free;
            for skipped in 0..=ways.len() {
                let way = ways.get(skipped..).unwrap_or_default();
                let id = id(tree, command, request.cwd, way);
                coverage.reached.push(id);
                if skipped == 0 && !is_free {
                    coverage.commands.push(id);
                }
            }
        }
        coverage
    }

    /// Whether everything here stands in `granted`, the `reached` of an approved call.
    pub fn is_within(&self, granted: &[Id]) -> bool {
        !self.commands.is_empty() && self.commands.iter().all(|id| granted.contains(id))
    }
}

/// The steps on the way to a command that change who or where it runs, outermost first; and whether it stands
/// in a script file.
fn ways(tree: &Tree<'_>, command: &Command) -> (Vec<u8>, bool) {
    let (mut ways, mut is_in_script) = (Vec::new(), false);
    let mut at = *command;
    // Parents stand before their children, so this ends.
    loop {
        if matches!(at.via, Via::Privilege | Via::Remote | Via::Container) {
            ways.push(at.via as u8);
        }
        is_in_script |= at.via == Via::Script;
        let parent = (at.parent as usize).checked_sub(1).and_then(|index| tree.commands.get(index));
        match parent {
            Some(parent) if parent.parent < at.parent => at = *parent,
            _ => break,
        }
    }
    ways.reverse();
    (ways, is_in_script)
}

fn id(tree: &Tree<'_>, command: &Command, cwd: Cwd<'_>, ways: &[u8]) -> Id {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add(ways);
    let own = tree.bytes(command.cwd);
    match cwd {
        _ if !own.is_empty() => add(&directory(own)),
        Cwd::Known(cwd) if !command.flags.has(CommandFlags::CWD_CHANGED) => add(cwd),
        _ => add(b"?"),
    }
    // A word that is not known wholly is never the same as one that is.
    for assignment in tree.words(command.assignments) {
        add(tree.bytes(assignment.text));
    }
    add(b"=");
    for word in tree.words(command.words) {
        add(&word.flags.0.to_le_bytes().map(|byte| byte & 3));
        add(tree.bytes(word.text));
    }
    digest.finalize().into()
}

/// Where `cd` leads to, as the kernel will name it: `cd .` and `cd link` lead to what getcwd(2) says in the new
/// process. What does not exist yet is named as it will be once it was made.
fn directory(path: &[u8]) -> Vec<u8> {
    let mut room = vec![0; path.len() + 1];
    let Some(clean) =
        evaluator::path::clean(b"/", path, &mut room).filter(|_| path.starts_with(b"/"))
    else {
        return path.to_vec();
    };
    let clean = Path::new(OsStr::from_bytes(clean));
    for ancestor in clean.ancestors() {
        let (Ok(mut found), Ok(rest)) = (fs::canonicalize(ancestor), clean.strip_prefix(ancestor))
        else {
            continue;
        };
        found.extend(rest);
        return found.into_os_string().into_vec();
    }
    clean.as_os_str().as_bytes().to_vec()
}

/// The id of a whole call: these arguments, there. For what cannot be understood, and for a script,
/// which the kernel starts with other arguments than it was given.
pub fn exact(argv: &[&[u8]], cwd: Option<&[u8]>) -> Id {
    let mut digest = Sha256::new();
    let parts = [&b"exact"[..], cwd.unwrap_or(b"?")].into_iter().chain(argv.iter().copied());
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::Asked;
    use crate::launch::program::Facts;
    use evaluator::world::NoWorld;
    use evaluator::{Image, decide};
    use policy_schema::OwnedScratch;

    fn coverage(cwd: &str, argv: &[&str]) -> Coverage {
        let asked = Asked {
            tool: b"exec".to_vec(),
            file: argv[0].as_bytes().to_vec(),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            cwd: Some(cwd.as_bytes().to_vec()).into(),
            ..Asked::default()
        };
        let image = Image::open(policies::STANDARD).unwrap();
        asked.with_request(&Facts::default(), |request| {
            let mut scratch = OwnedScratch::for_request(request, 4096);
            let mut scratch = scratch.borrow();
            let verdict = decide(&[image], request, &NoWorld, &mut scratch);
            Coverage::of(request, &verdict, false)
        })
    }

    #[test]
    fn exactly_what_was_shown_is_covered() {
        let shell = ["sh", "-c", "cd sub && git push -f; echo done"];
        let sudo = ["sudo", "sh", "-c", "rm x"];
        /// Directory and arguments of what was approved and of what comes; whether it is covered.
        type Row<'a> = (&'a str, &'a [&'a str], &'a str, &'a [&'a str], bool);
        let cases: [Row<'_>; 13] = [
            ("/w", &["git", "push", "-f"], "/w", &["git", "push", "-f"], true),
            ("/w", &["git", "push", "-f"], "/other", &["git", "push", "-f"], false),
            ("/w", &["git", "push", "-f"], "/w", &["git", "push", "-f", "x"], false),
            ("/w", &["git", "push", "-f"], "/w", &["git", "push"], false),
            ("/w", &shell, "/w/sub", &["git", "push", "-f"], true),
            ("/w", &shell, "/w", &["git", "push", "-f"], false),
            ("/w", &shell, "/w/sub", &["sh", "-c", "git push -f"], true),
            ("/w", &["sh", "-c", "git push $X"], "/w", &["git", "push", "-f"], false),
            ("/w", &sudo, "/w", &["sh", "-c", "rm x"], true),
            ("/w", &sudo, "/w", &["rm", "x"], true),
            ("/w", &sudo, "/w", &["sudo", "rm", "x"], true),
            ("/w", &["sh", "-c", "rm x"], "/w", &["sudo", "rm", "x"], false),
            ("/w", &["sh", "-c", "rm x"], "/w", &["env", "rm", "x"], true),
        ];
        for (cwd, granted, place, asked, covered) in cases {
            let granted_set = coverage(cwd, granted).reached;
            let found = coverage(place, asked).is_within(&granted_set);
            assert_eq!(found, covered, "{granted:?} in {cwd}, {asked:?} in {place}");
        }
    }

    #[test]
    fn a_directory_is_the_one_that_the_kernel_names() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        fs::create_dir_all(root.join("real/sub")).unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        let at = |path: &str| format!("{}{path}", root.display());
        // Where the shell is, what it does before the command, and where that will run.
        let cases = [
            ("", "cd .", "", true),
            ("", "cd ./real/", "/real", true),
            ("", "cd real/sub/..", "/real", true),
            ("/real/sub", "cd ../..", "", true),
            ("", "cd link", "/real", true),
            ("", "cd link/sub", "/real/sub", true),
            ("", "mkdir link/new; cd link/new", "/real/new", true),
            ("", "cd real", "", false),
            ("", "cd .", "/real", false),
        ];
        for (start, change, place, covered) in cases {
            let shown = coverage(&at(start), &["sh", "-c", &format!("{change}; git push -f")]);
            let found = coverage(&at(place), &["git", "push", "-f"]).is_within(&shown.reached);
            assert_eq!(found, covered, "{change} in `{start}`, then in `{place}`");
        }
    }

    #[test]
    fn whole_calls_differ_in_every_part() {
        let base = exact(&[b"a", b"b"], Some(b"/"));
        for other in [
            exact(&[b"ab"], Some(b"/")),
            exact(&[b"a", b"b"], None),
            exact(&[b"a", b"b", b""], Some(b"/")),
        ] {
            assert_ne!(base, other);
        }
    }
}
