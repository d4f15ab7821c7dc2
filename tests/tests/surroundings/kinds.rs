//! What the library cannot follow, or what is special about a file, is a fact that rules can match
//! and that the event names. Each kind is made, tried against a rule that denies it, and permitted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{guard, is_root};
use tests::{Guard, LibC, cc, find, probe, run};

/// Kind, how to make it, who runs it, and what the event says: whether somebody confirms the start.
type Case = (&'static str, fn(&Path) -> bool, Who, &'static str);

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Own,
    Nobody,
    /// The same, without the right to new privileges.
    Bound,
}
use Who::{Bound, Nobody, Own};

const CASES: &[Case] = &[
    ("static", |to| probe("mark", LibC::GlibcStatic, to), Own, "unconfirmed"),
    ("static", static_pie, Own, "unconfirmed"),
    ("static", |to| probe("mark", LibC::MuslStatic, to), Own, "unconfirmed"),
    ("set-id", |to| with_mode(to, 0o4755), Own, "allowed"),
    ("set-id", |to| with_mode(to, 0o4755), Nobody, "unconfirmed"),
    ("set-id", |to| with_mode(to, 0o2755), Nobody, "unconfirmed"),
    // The bit is void.
    ("set-id", |to| with_mode(to, 0o4755), Bound, "allowed"),
    ("unreadable", |to| with_mode(to, 0o711), Nobody, "unconfirmed"),
    ("file-caps", capable, Nobody, "unconfirmed"),
    ("other-arch", |to| probe("mark", LibC::I386, to), Own, "unconfirmed"),
    ("script", |to| text(to, "#!/bin/sh\n: >$1; exit 7\n"), Own, "allowed"),
    // These cannot be executed here at all: what is asked is whether the rule comes first.
    ("other-arch", aarch64, Own, ""),
    ("foreign", |to| text(to, "\u{1}\u{2}\0\0\n"), Own, ""),
];

fn with_mode(to: &Path, mode: u32) -> bool {
    let done = probe("mark", LibC::Glibc, to);
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).unwrap();
    done
}

fn text(to: &Path, text: &str) -> bool {
    fs::write(to, text).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
    true
}

fn source() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/mark.c")
}

fn static_pie(to: &Path) -> bool {
    cc("cc", &source(), to, &["-static-pie"]);
    true
}

fn aarch64(to: &Path) -> bool {
    let compiler = "aarch64-linux-gnu-gcc";
    find(compiler).is_some() && {
        cc(compiler, &source(), to, &[]);
        true
    }
}

fn capable(to: &Path) -> bool {
    let setcap = find("setcap")
        .or_else(|| Some("/usr/sbin/setcap".into()).filter(|p: &std::path::PathBuf| p.exists()));
    probe("mark", LibC::Glibc, to)
        && setcap.is_some_and(|setcap| {
            let done = Command::new(setcap).arg("cap_net_raw+ep").arg(to).status();
            done.is_ok_and(|status| status.success())
        })
}

fn policy(rule: &str) -> String {
    format!("version: \"1\"\ndefault_action: allow\npolicies: [{{name: p, rules: [{rule}]}}]\n")
}

/// Starts the program from a shell, as whoever the case says.
fn start(guard: &Guard, who: Who, guarded: bool) -> tests::Ran {
    let (program, mark) = (guard.path("bin/program"), guard.path("mark/file"));
    let start = format!("{} {}", program.display(), mark.display());
    let script = match who {
        Own => format!("{start}; echo $?"),
        // By a shell in between: setpriv itself keeps root's capabilities until it is replaced.
        _ => {
            let bound = if who == Bound { " --no-new-privs" } else { "" };
            format!(
                "echo '{start}; exit $?' | setpriv --reuid 65534 --regid 65534 --clear-groups{bound} sh; echo $?"
            )
        }
    };
    let bash = find("bash").unwrap();
    run(&mut if guarded { guard.command(bash) } else { guard.bare(bash) }, &script)
}

#[test]
fn each_kind_is_a_fact_for_rules_and_events() {
    let mut wrong = Vec::new();
    for (number, (kind, make, who, outcome)) in CASES.iter().enumerate() {
        let rule =
            format!("{{name: kind, action: deny, when: {{target: [{kind}], program: [program]}}}}");
        for (denies, policy) in [(true, policy(&rule)), (false, policy(""))] {
            let guard = guard();
            fs::write(guard.image(), tests::compile(&policy)).unwrap();
            fs::create_dir(guard.path("mark")).unwrap();
            fs::set_permissions(guard.path("mark"), fs::Permissions::from_mode(0o777)).unwrap();
            if *who != Own && !is_root() || !make(&guard.path("bin/program")) {
                println!("skipped: {number} {kind} cannot be made here");
                continue;
            }
            let bare = start(&guard, *who, false);
            let _ = fs::remove_file(guard.path("mark/file"));
            let ran = start(&guard, *who, true);
            let ran_it = guard.path("mark/file").exists();
            let events = guard.events();
            let is_it = |word: &serde_json::Value| {
                word.as_str().is_some_and(|name| name.ends_with("bin/program"))
            };
            let named = |event: &&serde_json::Value| {
                is_it(&event["exe"]) || event["argv"].as_array().unwrap().iter().any(is_it)
            };
            let about: Vec<_> = events.iter().filter(named).collect();
            let facts = about.first().map(|event| event["target"].to_string());
            let is_said = facts.is_some_and(|facts| facts.contains(kind));
            let is_right = if denies {
                let lines = ran.stderr.matches("[p/kind]").count();
                ran.stdout == "126\n" && !ran_it && lines == 1 && is_said && about.len() == 1
            } else if outcome.is_empty() {
                bare == ran
            } else {
                let is_known = *outcome == "allowed" || is_said;
                // Nobody can tell of a file that may not be read whether it will load the library:
                // if it does, it says so itself, too.
                let expected = if *kind == "unreadable" { 2 } else { 1 };
                let once = about.len() == expected && about[0]["outcome"] == *outcome;
                bare == ran && ran_it && once && is_known
            };
            if !is_right {
                wrong.push(format!(
                    "{number} {kind}, denies {denies}: bare {bare:?}, {ran:?}, {about:#?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
