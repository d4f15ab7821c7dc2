//! Who may loosen: nobody inside a guarded tree. An agent that could allow its own commands,
//! reload a policy or start from a weaker one would be guarded by its own good will.
//!
//! `rampart run` takes the place of the agent, so there is no process of ours to ask. What tells is
//! what the kernel says of this process and its living ancestors ([`crate::process::guardian`]): a
//! static program in between may have cleared our environment. A process whose ancestors have all
//! ended is not recognised; docs/threat-model.md lists that.

use crate::failure::Failure;
use crate::process::{Guardian, Process};

/// Fails if this process is inside a guarded tree. `what` is what somebody wanted to do, as in
/// "change the policy".
///
/// # Errors
/// Exit status 2, with what a person can do.
pub fn refuse_inside_a_tree(what: &str) -> Result<(), Failure> {
    match guardian() {
        None => Ok(()),
        Some(guardian) => Err(Failure::usage(format!(
            "cannot {what} from inside a guarded tree (process {} runs under librampart.so); a \
             person can do it in a terminal outside the agent's session",
            guardian.process.pid
        ))),
    }
}

/// The nearest of this process and its ancestors that is under the library.
pub fn guardian() -> Option<Guardian> {
    crate::process::guardian(Process::of(std::process::id())?)
}
