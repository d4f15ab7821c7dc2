//! A real systemd, booted as process 1 of namespaces of its own (`tests/machines/nested-systemd.sh`): units of agents with
//! the drop-in, the evaluator as the shipped service, and what an agent's user tries against it.
//!
//! It needs root, systemd, and a kernel that gives overlays and a cgroup file system; without these it says so
//! and is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{events_in, library, rampart};

/// How long the boot and the scenario may take.
const LIMIT: Duration = Duration::from_secs(180);

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("machines")
}

/// Name, directives, whether the socket is reached, and where an event goes while the evaluator is down.
fn options() -> Vec<[String; 4]> {
    let text = fs::read_to_string(scripts().join("nested-systemd/options.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let fields = |line: &str| {
        let fields: Vec<String> = line.split('|').map(str::to_owned).collect();
        fields.try_into().expect("four fields")
    };
    lines.map(fields).collect()
}

/// The booted system; it ends with this value.
struct System {
    init: Child,
    results: tempfile::TempDir,
}

impl System {
    fn booted() -> Option<Self> {
        let results = tempfile::tempdir().unwrap();
        let log = fs::File::create(results.path().join("boot")).unwrap();
        let init = Command::new(scripts().join("nested-systemd.sh"))
            .args([rampart(), library(), results.path().to_owned()])
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let mut system = Self { init: init.unwrap(), results };
        let end = Instant::now() + LIMIT;
        while !system.results.path().join("done").exists() {
            if system.init.try_wait().unwrap().is_some() && !system.path("booting").exists() {
                println!("skipped: no systemd can be booted here: {}", system.text("boot"));
                return None;
            }
            let log = || format!("{}\n{}", system.text("driver"), system.text("systemd.log"));
            assert!(Instant::now() < end, "the scenario does not end: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(system)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.results.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What a unit printed, less what Rampart said.
    fn said(&self, unit: &str) -> Vec<String> {
        let text = self.text(&format!("out.{unit}"));
        let lines = text.lines().filter(|line| !line.starts_with("rampart: "));
        lines.map(str::to_owned).collect()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // Its process 1 is killed with unshare (`--kill-child`), and all that is in its namespace with that.
        let _ = self.init.kill();
        let _ = self.init.wait();
    }
}

fn is_possible() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let is_there = Path::new("/lib/systemd/systemd").exists();
    if !is_root || !is_there {
        println!("skipped: needs root and systemd");
    }
    is_root && is_there
}

#[test]
fn units_of_agents_under_a_real_systemd() {
    if !is_possible() {
        return;
    }
    let Some(system) = System::booted() else {
        return;
    };
    let driver = system.text("driver");
    let lines: Vec<&str> = driver.lines().collect();
    let expected = [
        "systemd",
        "before: inactive",
        "approved: rt-asked",
        "activated: active, by rampart",
        "killed: active, 1 restart",
        "restarted: active",
        "attempted: nothing changed",
        "denied: rt-asked",
        "denied: rt-asked",
        "credential: 400, a key of the machine, not of its users",
        "without: active, none",
        "unconfigured: inactive",
        "verifier: active, \"decision\":\"deny\", unreachable",
        "removed: 0",
        "stopped: inactive",
        "audit: rampart 700",
    ];
    assert_eq!(lines, expected, "{}", system.text("systemd.log"));
    assert_eq!(system.said("asking"), ["rt-asked ran", "asked=0"]);
    assert_eq!(system.said("asking-user"), ["asked=126"]);

    // A unit of the user's own manager, with an evaluator there.
    let own = ["denied=126", "rt-permitted ran", "permitted=0", "loaded=yes", "socket=yes"];
    assert_eq!(system.said("own"), own);
    denials(&events_in(&system.path("own")), "own");

    let events = events_in(&system.path("audit"));
    let mut units = vec!["killed".to_owned(), "restarted".to_owned()];
    for [name, _, socket, spool] in options() {
        let worked = ["denied=126", "rt-permitted ran", "permitted=0", "loaded=yes"];
        for (when, reached) in [("up", socket.as_str()), ("down", "no")] {
            let said = system.said(&format!("{when}-{name}"));
            assert_eq!(said[..4], worked, "{when}-{name}: {said:?}");
            assert_eq!(said[4], format!("socket={reached}"), "{when}-{name}");
            let place = format!("spool={spool}");
            assert!(when == "up" || said[5..].contains(&place), "{when}-{name}: {said:?}");
        }
        if spool == "spool" {
            units.push(format!("up-{name}"));
        }
    }
    for unit in units {
        denials(&events, &unit);
    }
    attempts(&system.text("attempts"));
}

/// One denial is recorded of this unit, by its name.
fn denials(events: &[Value], unit: &str) {
    let session = format!("{unit}.service");
    let denials = events
        .iter()
        .filter(|event| event["session"] == session.as_str() && event["outcome"] == "denied");
    let rules: Vec<_> = denials.map(|event| event["rule"].clone()).collect();
    assert_eq!(rules, ["forbidden"], "the event of {unit}");
}

/// What the agent's user may do.
const PERMITTED: [&str; 3] =
    ["take another user's place in the spool", "read the policy", "ask the evaluator how it is"];

/// What the agent's user could do, and could not: docs/deployment.md has the same table.
fn attempts(text: &str) {
    let tries = fs::read_to_string(scripts().join("nested-systemd/attempts.sh")).unwrap();
    let tries =
        tries.lines().filter(|line| line.starts_with("try '") || line.starts_with("try \""));
    assert_eq!(text.lines().count(), tries.count(), "{text}");
    let document = document();
    println!("| attempt of the agent's user | result |\n| --- | --- |");
    for line in text.lines() {
        let (what, result) = line.rsplit_once(": ").unwrap();
        println!("| {what} | {result} |");
    }
    for line in text.lines() {
        let (what, result) = line.rsplit_once(": ").unwrap();
        let permitted = PERMITTED.contains(&what);
        assert_eq!(result, if permitted { "DONE" } else { "refused" }, "{what}");
        let row = format!("| {what} | {} |", if permitted { "may" } else { "refused" });
        assert!(document.contains(&row), "docs/deployment.md has no row `{row}`");
    }
}

fn document() -> String {
    fs::read_to_string(scripts().join("../../docs/deployment.md")).unwrap()
}

#[test]
fn the_table_of_options_is_what_is_tried() {
    let document = document();
    for [name, directives, socket, spool] in options() {
        let directives = match directives.as_str() {
            "" => "none (root, no `HOME`)".to_owned(),
            some => format!("`{}`", some.replace(';', "`, `")),
        };
        let spool = if spool == "spool" { "yes" } else { "`/dev/shm`" };
        let row = format!("| {directives} | yes | yes | {socket} | {spool} |");
        assert!(document.contains(&row), "docs/deployment.md has no row `{row}` ({name})");
    }
}

#[test]
fn drop_ins_and_shipped_units_are_what_systemd_takes() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    let units = at("etc/systemd/system");
    fs::create_dir_all(&units).unwrap();
    for (path, content) in
        [("usr/bin/rampart", rampart()), ("usr/lib/rampart/librampart.so", library())]
    {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::copy(content, at(path)).unwrap();
    }
    let agent = "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/libeatmydata.so\nProtectSystem=strict\nExecStart=/usr/bin/rampart\n";
    fs::write(units.join("agent.service"), agent).unwrap();
    let shipped_units = ["rampart-serve.service", "rampart-serve.socket", "rampart-verify.service"];
    for name in shipped_units {
        let shipped = scripts().join("../../packaging/systemd").join(name);
        fs::copy(shipped, units.join(name)).unwrap();
    }
    for target in ["sysinit", "basic", "shutdown", "sockets", "multi-user"] {
        let text = "[Unit]\nDefaultDependencies=no\n";
        fs::write(units.join(format!("{target}.target")), text).unwrap();
    }
    let install = |more: &[&str]| {
        let mut command = Command::new(rampart());
        command.args(["install", "systemd", "agent", "--no-new-privileges", "--root"]);
        let ran = tests::run(command.arg(root.path()).args(more).env("HOME", root.path()), "");
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        ran.stdout
    };
    let drop_in = units.join("agent.service.d/50-rampart.conf");
    assert!(install(&["--dry-run"]).contains("created"));
    assert!(!drop_in.exists(), "--dry-run wrote something");
    install(&[]);
    let text = fs::read_to_string(&drop_in).unwrap();
    for line in [
        "Environment=\"LD_PRELOAD=/usr/lib/rampart/librampart.so:/usr/lib/libeatmydata.so\"",
        "Environment=RAMPART_SESSION=%n",
        "NoNewPrivileges=yes",
        "ReadWritePaths=-/var/spool/rampart",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert!(install(&[]).contains("unchanged"));
    if let Some(verify) = tests::find("systemd-analyze") {
        let mut command = Command::new(verify);
        command.arg("verify").arg("--man=no").arg("--root").arg(root.path());
        command.arg("agent.service").args(shipped_units);
        let ran = tests::run(&mut command, "");
        let ours = |line: &&str| line.contains("rampart") || line.contains("agent.service");
        let found: Vec<&str> = ran.stderr.lines().filter(ours).collect();
        assert_eq!(found, Vec::<&str>::new(), "{}", ran.stderr);
    }
    assert!(install(&["--remove"]).contains("removed"));
    assert!(!drop_in.parent().unwrap().exists(), "an empty directory is left");
}
