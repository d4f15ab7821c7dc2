//! What the kernel has for `rampart run --enforce kernel` on this machine, and what it costs to have it. That
//! it really holds is tried by the canary.

use super::{Check, State};
use crate::failure::reason;
use crate::process::small;
use crate::supervise::landlock;

/// Bit of `CAP_SYS_ADMIN` (capabilities(7)).
const ADMIN: u32 = 21;

/// What can be read without trying anything.
pub fn checks() -> Vec<Check> {
    let status = small("/proc/self/status").unwrap_or_default();
    let status = String::from_utf8_lossy(&status).into_owned();
    let mut checks = vec![privileges(&status)];
    checks.extend(filters(&status));
    checks.extend(tracing());
    checks.push(floor());
    checks
}

/// The value of a line of proc_pid_status(5).
fn value<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    let mut lines = status.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Whether set-user-ID programs still work inside.
fn privileges(status: &str) -> Check {
    let capabilities = value(status, "CapEff").and_then(|text| u64::from_str_radix(text, 16).ok());
    let is_admin = capabilities.is_some_and(|all| all >> ADMIN & 1 == 1);
    let has_none_new = value(status, "NoNewPrivs") == Some("1");
    let text = match (has_none_new, is_admin) {
        (true, _) => "no_new_privs is set here already: sudo works neither inside nor outside",
        (false, true) => "this user may administrate: sudo goes on working under --enforce kernel",
        (false, false) => {
            "--enforce kernel sets no_new_privs: sudo and other set-user-ID programs gain nothing inside"
        }
    };
    Check::new("privileges", State::Ok, text)
}

/// Who stands above already, as in most containers.
fn filters(status: &str) -> Option<Check> {
    let count: u32 = value(status, "Seccomp_filters")?.parse().ok()?;
    let text = match count {
        0 => "no seccomp filter is above this process".to_owned(),
        _ => format!(
            "{count} seccomp filters are above this process (a container's, or another supervisor's); of those \
             that ask somebody, the kernel takes one"
        ),
    };
    Some(Check::new("filters", State::Ok, text))
}

/// Whether a process can be held while it is looked at.
fn tracing() -> Option<Check> {
    let scope = small("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    let check = match scope.trim_ascii() {
        b"3" => Check::new(
            "ptrace",
            State::Warning,
            "kernel.yama.ptrace_scope is 3: no process can be held, so under --enforce kernel a start from \
             a process with several threads is denied",
        ),
        other => {
            let other = String::from_utf8_lossy(other);
            Check::new("ptrace", State::Ok, format!("kernel.yama.ptrace_scope is {other}"))
        }
    };
    Some(check)
}

/// Whether the kernel can hold what a policy puts out of reach.
fn floor() -> Check {
    match landlock::abi() {
        Ok(abi) if abi < landlock::RENAMES => {
            let text = format!(
                "Landlock ABI {abi} forbids to move files between directories: the policy's rules alone hold \
                 `out_of_reach`"
            );
            Check::new("landlock", State::Warning, text)
        }
        Ok(abi) => {
            let less = match landlock::lacks(abi) {
                "" => String::new(),
                lacks => format!(", but for {lacks}"),
            };
            let text = format!("Landlock ABI {abi}: --enforce kernel holds `out_of_reach`{less}");
            Check::new("landlock", State::Ok, text)
        }
        Err(error) => {
            let why = reason(&error);
            let text = format!("no Landlock ({why}): the policy's rules alone hold `out_of_reach`");
            Check::new("landlock", State::Warning, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_says() {
        let status = "Name:\tx\nNoNewPrivs:\t0\nCapEff:\t000001ffffffffff\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        assert_eq!(value(status, "Seccomp"), Some("2"));
        assert!(privileges(status).text.contains("goes on working"));
        let ordinary = status.replace("000001ffffffffff", "0000000000000000");
        assert!(privileges(&ordinary).text.contains("gain nothing"));
        assert!(privileges(&ordinary.replace("Privs:\t0", "Privs:\t1")).text.contains("already"));
        assert!(filters(status).unwrap().text.starts_with("3 seccomp filters"));
        assert!(filters("").is_none());
    }
}
