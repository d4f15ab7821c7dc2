//! `rampart install systemd UNIT…`: drop-ins (systemd.unit(5)) that put the library into a unit's environment. The
//! unit's own file stays as its package made it.

use super::places::{Change, DROP_IN, Places};
use super::separate::{IMAGE, SPOOL};
use crate::failure::{Failure, reason, status};
use crate::launch::{environment::Environment, library};
use crate::output::Output;
use crate::policy::Choice;
use crate::policy::recipe::joined;
use std::fs;
use std::path::{Path, PathBuf};

/// Puts agents' units under the library, by a drop-in for each
///
/// After it: `systemctl daemon-reload`, and restart the units.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The units; `.service` may be left out
    #[arg(required = true, value_name = "UNIT")]
    units: Vec<String>,
    /// Units of this user's own service manager
    #[arg(long)]
    user: bool,
    /// Take the drop-ins away again
    #[arg(long)]
    remove: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Also `NoNewPrivileges=yes`: no sudo, no set-id program; none of these leaves the library behind
    #[arg(long)]
    no_new_privileges: bool,
    /// Only record: `RAMPART_MODE=monitor`
    #[arg(long)]
    monitor: bool,
    #[command(flatten)]
    choice: Choice,
    /// Root of the file system to write into, as for an image
    #[arg(long, value_name = "DIR", default_value = "/", conflicts_with = "user")]
    root: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// If a unit's name is none, there is no library, or a drop-in cannot be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let base = base(arguments)?;
    let mut change = Change::new(output, arguments.dry_run);
    for unit in &arguments.units {
        let unit = named(unit)?;
        let directory = base.join(format!("{unit}.d"));
        let path = directory.join(DROP_IN);
        if arguments.remove {
            let is_gone = change.gone(&path)?;
            // A user's lies in the same directory.
            if change.gone(&image_of(&base, arguments, &unit))? || is_gone {
                change.tidy(&directory);
            }
            continue;
        }
        let own = text_of(&unit, arguments);
        let others = preloaded(&own);
        let is_read_only = ["ProtectSystem=strict", "ReadOnlyPaths=", "DynamicUser="]
            .iter()
            .any(|option| own.contains(option));
        if own.contains("EnvironmentFile=") {
            change.say(&format!(
                "note       {unit} reads an EnvironmentFile=: LD_PRELOAD must not stand in it"
            ))?;
        }
        let image = image(&base, arguments, &unit, &mut change)?;
        let text = drop_in(arguments, image.as_deref(), (&others, is_read_only))?;
        change.file(&path, text.as_bytes(), 0o644)?;
        for line in text.lines().filter(|_| arguments.dry_run) {
            change.say(&format!("    {line}"))?;
        }
    }
    let manager = if arguments.user { "systemctl --user" } else { "systemctl" };
    let units = arguments.units.join(" ");
    change.say(&format!("then: {manager} daemon-reload && {manager} try-restart {units}"))
}

/// Where drop-ins of an administrator or a user go.
fn base(arguments: &Arguments) -> Result<PathBuf, Failure> {
    if !arguments.user {
        return Ok(arguments.root.join("etc/systemd/system"));
    }
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    let config = config.ok_or_else(|| Failure::other("HOME is not set to an absolute path"))?;
    Ok(config.join("systemd/user"))
}

/// The full name of a unit; only services start programs of their own.
fn named(unit: &str) -> Result<String, Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte);
    let name = match unit.rsplit_once('.') {
        Some((_, "service")) => unit.to_owned(),
        Some((_, "socket" | "timer" | "target" | "path" | "mount" | "slice" | "scope")) => {
            return Err(Failure::usage(format!("`{unit}` starts no program; name its service")));
        }
        _ => format!("{unit}.service"),
    };
    if name.len() > 255 || !name.bytes().all(is_plain) || name.starts_with('.') {
        return Err(Failure::usage(format!("`{}` is no name of a unit", unit.escape_debug())));
    }
    Ok(name)
}

/// What the unit's own files say, its other drop-ins included.
fn text_of(unit: &str, arguments: &Arguments) -> String {
    let (kind, roots) = match arguments.user {
        true => ("user", &["etc", "usr/local/lib", "usr/lib"][..]),
        false => ("system", &["etc", "run", "usr/local/lib", "usr/lib", "lib"][..]),
    };
    let mut text = String::new();
    for root in roots {
        let directory = arguments.root.join(root).join("systemd").join(kind);
        let drop_ins = fs::read_dir(directory.join(format!("{unit}.d")));
        let mut files = vec![directory.join(unit)];
        files.extend(drop_ins.into_iter().flatten().flatten().map(|entry| entry.path()));
        for file in files.iter().filter(|file| !file.ends_with(DROP_IN)) {
            text.push_str(&fs::read_to_string(file).unwrap_or_default());
            text.push('\n');
        }
    }
    text
}

/// The other libraries that `text` preloads: they are kept, behind ours.
fn preloaded(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| line.trim_start().starts_with("Environment=")) {
        let words = line.split(['"', '\'', ' ', '=']).skip_while(|word| *word != "LD_PRELOAD");
        for path in words.skip(1).flat_map(|word| word.split(':')) {
            let is_library = path.ends_with(".so") || path.contains(".so.");
            let is_ours = path.ends_with("librampart.so");
            if is_library && !is_ours && !found.iter().any(|known| known == path) {
                found.push(path.to_owned());
            }
        }
    }
    found
}

fn image_of(base: &Path, arguments: &Arguments, unit: &str) -> PathBuf {
    match arguments.user {
        true => base.join(format!("{unit}.d/rampart.img")),
        false => arguments.root.join("etc/rampart/units").join(format!("{unit}.img")),
    }
}

/// The image that the unit maps: the named policy's own, else the machine's; `None` for the standard policy that the
/// library has in it.
fn image(
    base: &Path,
    arguments: &Arguments,
    unit: &str,
    change: &mut Change<'_>,
) -> Result<Option<PathBuf>, Failure> {
    if arguments.choice.is_explicit() {
        let layers = arguments.choice.load(&Environment::own())?;
        let path = image_of(base, arguments, unit);
        change.file(&path, &joined(&layers), 0o644)?;
        let inside = path.strip_prefix(&arguments.root).unwrap_or(&path);
        return Ok(Some(Path::new("/").join(inside)));
    }
    let machine = arguments.root.join(IMAGE.trim_start_matches('/'));
    Ok(machine.exists().then(|| PathBuf::from(IMAGE)))
}

fn drop_in(
    arguments: &Arguments,
    image: Option<&Path>,
    (others, is_read_only): (&[String], bool),
) -> Result<String, Failure> {
    let library = match arguments.root == Path::new("/") {
        true => library::find()?,
        false => in_root(&arguments.root)?,
    };
    let mut preload = vec![library.to_string_lossy().into_owned()];
    preload.extend_from_slice(others);
    let socket =
        if arguments.user { "%t/rampart/evaluator.sock" } else { "/run/rampart/evaluator.sock" };
    let mut lines = vec![
        "# Written by `rampart install systemd`; `--remove` takes it away.".to_owned(),
        "[Service]".to_owned(),
        // What the unit's own Environment= says of the same names counts for less: drop-ins are read later.
        format!("Environment=\"LD_PRELOAD={}\"", preload.join(":").replace('%', "%%")),
        format!("Environment=RAMPART_SOCKET={socket}"),
        "Environment=RAMPART_SESSION=%n".to_owned(),
    ];
    if !arguments.user {
        lines.push(format!("Environment=RAMPART_AUDIT_DIR={SPOOL}"));
        if is_read_only {
            lines.push(format!("ReadWritePaths=-{SPOOL}"));
        }
    }
    if let Some(image) = image {
        let path = image.to_string_lossy().replace('%', "%%");
        lines.push(format!("Environment=\"RAMPART_IMAGE={path}\""));
    }
    if arguments.monitor {
        lines.push("Environment=RAMPART_MODE=monitor".to_owned());
    }
    if arguments.no_new_privileges {
        lines.push("NoNewPrivileges=yes".to_owned());
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// The library below another root, as a path inside it.
fn in_root(root: &Path) -> Result<PathBuf, Failure> {
    let found = ["/usr", "/usr/local"].into_iter().find(|prefix| {
        let places = Places { prefix: PathBuf::from(prefix), root: root.to_owned() };
        places.library().exists()
    });
    let prefix = found.ok_or_else(|| {
        let what = format!(
            "there is no librampart.so below `{}`: {}",
            root.display(),
            reason(&std::io::ErrorKind::NotFound.into())
        );
        Failure::with(status::DENIED, format!("{what}; run `rampart install --root` first"))
    })?;
    Ok(Path::new(prefix).join("lib/rampart/librampart.so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_libraries_are_kept() {
        let text = "[Service]\nEnvironment=A=b \"LD_PRELOAD=/a.so:/b/librampart.so /c.so.2\"\n\
                    Environment=LD_PRELOAD=/a.so\nExecStart=/x LD_PRELOAD=/no.so\n";
        assert_eq!(preloaded(text), ["/a.so", "/c.so.2"]);
    }

    #[test]
    fn names_of_units() {
        let cases = [
            ("agent", Some("agent.service")),
            ("agent.service", Some("agent.service")),
            ("agent@1", Some("agent@1.service")),
            ("a.b", Some("a.b.service")),
            ("agent.socket", None),
            ("../x", None),
            ("a b", None),
            (".service", None),
        ];
        for (given, expected) in cases {
            assert_eq!(named(given).ok().as_deref(), expected, "{given}");
        }
    }
}
