//! The shipped pack `taint`, on the standard policy: connections go under `rampart run` and under
//! `rampart serve` until the tree has read a secret and heard strangers; then a person is asked.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::process::Command;

use tests::{Evaluator, Guard, Ran, find, rampart, run};

const PACK: &str = include_str!("../../../policies/packs/taint.yaml");

/// Does in order what its arguments say: reads the secret, connects to the first or the second host.
const STEPS: &str = "import os, socket, sys
hosts, port, steps = sys.argv[1:3], int(sys.argv[3]), sys.argv[4:]
for step in steps:
    try:
        if step == 'secret': open(os.path.expanduser('~/.aws/credentials')).read()
        else: socket.create_connection((hosts[step == 'here'], port), timeout=20).close()
        print(step, 'done', flush=True)
    except OSError as error: print(step, os.strerror(error.errno), flush=True)
";

/// Steps in one process, `|` between processes of one tree, and which are refused.
const ROWS: &[(&str, &[bool])] = &[
    ("away away", &[false, false]),
    ("secret away", &[false, false]),
    ("secret away away", &[false, false, true]),
    ("away secret away away here", &[false, false, true, true, false]),
    ("here here secret here away", &[false; 5]),
    ("here secret away here away", &[false, false, false, false, true]),
    ("away | secret | away", &[false, false, true]),
    ("secret | here | away | away", &[false, false, false, true]),
];

/// An address of this machine that is none of those which the pack takes for it: what it would reach
/// other machines from, else the one that the kernel takes for itself (ip(7), `INADDR_ANY`).
fn away() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: the kernel looks for a route.
    let own = socket.connect("198.51.100.1:9").and_then(|()| socket.local_addr());
    let own = own.map(|address| address.ip()).ok().filter(|ip| !ip.is_loopback());
    own.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

struct Scene {
    guard: Guard,
    listener: TcpListener,
}

impl Scene {
    fn new() -> Option<Self> {
        if find("python3").is_none() {
            println!("skipped: python3 is not installed");
            return None;
        }
        let guard = Guard::on_standard(PACK);
        fs::create_dir_all(guard.path("home/.aws")).unwrap();
        fs::write(guard.path("home/.aws/credentials"), "[default]\n").unwrap();
        fs::write(guard.path("steps.py"), STEPS).unwrap();
        // Connections that nobody accepts are made all the same.
        Some(Self { guard, listener: TcpListener::bind("0.0.0.0:0").unwrap() })
    }

    /// A shell line that takes `steps`.
    fn line(&self, steps: &str) -> String {
        let python = find("python3").unwrap();
        let (port, away) = (self.listener.local_addr().unwrap().port(), away());
        let one = |steps: &str| {
            format!("{} -S steps.py {away} 127.0.0.1 {port} {}", python.display(), steps.trim())
        };
        steps.split('|').map(one).collect::<Vec<_>>().join("; ")
    }

    /// Each row, in a tree of its own that `command` makes of a shell line.
    fn each(&self, what: &str, command: impl Fn(&str) -> Command) {
        for (steps, refused) in ROWS {
            let ran = run(command(&self.line(steps)).env("RAMPART_ASK_TIMEOUT", "1"), "");
            assert_eq!(outcomes(&ran), *refused, "{what}: {steps}: {ran:?}");
            let said = ran.stderr.contains("[taint-send-programs/connection]");
            assert_eq!(said, refused.contains(&true), "{what}: {steps}: {ran:?}");
        }
    }
}

/// Which steps were refused.
fn outcomes(ran: &Ran) -> Vec<bool> {
    let refused = |line: &str| match line.split_once(' ') {
        Some((_, "done")) => false,
        Some((_, "Permission denied")) => true,
        _ => panic!("{line}: {ran:?}"),
    };
    ran.stdout.lines().map(refused).collect()
}

#[test]
fn rampart_run_with_the_pack() {
    let Some(scene) = Scene::new() else { return };
    scene.each("run --pack", |line| {
        let mut command = scene.guard.bare(rampart());
        command.args(["run", "--pack", "taint", "--", "sh", "-c", line]);
        command.env("RAMPART_AUDIT_DIR", scene.guard.audit());
        command
    });
}

#[test]
fn rampart_serve_with_the_pack() {
    let Some(scene) = Scene::new() else { return };
    let evaluator = Evaluator::start(&scene.guard);
    scene.each("serve", |line| {
        let mut command = evaluator.inside("sh");
        command.args(["-c", line]);
        command
    });
    // A person may let it go.
    let mut command = evaluator.inside("sh");
    command.args(["-c", &scene.line("secret away away")]);
    let ran = evaluator.while_running((command, ""), || {
        let pending = evaluator.wait_for(1).remove(0);
        assert_eq!(pending["rule"], "taint-send-programs/connection");
        let id = pending["id"].as_str().unwrap();
        assert_eq!(evaluator.say(&["approve", id]).status, 0);
    });
    assert_eq!((outcomes(&ran), ran.stderr.as_str()), (vec![false; 3], ""));
}

/// With the library alone nobody knows what the tree has come by: it is as if it had both.
#[test]
fn the_library_alone() {
    let Some(scene) = Scene::new() else { return };
    let nobody = Evaluator::without_daemon(&scene.guard);
    let ran = run(nobody.inside("sh").args(["-c", &scene.line("here secret away here")]), "");
    assert_eq!(outcomes(&ran), [false, false, true, false], "{ran:?}");
    assert!(ran.stderr.contains("nobody can be asked here"), "{ran:?}");
}
