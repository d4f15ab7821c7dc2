//! The policies that are in force where nothing was chosen: the shipped standard, then what the
//! system, the user and the project add, lowest first.

use super::{Layer, Origin, source};
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use policy_schema::Layer as Level;
use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the system's administrator puts policies.
const SYSTEM: &str = "/etc/rampart/policy.d";

/// The installed layers. Directories hold `*.yaml` and `*.yml`, joined in the order of their
/// names; the project's one file is `.rampart/policy.yaml` in the working directory or above it
/// up to the root of the git work tree, and is left out if `RAMPART_NO_PROJECT_POLICY` is `1`.
///
/// # Errors
/// If a file or directory cannot be read or trusted, or a layer does not compile.
pub fn layers(environment: &Environment) -> Result<Vec<Layer>, Failure> {
    let mut all = vec![Layer {
        origin: Origin::Profile("standard".to_owned()),
        bytes: Cow::Borrowed(policies::STANDARD),
    }];
    let directories =
        [(Level::System, Some(PathBuf::from(SYSTEM))), (Level::User, user_directory(environment))];
    for (level, directory) in directories {
        let files = directory.map_or(Ok(Vec::new()), |directory| policy_files(&directory))?;
        if !files.is_empty() {
            all.push(source::compile(&files, level)?);
        }
    }
    let ignored = environment.value("RAMPART_NO_PROJECT_POLICY").is_some_and(|value| value == "1");
    let project = std::env::current_dir().ok().filter(|_| !ignored);
    if let Some(file) = project.and_then(|start| project_file(&start)) {
        all.push(source::compile(&[file], Level::Project)?);
    }
    Ok(all)
}

/// `$XDG_CONFIG_HOME/rampart/policy.d`, else `~/.config/rampart/policy.d`.
fn user_directory(environment: &Environment) -> Option<PathBuf> {
    let absolute =
        |name: &str| environment.value(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("rampart/policy.d"))
}

/// The policy files in `directory`, sorted; none if it does not exist.
fn policy_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
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
    let root = start.ancestors().find(|directory| directory.join(".git").exists());
    let last = root.unwrap_or(start);
    let inside = start.ancestors().take_while(|directory| directory.starts_with(last));
    let mut candidates = inside.map(|directory| directory.join(".rampart/policy.yaml"));
    candidates.find(|file| file.exists())
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
        assert_eq!(policy_files(root.path()).unwrap(), [at("a.yml"), at("b.yaml")]);
        assert_eq!(policy_files(&at("none")).unwrap(), Vec::<PathBuf>::new());
        fs::set_permissions(root.path(), Permissions::from_mode(0o777)).unwrap();
        let failure = policy_files(root.path()).unwrap_err();
        assert!(failure.message.contains("everybody may write"), "{failure}");
    }
}
