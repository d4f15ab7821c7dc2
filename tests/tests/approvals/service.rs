//! The daemon as a service of systemd: the socket is there before it is, and it says how it is.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use tests::{Evaluator, find};

use crate::clients::{DENY, verdict};
use crate::guard;

/// Listens as systemd does, then becomes what its arguments say, with the socket as descriptor 3.
const ACTIVATE: &str = "
import os, socket, sys
path, words = sys.argv[1], sys.argv[2:]
listening = socket.socket(socket.AF_UNIX, getattr(socket, os.environ['KIND']))
os.makedirs(os.path.dirname(path), exist_ok=True)
listening.bind(path)
if os.environ['KIND'] != 'SOCK_DGRAM':
    listening.listen(64)
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ['LISTEN_PID'] = str(os.getpid())
os.environ['LISTEN_FDS'] = '1'
os.execv(words[0], words)
";

#[test]
fn the_service_manager_holds_the_socket() {
    let Some(python) = find("python3") else {
        return println!("skipped: python3 is not installed");
    };
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let told = UnixDatagram::bind(guard.path("notify")).unwrap();
    told.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let start = |kind: &str| -> Command {
        let mut command = evaluator.outside(&python);
        command.args(["-c", ACTIVATE]).arg(evaluator.socket()).arg(tests::rampart());
        command.args(["serve", "--policy"]).arg(guard.image()).env("KIND", kind);
        command.env("NOTIFY_SOCKET", guard.path("notify")).env("WATCHDOG_USEC", "200000");
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let mut daemon = start("SOCK_SEQPACKET").spawn().unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let length = told.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    assert!(next().starts_with("READY=1"));
    // The first connection may have come before there was a daemon.
    assert_eq!(verdict(&evaluator.socket(), "forbidden"), DENY);
    assert_eq!(next(), "WATCHDOG=1");
    assert_eq!(next(), "WATCHDOG=1");
    let pid = rustix::process::Pid::from_child(&daemon);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    while next() != "STOPPING=1" {}
    assert!(daemon.wait().unwrap().success());
    assert!(evaluator.socket().exists(), "it is not ours to remove");
    std::fs::remove_file(evaluator.socket()).unwrap();
    let refused = start("SOCK_STREAM").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("ListenSequentialPacket="), "{said}");
}
