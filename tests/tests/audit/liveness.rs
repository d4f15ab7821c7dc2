//! Signs of life, and what the service says when it is not as it should be, as a receiver elsewhere
//! gets it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tests::{Guard, Ran, find, run};

use crate::say;

/// Ended, by its number, with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `rampart serve` with the user's own policies.
fn serve(guard: &Guard) -> Running {
    let mut daemon = guard.bare(tests::rampart());
    daemon
        .arg("serve")
        .env("RAMPART_AUDIT_DIR", guard.audit())
        .env("RAMPART_LIB", tests::library());
    let errors = fs::File::options().create(true).append(true).open(guard.path("serve.log"));
    Running(daemon.stderr(errors.unwrap()).spawn().unwrap())
}

fn configure(guard: &Guard, text: &str) {
    let path = guard.path("home/.config/rampart");
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("audit.yaml"), text).unwrap();
}

/// A receiver that writes every message to a file, one a line.
fn receiver(guard: &Guard) -> PathBuf {
    let socket = UnixDatagram::bind(guard.path("log")).unwrap();
    let path = guard.path("received");
    let mut file = fs::File::create(&path).unwrap();
    thread::spawn(move || {
        let mut message = vec![0; 65_536];
        while let Ok(length) = socket.recv(&mut message) {
            let line = [&message[..length], b"\n"].concat();
            if file.write_all(&line).is_err() {
                return;
            }
        }
    });
    path
}

fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < Duration::from_secs(90), "waited for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The example of a dead man's check.
fn check(guard: &Guard, seconds: &str) -> Ran {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/dead-man");
    let mut command = guard.bare(example.join("rampart-dead-man"));
    command.arg(guard.path("received")).args([seconds, "touch", "woken"]);
    run(&mut command, "")
}

#[test]
fn a_monitor_misses_a_service_that_was_killed() {
    let guard = Guard::new("");
    let received = receiver(&guard);
    let log = guard.path("log").display().to_string();
    configure(
        &guard,
        &format!("heartbeat: {{every: 1s}}\nexports:\n  - {{name: far, to: 'unix:{log}'}}\n"),
    );
    assert_eq!(check(&guard, "4").status, 1, "nothing was there yet");
    fs::remove_file(guard.path("woken")).unwrap();
    let mut daemon = serve(&guard);
    wait("a sign of life", || check(&guard, "4").status == 0);
    let _ = fs::remove_file(guard.path("woken"));
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    // What an agent runs is no sign of life, whatever its words are.
    let words =
        r#"\",\"hook\":\"service\",\"outcome\":\"alive\" [rampart@32473 outcome=\"alive\"]"#;
    let line = format!(
        "{{\"v\":1,\"id\":\"E00001\",\"time\":\"2126-01-01T00:00:00Z\",\"outcome\":\"denied\",\"argv\":[\"{words}\"]}}\n\
         {{\"v\":1,\"id\":\"E00002\",\"time\":\"2126-01-01T00:00:00Z\",\"outcome\":\"alive\",\"hook\":\"service\"}}\n"
    );
    fs::write(guard.audit().join("spool-0.jsonl"), line).unwrap();
    assert_eq!(say(&guard, &["audit", "forward"]).status, 0);
    wait("what was run", || fs::read_to_string(&received).unwrap().contains("E00001"));
    wait("the check to miss it", || check(&guard, "4").status == 1);
    assert!(guard.path("woken").exists(), "the command of the check was not run");
    let text = fs::read_to_string(&received).unwrap();
    assert!(!text.contains("E00002"), "a sign of life from a spool: {text}");
    assert!(text.contains(" started [rampart@32473 "), "{text}");
    let found = say(&guard, &["audit", "verify"]);
    assert_eq!(found.status, 0, "{found:?}");
}

#[test]
fn the_units_of_the_example_are_good() {
    let Some(analyze) = find("systemd-analyze") else {
        return println!("skipped: systemd-analyze is not installed");
    };
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/dead-man");
    let guard = Guard::new("");
    for name in ["rampart-dead-man.service", "rampart-dead-man.timer"] {
        let text = fs::read_to_string(example.join(name)).unwrap();
        // Where it will be installed there is nothing yet.
        let own = example.join("rampart-dead-man").display().to_string();
        fs::write(guard.path(name), text.replace("/usr/local/bin/rampart-dead-man", &own)).unwrap();
    }
    let mut command = guard.bare(analyze);
    command.args(["verify", "--man=no"]);
    command
        .args(["rampart-dead-man.service", "rampart-dead-man.timer"].map(|name| guard.path(name)));
    let ran = run(&mut command, "");
    let ours = ran.stderr.lines().filter(|line| line.contains("rampart-dead-man")).count();
    assert_eq!((ran.status, ours), (0, 0), "{ran:?}");
}

#[test]
fn who_listens_hears_of_a_lost_policy_of_unguarded_agents_and_of_the_end() {
    let guard = Guard::new("");
    let received = receiver(&guard);
    let log = guard.path("log").display().to_string();
    configure(
        &guard,
        &format!(
            "heartbeat: {{every: 1s}}\nexports:\n  - {{name: far, to: 'unix:{log}', only: notable}}\n"
        ),
    );
    let own = guard.path("home/.config/rampart/policy.d/own.yaml");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    let good = "policies: [{name: p, rules: [{action: deny, when: {program: x-probe}}]}]\n";
    fs::write(&own, good).unwrap();
    let mut daemon = serve(&guard);
    let told = |what: &str| fs::read_to_string(&received).unwrap().matches(what).count();
    wait("a sign of life", || told(" alive [") > 0);
    fs::write(&own, "policies: [").unwrap();
    wait("the loss", || told(" policy-lost [") == 1);
    fs::write(&own, good).unwrap();
    wait("the change back", || told(" policy-changed [") == 1);
    // One agent that nobody guards, one under the library, one with our hook.
    for name in ["claude", "codex", "gemini"] {
        fs::copy(find("sleep").unwrap(), guard.path("bin").join(name)).unwrap();
    }
    let hooked = run(guard.bare(tests::rampart()).args(["setup", "gemini"]), "");
    assert_eq!(hooked.status, 0, "{hooked:?}");
    let start =
        |mut command: Command| Running(command.arg("600").stdin(Stdio::null()).spawn().unwrap());
    let _guarded = start(guard.command(guard.path("bin/codex")));
    let _hooked = start(guard.bare(guard.path("bin/gemini")));
    let agent = start(guard.bare(guard.path("bin/claude")));
    let text = format!("claude-code runs as process {} without", agent.0.id());
    wait("the unguarded agent", || told(&text) == 1);
    let beats = told(" alive [");
    wait("more signs of life", || told(" alive [") > beats + 1);
    assert_eq!(told(&text), 1, "said again");
    for other in [&_guarded, &_hooked] {
        assert_eq!(told(&format!("runs as process {} ", other.0.id())), 0);
    }
    let pid = daemon.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(daemon.0.wait().unwrap().success());
    assert_eq!(told(" stopped ["), 1, "{}", fs::read_to_string(&received).unwrap());
    let shown = say(&guard, &["audit", "search", "--json", "--outcome", "policy-lost"]);
    assert!(shown.stdout.contains("policy.d"), "{shown:?}");
}

/// Answers `count` HTTP requests with success and gives what they held.
fn web(listener: TcpListener, count: usize) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        while all.len() < count {
            let (mut client, _) = listener.accept().unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            loop {
                let length = client.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..length]);
                let text = String::from_utf8_lossy(&request);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let head = head.to_ascii_lowercase();
                let (_, rest) = head.split_once("content-length: ").unwrap();
                let wanted: usize = rest.lines().next().unwrap().parse().unwrap();
                if length == 0 || body.len() >= wanted {
                    all.push(body.to_owned());
                    break;
                }
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            client.write_all(answer.as_bytes()).unwrap();
        }
        all
    })
}

#[test]
fn a_sign_of_life_goes_to_an_address_of_its_own() {
    let guard = Guard::new("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    configure(&guard, &format!("heartbeat: {{every: 1s, to: 'http://127.0.0.1:{port}/ping'}}\n"));
    let web = web(listener, 2);
    let _daemon = serve(&guard);
    wait("two of them", || web.is_finished());
    let all = web.join().unwrap();
    for body in &all {
        assert!(body.contains("\"outcome\":\"alive\""), "{body}");
    }
    // Each is an anchor; so is every event that a receiver got as JSON.
    let verified = |text: &str| {
        fs::write(guard.path("kept"), text).unwrap();
        let kept = guard.path("kept").display().to_string();
        say(&guard, &["audit", "verify", "--anchor", &kept])
    };
    let ran = verified(&all.join("\n"));
    assert!(ran.status == 0 && ran.stdout.contains("as the anchor says up to entry"), "{ran:?}");
    let entry = fs::read_to_string(&crate::chain(&guard.audit())[0]).unwrap();
    let entry = entry.lines().find(|line| line.contains("\"alive\"")).unwrap();
    assert_eq!(verified(&format!("<134>1 - h rampart 1 alive [x] {entry}")).status, 0);
    let wrong = all[0].replace("rampart-anchor-1 ", "rampart-anchor-1 1");
    assert_eq!(verified(&wrong).status, 1);
}

/// No daemon is up: a tree's own parent tells, whatever its mode, and an agent's hook does, from its first
/// denial on.
#[test]
fn webhooks_hear_of_what_no_daemon_sees() {
    let policy = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: \
        [{name: r, action: deny, when: {program: [id]}}]}]";
    let call = r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"id"},"session_id":"s","cwd":"/"}"#;
    let hook = &["hook", "--format", "claude-code", "--policy"][..];
    let cases = [
        (&["run", "--policy"][..], "", "id; exit 3\n", 3, "denied by p/r"),
        (&["run", "--policy"], "--mode=monitor", "id; exit 3\n", 3, "by p/r"),
        (hook, "", call, 0, "denied by p/r"),
        (hook, "monitor", call, 0, "by p/r"),
    ];
    for (arguments, mode, input, status, told) in cases {
        let guard = Guard::new(policy);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = format!("http://127.0.0.1:{port}/x");
        configure(&guard, &format!("notify:\n  - {{name: slack, to: '{to}'}}\n"));
        let web = web(listener, 1);
        let mut command = guard.bare(tests::rampart());
        command.args(arguments).arg(guard.image());
        if arguments[0] == "run" {
            // The place of a new webhook is the end of the log: what was before does not concern it.
            assert_eq!(say(&guard, &["audit", "forward"]).status, 0);
            command.args(Some(mode).filter(|mode| !mode.is_empty())).args(["--", "sh"]);
        } else if !mode.is_empty() {
            command.env("RAMPART_MODE", mode);
        }
        command.env("RAMPART_AUDIT_DIR", guard.audit()).env("RAMPART_LIB", tests::library());
        let ran = run(&mut command, input);
        assert_eq!(ran.status, status, "{ran:?}");
        wait("the message", || web.is_finished());
        let all = web.join().unwrap();
        assert!(all[0].contains(told) && all[0].contains("`id`"), "{arguments:?} {all:?}");
    }
}
