//! `rampart inject`: a container's programs under the library, without another image. It stands in the place of the OCI
//! runtime and changes the bundle's `config.json` (runtime-spec: mounts, process.env) before the real one reads it; or it
//! is a filter for hooks that hand the configuration on (`precreate` of podman and CRI-O).
//!
//! A container that cannot be changed is not started: an error is never a start without a guard.

use crate::failure::{Failure, reason, status};
use crate::launch::library;
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it all lies in a container.
const INSIDE: &str = "/opt/rampart";

/// Puts containers under the library, in the place of their OCI runtime
///
/// As `rampart inject --runtime runc -- create --bundle DIR ID`; with --stdin it changes the configuration on standard
/// input and prints it.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The runtime that starts the containers
    #[arg(long, value_name = "PROGRAM", default_value = "runc", conflicts_with = "stdin")]
    runtime: PathBuf,
    /// Change the configuration on standard input, for a hook
    #[arg(long, conflicts_with = "runtime_arguments")]
    stdin: bool,
    /// Policy image, mounted read-only
    #[arg(long, value_name = "FILE", default_value = "/etc/rampart/system.img")]
    image: PathBuf,
    /// Directory of the evaluator's socket, mounted read-only
    #[arg(long, value_name = "DIR", default_value = "/run/rampart")]
    socket: PathBuf,
    /// Directory where events are left for the evaluator
    #[arg(long, value_name = "DIR", default_value = "/var/spool/rampart")]
    spool: PathBuf,
    /// A static `rampart` for asks inside of containers, mounted read-only
    #[arg(long, value_name = "FILE")]
    helper: Option<PathBuf>,
    /// Refuse containers whose root has no loader: what is static in them is not guarded
    #[arg(long)]
    require: bool,
    /// What the runtime gets
    #[arg(last = true)]
    runtime_arguments: Vec<OsString>,
}

/// Runs the verb. Does not return if the runtime starts.
///
/// # Errors
/// If a configuration cannot be read, changed or written, or the runtime cannot be executed.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let library = library::find()?;
    if arguments.stdin {
        let mut text = Vec::new();
        let failed = |error: std::io::Error| Failure::other(reason(&error));
        std::io::stdin().read_to_end(&mut text).map_err(failed)?;
        let mut config = parsed(&text, Path::new("standard input"))?;
        change(&mut config, arguments, &library, None)?;
        return std::io::stdout().write_all(config.to_string().as_bytes()).map_err(failed);
    }
    let words: Vec<&str> =
        arguments.runtime_arguments.iter().filter_map(|word| word.to_str()).collect();
    match Call::of(&words) {
        Call::Start { bundle, id } => {
            let path = bundle.join("config.json");
            let mut config = read(&path)?;
            change(&mut config, arguments, &library, Some((&bundle, id)))?;
            write(&path, &config)?;
        }
        Call::Exec { process } => {
            let mut config = read(&process)?;
            environment(&mut config, arguments, None, &Found::of(arguments))?;
            write(&process, &config)?;
        }
        Call::Other => {}
    }
    let error = Command::new(&arguments.runtime).args(&arguments.runtime_arguments).exec();
    let name = arguments.runtime.display();
    let status = if error.kind() == std::io::ErrorKind::NotFound {
        status::NOT_FOUND
    } else {
        status::NOT_EXECUTABLE
    };
    Err(Failure::with(status, format!("cannot execute the runtime `{name}`: {}", reason(&error))))
}

/// What a runtime is called for.
#[derive(Debug, PartialEq, Eq)]
enum Call<'w> {
    /// `create` or `run`.
    Start {
        bundle: PathBuf,
        id: &'w str,
    },
    /// `exec` with a description of the process.
    Exec {
        process: PathBuf,
    },
    Other,
}

impl<'w> Call<'w> {
    /// Options of runc and crun that take a value as the next word are in the way of finding the verb; the verb is
    /// the first word that is one.
    fn of(words: &[&'w str]) -> Self {
        let is_verb = |word: &&&str| matches!(**word, "create" | "run" | "exec" | "restore");
        let verb = words.iter().find(is_verb).copied();
        let value = |long: &str, short: &str| {
            let next = words.iter().zip(words.iter().skip(1));
            let apart = next.filter(|(word, _)| **word == long || **word == short);
            let joined = words.iter().filter_map(|word| word.strip_prefix(long)?.strip_prefix('='));
            apart.map(|(_, value)| *value).chain(joined).last().map(PathBuf::from)
        };
        match verb {
            Some("create" | "run" | "restore") => Self::Start {
                bundle: value("--bundle", "-b").unwrap_or_else(|| PathBuf::from(".")),
                id: words.last().copied().unwrap_or_default(),
            },
            Some("exec") => match value("--process", "-p") {
                Some(process) => Self::Exec { process },
                // The process gets the environment of `config.json`, which is changed.
                None => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// What of the machine is there to be mounted.
struct Found {
    image: bool,
    socket: bool,
    spool: bool,
}

impl Found {
    fn of(arguments: &Arguments) -> Self {
        Self {
            image: arguments.image.is_file(),
            socket: arguments.socket.is_dir(),
            spool: arguments.spool.is_dir(),
        }
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read(path).map_err(|error| {
        Failure::other(format!("cannot read `{}`: {}", path.display(), reason(&error)))
    })?;
    parsed(&text, path)
}

fn parsed(text: &[u8], from: &Path) -> Result<Value, Failure> {
    serde_json::from_slice(text)
        .map_err(|error| Failure::other(format!("{} is no configuration: {error}", from.display())))
}

fn write(path: &Path, config: &Value) -> Result<(), Failure> {
    crate::policy::image_store::write_atomically(path, config.to_string().as_bytes())
}

/// Changes the configuration of a container: mounts, then the environment of its process.
fn change(
    config: &mut Value,
    arguments: &Arguments,
    library: &Path,
    bundle: Option<(&Path, &str)>,
) -> Result<(), Failure> {
    let found = Found::of(arguments);
    let root = config.pointer("/root/path").and_then(Value::as_str).unwrap_or("rootfs");
    let root = bundle.map(|(bundle, _)| bundle.join(root)).or_else(|| Some(PathBuf::from(root)));
    if root.is_some_and(|root| root.is_dir() && !has_loader(&root)) {
        let what = "this container has no loader of a C library (static or distroless): its programs cannot load \
                    the library";
        if arguments.require {
            return Err(Failure::other(what));
        }
        complain!("rampart: warning: {what}; they run unguarded");
    }
    let mut mounts = vec![mount(library, "librampart.so", true)];
    if found.image {
        mounts.push(mount(&arguments.image, "policy.img", true));
    }
    if found.socket {
        mounts.push(mount(&arguments.socket, "run", true));
    }
    if found.spool {
        mounts.push(mount(&arguments.spool, "spool", false));
    }
    if let Some(helper) = &arguments.helper {
        mounts.push(mount(helper, "rampart", true));
    }
    let object = object(config)?;
    let own = object.entry("mounts").or_insert_with(|| json!([]));
    let own = own.as_array_mut().ok_or_else(|| Failure::other("`mounts` is no array"))?;
    own.retain(|mount| !mount["destination"].as_str().is_some_and(|to| to.starts_with(INSIDE)));
    own.extend(mounts);
    match object.get_mut("process") {
        Some(process) => environment(process, arguments, bundle.map(|(_, id)| id), &found),
        None => Err(Failure::other("the configuration names no process to be guarded")),
    }
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>, Failure> {
    value.as_object_mut().ok_or_else(|| Failure::other("the configuration is no JSON object"))
}

/// A bind mount. Programs are executed from it, so that it is not `noexec`.
fn mount(from: &Path, name: &str, is_read_only: bool) -> Value {
    let mode = if is_read_only { "ro" } else { "rw" };
    json!({
        "destination": format!("{INSIDE}/{name}"),
        "type": "bind",
        "source": from,
        "options": ["bind", mode, "nosuid", "nodev"],
    })
}

/// Whether any C library's loader is in `root` (glibc's and musl's names).
fn has_loader(root: &Path) -> bool {
    ["lib", "lib64", "usr/lib", "usr/lib64"].iter().any(|directory| {
        let entries = std::fs::read_dir(root.join(directory));
        entries.into_iter().flatten().flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("ld-linux") || name.starts_with("ld-musl")
        })
    })
}

/// The process's environment: ours first and once, whatever the image says of the same names.
fn environment(
    process: &mut Value,
    arguments: &Arguments,
    id: Option<&str>,
    found: &Found,
) -> Result<(), Failure> {
    let own = object(process)?.entry("env").or_insert_with(|| json!([]));
    let own = own.as_array_mut().ok_or_else(|| Failure::other("`process.env` is no array"))?;
    let mut preload = format!("LD_PRELOAD={INSIDE}/librampart.so");
    for entry in own.iter().filter_map(|entry| entry.as_str()?.strip_prefix("LD_PRELOAD=")) {
        for other in entry.split([' ', ':']).filter(|other| !other.is_empty()) {
            if !other.ends_with("/librampart.so") {
                preload.push(':');
                preload.push_str(other);
            }
        }
    }
    let is_ours = |entry: &Value| {
        entry.as_str().is_some_and(|e| e.starts_with("LD_PRELOAD=") || e.starts_with("RAMPART_"))
    };
    own.retain(|entry| !is_ours(entry));
    let mut add = vec![preload];
    for (is_there, entry) in [
        (found.image, format!("RAMPART_IMAGE={INSIDE}/policy.img")),
        (found.socket, format!("RAMPART_SOCKET={INSIDE}/run/evaluator.sock")),
        (found.spool, format!("RAMPART_AUDIT_DIR={INSIDE}/spool")),
        (arguments.helper.is_some(), format!("RAMPART_HELPER={INSIDE}/rampart")),
        (id.is_some(), format!("RAMPART_SESSION={}", id.unwrap_or_default())),
    ] {
        add.extend(is_there.then_some(entry));
    }
    own.splice(0..0, add.into_iter().map(Value::from));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_runtime_is_called_for() {
        let start = |bundle: &str, id: &'static str| Call::Start { bundle: bundle.into(), id };
        let cases: [(&[&str], Call<'_>); 6] = [
            (&["create", "--bundle", "/b", "c1"], start("/b", "c1")),
            (&["--root", "/r", "--log-format", "json", "run", "-b", "/b", "c1"], start("/b", "c1")),
            (
                &["--systemd-cgroup", "create", "--bundle=/b", "--pid-file", "/p", "c1"],
                start("/b", "c1"),
            ),
            (&["run", "c1"], start(".", "c1")),
            (&["exec", "--process", "/p.json", "c1"], Call::Exec { process: "/p.json".into() }),
            (&["delete", "c1"], Call::Other),
        ];
        for (words, expected) in cases {
            assert_eq!(Call::of(words), expected, "{words:?}");
        }
    }

    #[test]
    fn the_environment_of_a_process() {
        let arguments = Arguments {
            runtime: "runc".into(),
            stdin: false,
            image: "/i".into(),
            socket: "/s".into(),
            spool: "/p".into(),
            helper: None,
            require: false,
            runtime_arguments: Vec::new(),
        };
        let found = Found { image: true, socket: false, spool: false };
        let mut process = json!({"args": ["sh"], "env": ["A=b", "LD_PRELOAD=/x.so /y/librampart.so",
            "RAMPART_MODE=disabled"]});
        environment(&mut process, &arguments, Some("c1"), &found).unwrap();
        let expected = json!([
            "LD_PRELOAD=/opt/rampart/librampart.so:/x.so",
            "RAMPART_IMAGE=/opt/rampart/policy.img",
            "RAMPART_SESSION=c1",
            "A=b"
        ]);
        assert_eq!(process["env"], expected);
        assert_eq!(process["args"], json!(["sh"]));
        let mut again = process.clone();
        environment(&mut again, &arguments, Some("c1"), &found).unwrap();
        assert_eq!(again, process, "twice is once");
    }
}
