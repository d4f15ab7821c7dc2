//! Who may loosen: nobody inside a guarded tree. An agent that could allow its own commands,
//! reload a policy or start from a weaker one would be guarded by its own good will.
//!
//! `rampart run` takes the place of the agent, so there is no process of ours to ask. What tells is
//! the environment that a process was started with, which it cannot change afterwards: the
//! library's own entry in this process's, or in that of a living ancestor (a static program in
//! between may have cleared ours). A process whose ancestors have all ended is not recognised;
//! docs/threat-model.md lists that.

use crate::failure::Failure;
use crate::launch::environment::Environment;
use std::fs;

/// How many ancestors are looked at; a chain of processes is never so long.
const LONGEST_CHAIN: usize = 1024;

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
            guardian.pid
        ))),
    }
}

/// A process that was started under the library.
#[derive(Clone, Debug)]
pub struct Guardian {
    /// Its id.
    pub pid: u32,
    /// The environment that it was started with, which says how its tree is guarded.
    pub environment: Environment,
}

/// The nearest of this process and its ancestors that was started under the library.
pub fn guardian() -> Option<Guardian> {
    let own = std::process::id();
    let mut pid = own;
    for _ in 0..LONGEST_CHAIN {
        // That of another user's process cannot be read, nor can it be told.
        let block = || fs::read(format!("/proc/{pid}/environ")).ok();
        let environment = match pid == own {
            true => Some(Environment::own()),
            false => block().map(|block| Environment::from_block(&block)),
        };
        if let Some(environment) = environment.filter(Environment::has_library) {
            return Some(Guardian { pid, environment });
        }
        pid = parent(pid).filter(|parent| *parent > 0)?;
    }
    None
}

/// The parent of `pid` (proc(5), the field behind the state; the name before it may hold anything).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end.checked_add(1)?..)?).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents() {
        let own = std::process::id();
        assert_eq!(parent(own), Some(std::os::unix::process::parent_id()));
        assert_eq!(parent(1), Some(0));
        assert_eq!(parent(u32::MAX), None);
    }
}
