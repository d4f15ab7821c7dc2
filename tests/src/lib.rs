//! Why this exists: every claim about the library is shown on real processes. What all of those
//! tests share stands here: finding the built library, building C probes, running a program under
//! a policy of the test's own, and reading what was recorded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a helper that cannot go on stops the test that called it"
)]

mod evaluator;
mod probe;
mod run;
mod service;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

pub use evaluator::Evaluator;
pub use probe::{LibC, cc, find, probe};
pub use run::{Ran, run};
pub use service::Service;

/// The built `librampart.so`: `$RAMPART_TEST_LIB`, else in the target directory of this build.
///
/// # Panics
/// If it was not built; says how to.
#[must_use]
pub fn library() -> PathBuf {
    built("RAMPART_TEST_LIB", "librampart.so")
}

/// The built `rampart` command: `$RAMPART_TEST_BIN`, else in the target directory of this build.
///
/// # Panics
/// If it was not built; says how to.
#[must_use]
pub fn rampart() -> PathBuf {
    built("RAMPART_TEST_BIN", "rampart")
}

fn built(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return path.into();
    }
    let path = target().join("release").join(name);
    assert!(path.is_file(), "{} does not exist; run `make build` first", path.display());
    fs::canonicalize(path).expect("it exists")
}

/// The target directory of this build: a test runs from `<target>/<profile>/deps`.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(
        || {
            let own = env::current_exe().expect("the test has a path");
            own.ancestors().nth(3).expect("in a target directory").to_owned()
        },
        PathBuf::from,
    )
}

/// A policy in force: the library, an image, a home and an audit directory, all of which vanish
/// with this value.
pub struct Guard {
    dir: TempDir,
    library: PathBuf,
}

impl Guard {
    /// Compiles `policy` (YAML). Without text the policy that is built into the library holds.
    ///
    /// # Panics
    /// If the policy has mistakes or the library was not built.
    #[must_use]
    pub fn new(policy: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("rampart-").tempdir().expect("a directory");
        for name in ["home", "audit", "bin", "run"] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        let guard = Self { dir, library: library() };
        if !policy.is_empty() {
            fs::write(guard.image(), compile(policy)).expect("an image");
        }
        guard
    }

    /// Compiles `policy` (YAML) to a layer on the standard policy.
    ///
    /// # Panics
    /// As [`Guard::new`].
    #[must_use]
    pub fn on_standard(policy: &str) -> Self {
        let guard = Self::new("");
        let layers = [policy_schema::stand_in(), compile(policy)].concat();
        fs::write(guard.image(), layers).expect("an image");
        guard
    }

    /// The directory that everything lies in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path below [`Guard::dir`].
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Where the image lies, if there is one.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.path("policy.img")
    }

    /// Where events go.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.path("audit")
    }

    /// `program` without the library, in the same surroundings: the directory `bin` first on
    /// `PATH`, an empty home, no evaluator, nothing of Rampart in the environment.
    #[must_use]
    pub fn bare(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"RAMPART_") {
                command.env_remove(name);
            }
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = [self.path("bin")].into_iter().chain(env::split_paths(&path));
        command
            .env_remove("LD_PRELOAD")
            .env("PATH", env::join_paths(dirs).expect("no colon in a temporary path"))
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.dir());
        command
    }

    /// `program` under the library.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.bare(program);
        command.env("LD_PRELOAD", &self.library).env("RAMPART_AUDIT_DIR", self.audit());
        if self.image().exists() {
            command.env("RAMPART_IMAGE", self.image());
        }
        command
    }

    /// Every event recorded so far, in order.
    ///
    /// # Panics
    /// If a line is no JSON: then a record was torn.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        events_in(&self.audit())
    }

    /// Forgets what was recorded.
    ///
    /// # Panics
    /// If the audit directory cannot be changed.
    pub fn forget(&self) {
        for entry in fs::read_dir(self.audit()).expect("the audit directory") {
            fs::remove_file(entry.expect("an entry").path()).expect("a spool");
        }
    }
}

/// Every event in the spools and the chain of `dir`; what the chain says of itself is left out.
///
/// # Panics
/// If a line is no JSON.
#[must_use]
pub fn events_in(dir: &Path) -> Vec<Value> {
    let mut events = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return events;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a spool of UTF-8");
        for line in text.lines().filter(|line| !line.starts_with("{\"note\":")) {
            let event = serde_json::from_str(line);
            events
                .push(event.unwrap_or_else(|error| panic!("{}: {error}: {line}", path.display())));
        }
    }
    events
}

/// Compiles a policy (YAML) to an image.
///
/// # Panics
/// If it has mistakes.
#[must_use]
pub fn compile(policy: &str) -> Vec<u8> {
    let source = policy_schema::Source { name: "test.yaml", text: policy.as_bytes() };
    match policy_schema::compile(&[source], &policy_schema::Options::default()) {
        Ok(image) => image,
        Err(errors) => {
            let text: String = errors.iter().map(|error| format!("{error}\n")).collect();
            panic!("the test's policy is refused:\n{text}")
        }
    }
}
