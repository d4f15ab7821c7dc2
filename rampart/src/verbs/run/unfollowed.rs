//! A command that the library cannot be loaded into: it is judged before it is started, since nobody does it
//! afterwards.

use super::Mode;
use crate::audit::record;
use crate::cases::{Call, Case};
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::policy::Layers;
use crate::serve::listen;
use crate::verdict::ask::Surroundings;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

/// Says so.
pub fn warn(file: &Path, why: &str) {
    complain!(
        "rampart: warning: `{}` {why}, so librampart.so is not loaded into it: what it starts is judged \
         only where it passes its environment on (see `rampart wrap`)",
        file.display()
    );
}

/// Judges a command that the library will not judge, because it cannot be loaded into it.
///
/// # Errors
/// If it must not be started.
pub fn judge(
    command: &[OsString],
    layers: &Layers,
    mut environment: Environment,
) -> Result<(), Failure> {
    let mode = environment.value("RAMPART_MODE").map(OsStr::to_owned);
    if mode.as_deref() == Some(OsStr::new(Mode::Disabled.name())) {
        return Ok(());
    }
    let is_enforced = mode.as_deref() != Some(OsStr::new(Mode::Monitor.name()));
    if let Ok(daemon) = listen::daemon() {
        // The evaluator that records it, if there is one.
        environment.set("RAMPART_SOCKET", daemon.as_os_str());
    }
    let surroundings = Surroundings::with(environment);
    let case = Case {
        tool: b"exec".to_vec(),
        call: Call::Argv(command.iter().map(|word| word.as_bytes().to_vec()).collect()),
        ..Case::default()
    };
    let mut judge = Judge::new(layers)?;
    let began = Instant::now();
    surroundings.ask(&case, |request| {
        judge.judge(request, &FileSystem::default(), |verdict, _| {
            let how = (is_enforced, began.elapsed());
            record::conclude(request, verdict, &surroundings.environment, how)
        })
    })
}
