//! `rampart uninstall`: what `rampart install` put there is gone again, what names the library first: a library that
//! is gone while `LD_PRELOAD` names it is a warning of ld.so in every program, and no guard.

use super::install::places::{Change, DROP_IN, Places, users_of};
use super::install::separate::{IMAGE, SPOOL, UNITS, USER};
use crate::failure::{Failure, reason};
use crate::output::Output;
use crate::policy::authority;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What makes ld.so(8) load libraries into every program of the machine.
const PRELOAD: &str = "/etc/ld.so.preload";

/// Takes away what `rampart install` put there
///
/// Processes that still use the library are listed first; then nothing is done without --force. They go on with
/// what they have loaded, but what they start is no longer guarded. Policies and the audit log stay without
/// --purge.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    places: Places,
    /// Also while processes use the library
    #[arg(long)]
    force: bool,
    /// Also /etc/rampart, /var/lib/rampart and the user rampart
    #[arg(long)]
    purge: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
///
/// # Errors
/// If the library is in use, something cannot be removed, or this is inside a guarded tree.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    authority::refuse_inside_a_tree("uninstall")?;
    let places = &arguments.places;
    let mut output = Output::new();
    let mut change = Change::new(&mut output, arguments.dry_run);
    let using = users_of(&places.library());
    for (pid, name) in &using {
        change.say(&format!("in use by  {pid} {name}"))?;
    }
    if !using.is_empty() && !arguments.force {
        output.flush()?;
        return Err(Failure::other(format!(
            "{} processes use the library: end them, or say --force; what they start is then unguarded",
            using.len()
        )));
    }
    let is_live = places.root == Path::new("/") && !arguments.dry_run;
    preload(places, &mut change)?;
    drop_ins(places, &mut change)?;
    let has_units = UNITS.iter().any(|unit| places.units().join(unit).exists());
    if is_live && has_units {
        systemctl(&["disable", "--now", "rampart-serve.socket", "rampart-serve.service"]);
    }
    for unit in UNITS {
        change.gone(&places.units().join(unit))?;
    }
    for file in ["lib/sysusers.d/rampart.conf", "lib/tmpfiles.d/rampart.conf"] {
        change.gone(&places.at(places.prefix.join(file)))?;
    }
    if is_live && has_units {
        systemctl(&["daemon-reload"]);
    }
    change.gone(&places.at(IMAGE))?;
    change.gone(&places.library())?;
    change.gone(&places.program())?;
    let library = places.library();
    change.tidy(library.parent().unwrap_or(Path::new("/")));
    if arguments.purge {
        for path in ["/etc/rampart", "/var/lib/rampart", SPOOL, "/run/rampart"] {
            change.gone(&places.at(path))?;
        }
        if is_live {
            // There may be none.
            let _ = Command::new("userdel").arg(USER).output();
        }
    } else {
        change.say(
            "kept       /etc/rampart/policy.d and /var/lib/rampart; --purge removes them, too",
        )?;
    }
    output.flush()
}

/// Tells systemd, where it runs; where not there is nothing to be told.
fn systemctl(words: &[&str]) {
    let _ = Command::new("systemctl").args(words).output();
}

/// Takes our library out of ld.so's list for the whole machine.
fn preload(places: &Places, change: &mut Change<'_>) -> Result<(), Failure> {
    let path = places.at(PRELOAD);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(());
    };
    let is_other = |word: &&str| !word.ends_with("/librampart.so");
    let kept: Vec<&str> = text.split([' ', ':', '\n', '\t']).filter(|w| !w.is_empty()).collect();
    let others: Vec<&str> = kept.iter().copied().filter(is_other).collect();
    if others.len() == kept.len() {
        return Ok(());
    }
    if others.is_empty() {
        return change.gone(&path).map(drop);
    }
    change.file(&path, format!("{}\n", others.join("\n")).as_bytes(), 0o644)
}

/// Our drop-ins of the system's units, and of this user's.
fn drop_ins(places: &Places, change: &mut Change<'_>) -> Result<(), Failure> {
    let mut bases = vec![places.at("/etc/systemd/system")];
    let user = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".config"));
    if places.root == Path::new("/") {
        bases.extend(user.or_else(home).map(|config| config.join("systemd/user")));
    }
    for base in bases {
        let entries = match std::fs::read_dir(&base) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                let text = format!("cannot read `{}`: {}", base.display(), reason(&error));
                return Err(Failure::other(text));
            }
        };
        for directory in entries.flatten().map(|entry| entry.path()) {
            let is_ours = std::fs::read_to_string(directory.join(DROP_IN))
                .is_ok_and(|text| text.contains("rampart install systemd"));
            if is_ours {
                change.gone(&directory.join(DROP_IN))?;
                change.gone(&directory.join("rampart.img"))?;
                change.tidy(&directory);
            }
        }
    }
    change.gone(&places.at("/etc/rampart/units")).map(drop)
}
