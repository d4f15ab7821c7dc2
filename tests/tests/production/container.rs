//! `rampart inject` between a real OCI runtime and a container: Debian's root and one of Alpine's layout, root and another user in
//! them; what is denied does not run, what is not does, what is asked about waits, and the events reach the machine.

mod host;
mod roots;

use std::fs;

pub use host::Host;
pub use roots::{Kind, debootstrapped};
use serde_json::{Value, json};
use tests::{Evaluator, Guard, library, rampart, run};

pub const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: container
    rules:
      - {name: forbidden, action: deny, message: "Not here.", when: {program: [forbidden]}}
      - {name: asked, action: ask, when: {program: [asked]}}
"#;

/// The roots of a C library that can be had here.
fn made(host: &Host) -> Vec<Kind> {
    let make = |kind: &Kind| kind.make(&host.root(kind.name()));
    let mut kinds: Vec<Kind> = [Kind::Debian, Kind::Alpine].into_iter().filter(make).collect();
    if !kinds.contains(&Kind::Debian) && Kind::Glibc.make(&host.root(Kind::Glibc.name())) {
        kinds.push(Kind::Glibc);
    }
    kinds
}

#[test]
fn what_is_denied_starts_in_no_way_and_what_is_not_in_all() {
    for host in Host::all() {
        for kind in made(&host) {
            for uid in [0, 1000] {
                host.guard.forget();
                let mut script = "[ -e /bin/id ] && id -u\n".to_owned();
                for route in kind.routes() {
                    for name in ["permitted", "forbidden"] {
                        let line = route.replace('@', name);
                        script += &format!("{{ {line}; }} </dev/null\n");
                    }
                }
                let ran = host.injected(kind.name(), &script, uid, &["--require"]);
                let what = format!("{:?}, {kind:?}, uid {uid}: {ran:?}", host.runtime);
                let count = |text: &str| ran.stdout.lines().filter(|line| *line == text).count();
                let ways = kind.routes().len();
                assert_eq!(count("permitted ran as x"), ways, "{what}");
                assert!(!ran.stdout.contains("forbidden ran"), "{what}");
                assert!(kind != Kind::Debian || count(&uid.to_string()) == 1, "{what}");
                assert!(ran.stderr.contains("[container/forbidden] Not here."), "{what}");
                let events = host.guard.events();
                let denied: Vec<&Value> =
                    events.iter().filter(|event| event["outcome"] == "denied").collect();
                assert_eq!(denied.len(), ways, "{what}: {denied:?}");
                for event in denied {
                    let session = event["session"].as_str().unwrap();
                    assert!(session.starts_with(&format!("{}-{uid}-", kind.name())), "{session}");
                }
            }
        }
    }
}

/// What a container's own root and its users try against what is mounted for it.
const ATTEMPTS: [(&str, &str); 9] = [
    ("write over the library", ": >>librampart.so"),
    ("remove the library", "rm -f librampart.so"),
    ("write over the policy", ": >>policy.img"),
    ("put another policy in its place", "mv /tmp/own policy.img"),
    ("unmount the policy", "umount /opt/rampart/policy.img"),
    ("make its mount writable", "mount -o remount,rw,bind /opt/rampart/policy.img"),
    ("remove the socket", "rm -f run/evaluator.sock"),
    ("put another socket in its place", "mv /tmp/own run/evaluator.sock"),
    ("list the spool", "ls spool"),
];

#[test]
fn what_is_mounted_cannot_be_changed_from_inside() {
    for host in Host::all() {
        if !Kind::Debian.make(&host.root("debian")) {
            continue;
        }
        let evaluator = Evaluator::start(&host.guard);
        for uid in [0, 1000] {
            let mut script = "cd /opt/rampart; : >/tmp/own\n".to_owned();
            for (what, try_it) in ATTEMPTS {
                let line = format!("({try_it}) >/dev/null 2>&1 && echo 'DONE: {what}'\n");
                // Everybody may add to the spool, and only its owner, root here, may look at it.
                script +=
                    if what == "list the spool" && !host.is_another(uid) { "" } else { &line };
            }
            script += "stat -c '%a %F' librampart.so policy.img; [ -e run ] && echo $LD_PRELOAD\n";
            let ran = host.injected("debian", &script, uid, &[]);
            let expected = "755 regular file\n644 regular file\n/opt/rampart/librampart.so\n";
            assert_eq!(ran.stdout, expected, "{:?}, uid {uid}: {}", host.runtime, ran.stderr);
        }
        assert!(evaluator.socket().exists());
    }
}

#[test]
fn what_is_asked_about_in_a_container_waits_for_a_person_outside() {
    for host in Host::all() {
        if !Kind::Debian.make(&host.root("debian")) {
            continue;
        }
        let evaluator = Evaluator::start(&host.guard);
        // The root has the C library that this helper is linked to; others take a static one.
        let helper = rampart();
        let helper = ["--helper", helper.to_str().unwrap()];
        for (verb, expected) in
            [("approve", "asked ran as x\nstatus=0\n"), ("deny", "status=126\n")]
        {
            let command = host.inject("debian", 0, &helper);
            let ran = evaluator.while_running((command, "asked x; echo status=$?"), || {
                let pending = evaluator.wait_for(1);
                let id = pending[0]["id"].as_str().unwrap();
                assert_eq!(evaluator.say(&[verb, id]).status, 0);
            });
            assert_eq!(ran.stdout, expected, "{:?}: {}", host.runtime, ran.stderr);
        }
        // Without the helper nobody can be asked.
        let ran = host.injected("debian", "asked x; echo status=$?", 0, &[]);
        assert_eq!(ran.stdout, "status=126\n", "{:?}: {}", host.runtime, ran.stderr);
    }
}

#[test]
fn a_static_root_is_said_or_refused() {
    for host in Host::all() {
        if !Kind::Static.make(&host.root("static")) {
            continue;
        }
        let ran = host.injected("static", "exit 7", 0, &[]);
        assert_eq!(ran.status, 7, "{ran:?}");
        assert!(ran.stderr.contains("they run unguarded"), "{ran:?}");
        let ran = host.injected("static", "echo ran", 0, &["--require"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{ran:?}");
    }
}

#[test]
fn a_configuration_that_cannot_be_changed_starts_nothing() {
    let guard = Guard::new(POLICY);
    for (config, expected) in [
        ("{", "is no configuration"),
        ("{\"process\":{},\"mounts\":3}", "`mounts` is no array"),
        ("{\"mounts\":[]}", "names no process"),
    ] {
        fs::write(guard.path("config.json"), config).unwrap();
        let mut command = guard.bare(rampart());
        command.args(["inject", "--runtime", "/bin/echo", "--", "run", "c"]);
        let ran = run(command.env("RAMPART_LIB", library()), "");
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{config}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{config}: {ran:?}");
        // As a filter it prints nothing that a hook could start.
        let mut command = guard.bare(rampart());
        let ran = run(command.args(["inject", "--stdin"]).env("RAMPART_LIB", library()), config);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{config}: {ran:?}");
    }
    let config =
        r#"{"ociVersion":"1.0.2","process":{"args":["sh"],"env":["A=b"]},"x":{"b":1,"a":2}}"#;
    let mut command = guard.bare(rampart());
    command
        .args(["inject", "--stdin", "--image", "/none", "--socket", "/none", "--spool", "/none"]);
    let ran = run(command.env("RAMPART_LIB", library()), config);
    let changed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(changed["process"]["env"], json!(["LD_PRELOAD=/opt/rampart/librampart.so", "A=b"]));
    assert_eq!(changed["mounts"][0]["source"], json!(library()));
    assert!(ran.stdout.contains(r#""x":{"b":1,"a":2}"#), "what is not ours stays: {}", ran.stdout);
}
