//! What the root of a guarded tree is started with: the library, the compiled policy and the place of the
//! log. The library reads it once, and keeps it for every process below.

use super::environment::Environment;
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::policy::Layers;
use crate::verdict::since::Since;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Sets what the library reads at the root of a tree.
///
/// # Errors
/// If the policy cannot be written where the library finds it.
pub fn guard(
    environment: &mut Environment,
    library: &Path,
    layers: &Layers,
) -> Result<(), Failure> {
    let directories = Directories::from_environment();
    environment.preload(library);
    // A tree that has ended, or one that this process has left, is not ours.
    environment.remove("RAMPART_TREE");
    Since::fix(environment);
    environment.remove("RAMPART_WARNED");
    environment.remove("RAMPART_SUPERVISED");
    if let Some(recipe) = &layers.recipe {
        match (recipe.write(&directories, layers), layers.is_built_in_standard()) {
            // Nothing can change it, so that the library's own is enough.
            (_, true) if recipe.is_fixed() => environment.remove("RAMPART_IMAGE"),
            (Err(failure), true) => {
                complain!(
                    "rampart: warning: {}; what is allowed later will not reach this tree",
                    failure.message
                );
                environment.remove("RAMPART_IMAGE");
            }
            (path, _) => environment.set("RAMPART_IMAGE", &in_a_list(path?)?),
        }
    } else if let Some(list) = environment.value("RAMPART_IMAGE") {
        let list = absolute(list)?;
        environment.set("RAMPART_IMAGE", &list);
    }
    match directories.make_audit() {
        Ok(audit) => environment.set("RAMPART_AUDIT_DIR", audit.as_os_str()),
        Err(failure) => {
            let what = "the library will find a substitute for the audit log";
            complain!("rampart: warning: {}; {what}", failure.message);
            environment.remove("RAMPART_AUDIT_DIR");
        }
    }
    Ok(())
}

/// `path` as it can stand in `RAMPART_IMAGE`.
fn in_a_list(path: PathBuf) -> Result<OsString, Failure> {
    let path = path.into_os_string();
    if path.as_bytes().contains(&b':') {
        let shown = crate::bytes::visible(path.as_bytes());
        return Err(Failure::usage(format!(
            "RAMPART_IMAGE cannot hold a path with a colon, `{shown}`; set XDG_STATE_HOME to a \
             directory without one"
        )));
    }
    Ok(path)
}

/// The images that somebody else named, by absolute paths.
fn absolute(list: &OsStr) -> Result<OsString, Failure> {
    let paths = list.as_bytes().split(|byte| *byte == b':').filter(|path| !path.is_empty());
    let mut all = Vec::new();
    for path in paths.map(OsStr::from_bytes) {
        let path = std::path::absolute(path).map_err(|error| {
            Failure::usage(format!("cannot make RAMPART_IMAGE absolute: {}", reason(&error)))
        })?;
        all.push(in_a_list(path)?.into_vec());
    }
    Ok(OsString::from_vec(all.join(&b':')))
}
