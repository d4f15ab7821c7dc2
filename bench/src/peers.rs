//! What others cost on this machine: whatever of them is installed, in turns with us and with nothing.

use std::path::Path;

use crate::Setup;
use crate::report::Report;
use crate::spawn::{Variant, interleaved};

/// Where Debian puts snoopy's library.
const SNOOPY: [&str; 2] = ["/usr/lib/x86_64-linux-gnu/libsnoopy.so", "/lib/libsnoopy.so"];

/// Starts its arguments by a sudo that judges every program they start, in the way `$0` says, by a configuration
/// that nobody else sees (`sudoers(5)`, `intercept`). Needs root.
const SUDO: &str = "mount -t tmpfs -o mode=755 none /etc/sudoers.d && \
    printf 'Defaults intercept, intercept_type=%s, !syslog\\nroot ALL=(ALL:ALL) NOPASSWD: ALL\\n' \"$0\" \
    > /etc/sudoers.d/bench && chmod 440 /etc/sudoers.d/bench && exec sudo -n -E -- \"$@\"";

/// Adds a row for each. `PEER_SO=path` is one more library.
///
/// # Errors
/// If one that is there does not work.
pub fn measure(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let path = |path: &Path| path.display().to_string();
    let preloaded = |name, library: String| Variant {
        name,
        prefix: Vec::new(),
        env: vec![("LD_PRELOAD", library)],
    };
    let mut variants = vec![
        Variant { name: "bare", prefix: Vec::new(), env: Vec::new() },
        preloaded("empty library", path(&setup.empty)),
    ];
    let mut ours = preloaded("rampart, every event recorded", path(&setup.library));
    ours.env.push(("RAMPART_AUDIT_DIR", path(&setup.work.join("peers"))));
    variants.push(ours);
    match SNOOPY.iter().find(|path| Path::new(path).exists()) {
        Some(library) => variants.push(preloaded("snoopy", (*library).to_owned())),
        None => println!("snoopy is not here: apt-get install snoopy"),
    }
    if Path::new("/usr/bin/strace").exists() {
        let words =
            ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve", "-o", "/dev/null"];
        let prefix = words.map(str::to_owned).to_vec();
        variants.push(Variant { name: "strace --seccomp-bpf", prefix, env: Vec::new() });
    } else {
        println!("strace is not here: apt-get install strace");
    }
    if rustix::process::geteuid().is_root()
        && Path::new("/usr/libexec/sudo/sudo_intercept.so").exists()
    {
        for (name, way) in [("sudo intercept, dso", "dso"), ("sudo intercept, trace", "trace")] {
            let prefix = ["unshare", "--mount", "sh", "-c", SUDO, way].map(str::to_owned).to_vec();
            variants.push(Variant { name, prefix, env: Vec::new() });
        }
    } else {
        println!("sudo with intercept is not here, or this is not root: apt-get install sudo");
    }
    if let Ok(library) = std::env::var("PEER_SO") {
        variants.push(preloaded("PEER_SO", library));
    }
    let figures = interleaved(variants, &["/bin/true"], 500)?;
    let Some(((_, bare), others)) = figures.split_first() else {
        return Ok(());
    };
    for (name, figure) in others {
        report.ratio(&format!("posix_spawn /bin/true, {name}"), *figure, *bare, "µs", None);
    }
    Ok(())
}
