//! The policies that are in force where nothing was chosen: the shipped standard, then what the
//! system, the user and the project add, lowest first.

use super::source::{self, Found};
use super::{Layer, Origin, last_good, packs};
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use policy_schema::{Layer as Level, Options, Source, compile_locked};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the system's administrator puts policies.
pub const SYSTEM: &str = "/etc/rampart/policy.d";

/// The layers that are installed over the standard profile: the system's, those in `user`, and the
/// `project`'s file. Directories hold `*.yaml` and `*.yml`, joined in the order of their names.
///
/// # Errors
/// If a file or directory cannot be read or trusted, or a layer does not compile, and none of that
/// place has been compiled before.
pub fn layers(
    directories: &Directories,
    user: Option<&Path>,
    project: Option<&Path>,
) -> Result<Vec<Found>, Failure> {
    let mut all = Vec::new();
    for (level, directory) in [(Level::System, Some(Path::new(SYSTEM))), (Level::User, user)] {
        let Some(directory) = directory else {
            continue;
        };
        let compiled = policy_files(directory, level).and_then(|files| match files.as_slice() {
            [] => Ok(None),
            files => source::compile(files, level).map(Some),
        });
        all.extend(last_good::or(directories, directory, level, compiled)?);
    }
    if let Some(file) = project.filter(|file| file.exists()) {
        let compiled = source::compile(&[file.to_owned()], Level::Project).map(Some);
        all.extend(last_good::or(directories, file, Level::Project, compiled)?);
    }
    Ok(all)
}

/// What holds even where somebody chose another policy: the rules that the system's files lock, of
/// themselves, of the standard profile and of the packs that they take in. Lowest layer first.
///
/// # Errors
/// As [`layers`].
pub fn locked(directories: &Directories) -> Result<Vec<Layer>, Failure> {
    let own =
        policy_files(Path::new(SYSTEM), Level::System).and_then(|files| match files.as_slice() {
            [] => Ok(None),
            files => source::compile_locked(files, Level::System),
        });
    // Remembered apart from what the whole files were compiled to.
    let place = Path::new(SYSTEM).join("(the rules that it locks)");
    let Some(own) = last_good::or(directories, &place, Level::System, own)? else {
        return Ok(Vec::new());
    };
    let packs = packs::named(own.packs.iter().map(String::as_str))?;
    let mut texts = vec![("standard", policies::SOURCES)];
    texts.extend(packs.iter().map(|name| (name.as_str(), policies::PACK_SOURCES)));
    let sources: Vec<Source<'_>> = texts
        .iter()
        .filter_map(|(wanted, of)| of.iter().find(|(name, _)| name == wanted))
        .map(|(name, text)| Source { name, text: text.as_bytes() })
        .collect();
    let locks = policy_schema::locked::locks(&own.layer.image()?);
    let options = Options { layer: Level::BuiltIn, run_examples: false };
    let shipped = compile_locked(&sources, &options, &locks);
    let shipped = shipped.map_err(|found| source::refused(&found))?.map(|bytes| Layer {
        origin: Origin::Locked("the standard profile".to_owned()),
        bytes: bytes.into(),
    });
    Ok(shipped.into_iter().chain([own.layer]).collect())
}

/// The project's file: `.rampart/policy.yaml` in the working directory or above it up to the root of
/// the git work tree; none if `RAMPART_NO_PROJECT_POLICY` is `1`.
pub fn project(environment: &Environment) -> Option<PathBuf> {
    let ignored = environment.value("RAMPART_NO_PROJECT_POLICY").is_some_and(|value| value == "1");
    let start = std::env::current_dir().ok().filter(|_| !ignored)?;
    project_file(&start)
}

/// The root of the project that one works in: that of the git work tree, else the working directory.
///
/// # Errors
/// If the working directory is gone.
pub fn project_root() -> Result<PathBuf, Failure> {
    let start = std::env::current_dir().map_err(|error| {
        Failure::usage(format!("cannot tell where the project is: {}", reason(&error)))
    })?;
    Ok(root_of(&start).unwrap_or(&start).to_owned())
}

/// `$XDG_CONFIG_HOME/rampart/policy.d`, else `~/.config/rampart/policy.d`.
pub fn user_directory(environment: &Environment) -> Option<PathBuf> {
    let absolute =
        |name: &str| environment.value(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("rampart/policy.d"))
}

/// The policy files in `directory`, sorted; none if it does not exist.
fn policy_files(directory: &Path, level: Level) -> Result<Vec<PathBuf>, Failure> {
    let failed = |what: &str| {
        Failure::usage(format!("cannot use the policies in `{}`: {what}", directory.display()))
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(&reason(&error))),
    };
    let found = fs::metadata(directory).map_err(|error| failed(&reason(&error)))?;
    if found.mode() & 0o002 != 0 {
        return Err(failed("everybody may write to the directory; `chmod o-w` it"));
    }
    // Others could put a file there, or take one away.
    let is_own = found.uid() == 0
        || (level == Level::User && found.uid() == rustix::process::geteuid().as_raw());
    if !is_own {
        let owner = if level == Level::User { "you or root" } else { "root" };
        return Err(failed(&format!("the directory must belong to {owner}; `chown` it")));
    }
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(&reason(&error)))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_yaml = path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml");
        if is_yaml && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The project's policy for somebody who works in `start`.
fn project_file(start: &Path) -> Option<PathBuf> {
    let last = root_of(start).unwrap_or(start);
    let inside = start.ancestors().take_while(|directory| directory.starts_with(last));
    let mut candidates = inside.map(|directory| directory.join(".rampart/policy.yaml"));
    candidates.find(|file| file.exists())
}

fn root_of(start: &Path) -> Option<&Path> {
    start.ancestors().find(|directory| directory.join(".git").exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_project_ends_at_its_git_root() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("repo/.git")).unwrap();
        fs::create_dir_all(at("repo/a/b")).unwrap();
        fs::create_dir_all(at("plain/a")).unwrap();
        for directory in ["", "repo", "plain"] {
            fs::create_dir_all(at(directory).join(".rampart")).unwrap();
            fs::write(at(directory).join(".rampart/policy.yaml"), "").unwrap();
        }
        let cases = [
            ("repo/a/b", Some("repo/.rampart/policy.yaml")),
            ("repo", Some("repo/.rampart/policy.yaml")),
            // Without a git root, directories above are not ours to trust.
            ("plain/a", None),
            ("plain", Some("plain/.rampart/policy.yaml")),
        ];
        for (start, file) in cases {
            assert_eq!(project_file(&at(start)), file.map(at), "{start}");
        }
    }

    #[test]
    fn files_of_a_directory() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["b.yaml", "a.yml", "c.yaml.bak", ".hidden.yaml", "d.json"] {
            fs::write(at(name), "").unwrap();
        }
        assert_eq!(policy_files(root.path(), Level::User).unwrap(), [at("a.yml"), at("b.yaml")]);
        assert_eq!(policy_files(&at("none"), Level::User).unwrap(), Vec::<PathBuf>::new());
        fs::set_permissions(root.path(), Permissions::from_mode(0o777)).unwrap();
        let failure = policy_files(root.path(), Level::User).unwrap_err();
        assert!(failure.message.contains("everybody may write"), "{failure}");
    }
}
