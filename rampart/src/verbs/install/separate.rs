//! `rampart install --separate`: daemon, audit log and approvals belong to a user `rampart`; the policy is root's,
//! readable by all and writable by none, so that verdicts go on in every process while the daemon is down.

use super::places::{self, Change, Places};
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use crate::policy::recipe::joined;
use crate::policy::{Choice, installed};
use std::path::Path;
use std::process::Command;

/// The policy of the whole machine, as the library maps it.
pub const IMAGE: &str = "/etc/rampart/system.img";

/// Where processes of all users leave their events.
pub const SPOOL: &str = "/var/spool/rampart";

/// The user's name.
pub const USER: &str = "rampart";

const SERVICE: &str = include_str!("../../../../packaging/systemd/rampart-serve.service");
const SOCKET: &str = include_str!("../../../../packaging/systemd/rampart-serve.socket");
const TEMPORARY: &str = include_str!("../../../../packaging/tmpfiles.d/rampart.conf");
const USERS: &str = include_str!("../../../../packaging/sysusers.d/rampart.conf");

/// Names of the units.
pub const UNITS: [&str; 2] = ["rampart-serve.socket", "rampart-serve.service"];

/// Installs the units, the user and the policy.
///
/// # Errors
/// If this is not root, or something cannot be made.
pub fn run(places: &Places, change: &mut Change<'_>) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::other(
            "a user of its own and a policy that nobody else can change need root; run it with sudo",
        ));
    }
    let program = places.prefix.join("bin/rampart");
    let service = SERVICE.replace("/usr/bin/rampart", &program.to_string_lossy());
    for (name, text) in UNITS.iter().zip([SOCKET, &service]) {
        change.file(&places.units().join(name), text.as_bytes(), 0o644)?;
    }
    let users = places.at(places.prefix.join("lib/sysusers.d/rampart.conf"));
    change.file(&users, USERS.as_bytes(), 0o644)?;
    let temporary = places.at(places.prefix.join("lib/tmpfiles.d/rampart.conf"));
    change.file(&temporary, TEMPORARY.as_bytes(), 0o644)?;
    policy(places, change)?;
    if places.root == Path::new("/") && !change.is_dry() {
        user()?;
        directories()?;
        start(change)?;
    }
    Ok(())
}

/// The machine's layers, compiled.
///
/// # Errors
/// If a file of `/etc/rampart/policy.d` does not compile.
pub fn image() -> Result<Vec<u8>, Failure> {
    // Not root's own layer, nor that of the project that this happens to stand in.
    let mut environment = Environment::default();
    for (name, value) in [("HOME", "/nonexistent"), ("RAMPART_NO_PROJECT_POLICY", "1")] {
        environment.set(name, value.as_ref());
    }
    Ok(joined(&Choice::default().load(&environment)?))
}

/// Makes [`IMAGE`] again.
///
/// # Errors
/// If the policy does not compile, or the file cannot be written.
pub fn renew() -> Result<(), Failure> {
    places::replaced(Path::new(IMAGE), &image()?, 0o644)
        .map_err(|error| Failure::other(format!("cannot write `{IMAGE}`: {}", reason(&error))))
}

/// Puts the machine's layers, compiled, where they belong.
fn policy(places: &Places, change: &mut Change<'_>) -> Result<(), Failure> {
    let bytes = image()?;
    let directory = places.at(installed::SYSTEM);
    if !directory.exists() && !change.is_dry() {
        std::fs::create_dir_all(&directory).map_err(|error| {
            Failure::other(format!("cannot make `{}`: {}", directory.display(), reason(&error)))
        })?;
    }
    change.file(&places.at(IMAGE), &bytes, 0o644)
}

/// Makes the user, if there is none.
fn user() -> Result<(), Failure> {
    let is_there = Command::new("id").arg("-u").arg(USER).output();
    if is_there.is_ok_and(|id| id.status.success()) {
        return Ok(());
    }
    let options =
        ["--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/rampart"];
    let made =
        Command::new("useradd").args(options).args(["--shell", "/usr/sbin/nologin", USER]).output();
    match made {
        Ok(made) if made.status.success() => Ok(()),
        Ok(made) => Err(Failure::other(format!(
            "useradd cannot make the user {USER}: {}",
            String::from_utf8_lossy(made.stderr.trim_ascii())
        ))),
        Err(error) => Err(Failure::other(format!("cannot run useradd: {}", reason(&error)))),
    }
}

/// Makes what belongs to the user: the state, and the spool where everybody may add.
fn directories() -> Result<(), Failure> {
    for (path, mode) in [("/var/lib/rampart", "0700"), (SPOOL, "1733")] {
        let words = ["-d", "-o", USER, "-g", USER, "-m", mode, path];
        let made = Command::new("install").args(words).output();
        let is_made = made.as_ref().is_ok_and(|made| made.status.success());
        if !is_made {
            let why = match made {
                Ok(made) => String::from_utf8_lossy(made.stderr.trim_ascii()).into_owned(),
                Err(error) => reason(&error),
            };
            return Err(Failure::other(format!("cannot make `{path}`: {why}")));
        }
    }
    Ok(())
}

/// Starts the service, where systemd runs.
fn start(change: &mut Change<'_>) -> Result<(), Failure> {
    if !Path::new("/run/systemd/system").exists() {
        return change.say(
            "systemd does not run here: start `rampart serve` as the user rampart by other means",
        );
    }
    for words in [&["daemon-reload"][..], &["enable", "--now", "rampart-serve.socket"]] {
        let done = Command::new("systemctl").args(words).output();
        let done = done
            .map_err(|error| Failure::other(format!("cannot run systemctl: {}", reason(&error))))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(done.stderr.trim_ascii()).into_owned();
            return Err(Failure::other(format!("systemctl {}: {said}", words.join(" "))));
        }
    }
    change.say("started    rampart-serve.socket")
}
