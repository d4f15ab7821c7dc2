//! What rules on programs come to: which hold, what is said and recorded, and what it costs where
//! there are none.

use std::fs;

use tests::{LibC, find, probe, run};

use crate::place::{CONTENT, Place, VAULT};

#[test]
fn rules_for_agents_are_none_for_programs() {
    // The same rule for the tools of agents: programs read what they need.
    for by in ["", ", by: agent"] {
        let place = Place::under(&VAULT.replace(", by: program", by));
        let ran = run(place.guard.command("cat").arg(place.secret()), "");
        assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, CONTENT, ""));
    }
    let place = Place::under(&VAULT.replace("by: program", "by: any"));
    place.refused(place.guard.command("cat").arg(place.secret()), "", "read").unwrap();
}

#[test]
fn a_default_of_deny_is_not_about_operations() {
    let policy = "version: '1'\ndefault_action: deny\npolicies:
  - name: p
    match: {tool: [exec]}
    rules: [{action: allow, when: {program: cat}}]
  - name: vault
    match: {tool: [read], by: program}
    rules: [{name: sealed, action: deny, when: {path_matches: ['**/vault/**']}}]
";
    let place = Place::under(policy);
    let ran = run(place.guard.command("cat").arg(place.guard.path("open/file")), "");
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "nothing special\n"), "{ran:?}");
    place.refused(place.guard.command("cat").arg(place.secret()), "", "read").unwrap();
}

#[test]
fn watch_records_and_monitor_lets_go() {
    let place = Place::under(&VAULT.replace("action: deny", "action: watch"));
    let ran = run(place.guard.command("cat").arg(place.secret()), "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""));
    let events = place.guard.events();
    let event = events.iter().find(|event| event["tool"] == "read").unwrap();
    assert_eq!((&event["action"], &event["outcome"]), (&"watch".into(), &"allowed".into()));
    assert_eq!(event["exe"], find("cat").unwrap().to_string_lossy().as_ref());

    let place = Place::new();
    let mut command = place.guard.command("cat");
    let ran = run(command.arg(place.secret()).env("RAMPART_MODE", "monitor"), "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""));
    let events = place.guard.events();
    assert!(events.iter().any(|event| event["outcome"] == "not-enforced"), "{events:?}");

    let mut command = place.guard.command("cat");
    let ran = run(command.arg(place.secret()).env("RAMPART_MODE", "disabled"), "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""));
}

/// Without an evaluator nobody can be asked: `on_no_approver` answers.
#[test]
fn an_ask_without_an_evaluator_is_answered_at_once() {
    let ask = VAULT.replace("action: deny", "action: ask");
    let place = Place::under(&ask);
    let ran = place.refused(place.guard.command("cat").arg(place.secret()), "", "read").unwrap();
    assert!(ran.stderr.contains("nobody can be asked here"), "{ran:?}");
    let place = Place::under(&format!("on_no_approver: allow\n{ask}"));
    let ran = run(place.guard.command("cat").arg(place.secret()), "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""));
}

#[test]
fn what_is_refused_a_thousand_times_is_said_a_few_times() {
    let place = Place::new();
    for number in 0..1000 {
        fs::write(place.guard.path(&format!("vault/{number}")), "").unwrap();
    }
    let vault = place.guard.path("vault");
    let script = format!(
        "import os, sys\nn = 0\nfor name in range(1000):\n  try: os.unlink('{}/%d' % name)\n  except PermissionError: n += 1\nprint(n)",
        vault.display()
    );
    let ran = run(place.guard.command("python3").arg("-c").arg(script), "");
    assert_eq!(ran.stdout, "1000\n", "{ran:?}");
    let lines = ran.stderr.lines().count();
    assert!((1..100).contains(&lines), "{lines} lines");
    let denied = place.guard.events().iter().filter(|event| event["outcome"] == "denied").count();
    assert_eq!(denied, lines);
}

/// A runaway removal outside of the working directory is stopped after some files.
#[test]
fn a_removal_of_many_files_is_stopped() {
    let policy = "version: '1'\ndefault_action: allow\npolicies:
  - name: bulk
    match: {tool: [delete], by: program}
    rules:
      - name: many
        action: deny
        message: So many files are not removed without a person.
        when: {path_not_matches: ['./**', '/tmp/rampart-*/home/**'], call_count: {gte: 11, window: 1h}}
";
    for (program, arguments, left) in [
        ("rm", "-rf\n@", 90),
        ("python3", "-c\nimport shutil; shutil.rmtree('@', ignore_errors=True)", 90),
        (
            "node",
            "-e\nfor (const n of require('fs').readdirSync('@')) try { require('fs').unlinkSync('@/' + n) } catch {}",
            90,
        ),
        ("find", "@\n-type\nf\n-delete", 90),
    ] {
        let Some(path) = find(program) else {
            println!("skipped: {program} is not installed");
            continue;
        };
        let place = Place::under(policy);
        let work = place.guard.path("work");
        for dir in ["work", "many"] {
            fs::create_dir(place.guard.path(dir)).unwrap();
            for number in 0..100 {
                fs::write(place.guard.path(&format!("{dir}/{number}")), "").unwrap();
            }
        }
        let count = |dir: &str| fs::read_dir(place.guard.path(dir)).map_or(0, Iterator::count);
        for (dir, want) in [("many", left), ("work", 0)] {
            let target = place.guard.path(dir).to_string_lossy().into_owned();
            let arguments = arguments.split('\n').map(|text| text.replace('@', &target));
            let mut command = place.guard.command(&path);
            let ran = run(command.args(arguments).current_dir(&work), "");
            let is_told = ran.stderr.contains("[bulk/many] So many files");
            let remained = count(dir);
            assert_eq!((remained, is_told), (want, want > 0), "{program}, {dir}: {ran:?}");
        }
    }
}

#[test]
fn what_is_quoted_is_escaped() {
    let place = Place::new();
    let name = place.guard.path("vault/\u{1b}[31m\nrampart: allowed");
    fs::write(&name, "x").unwrap();
    let ran = run(place.guard.command("cat").arg(&name), "");
    assert!(!ran.stderr.lines().any(|line| line.starts_with("rampart: allowed")), "{ran:?}");
    let line = ran.stderr.lines().next().unwrap();
    assert!(line.starts_with("rampart: denied: open(") && !line.contains('\u{1b}'), "{line}");
}

/// Where no rule is about it, a program makes the very system calls that it makes without us, once
/// it has started.
#[test]
fn without_rules_nothing_is_added() {
    let Some(strace) = find("strace") else {
        println!("skipped: strace is not installed");
        return;
    };
    let policy = VAULT.replace(", by: program", "");
    let place = Place::under(&policy);
    let program = place.guard.path("operations");
    probe("operations", LibC::Glibc, &program);
    let calls = |library: bool| -> Vec<String> {
        let mut command = place.guard.bare(&strace);
        command.args(["-qq", "-o", "trace"]);
        if library {
            let guarded = place.guard.command("true");
            for (name, value) in guarded.get_envs() {
                if let Some(value) = value.filter(|_| name != "PATH") {
                    let pair = format!("{}={}", name.to_string_lossy(), value.to_string_lossy());
                    command.arg("-E").arg(pair);
                }
            }
        }
        let ran = run(command.arg(&program).args(["fopen", "open/file"]), "");
        assert_eq!(ran.stdout, "nothing special\nok\n", "{ran:?}");
        let trace = fs::read_to_string(place.guard.path("trace")).unwrap();
        // From the first thing that the program does itself.
        let from = trace
            .lines()
            .skip_while(|line| line.starts_with("execve") || !line.contains("\"open/file\""));
        from.map(|line| line.split('(').next().unwrap_or_default().to_owned()).collect()
    };
    let bare = calls(false);
    assert!(bare.len() > 2, "{bare:?}");
    assert_eq!(bare, calls(true));
}

/// An image that cannot be trusted in this never means "allowed".
#[test]
fn no_memory_is_no_permission() {
    let place = Place::new();
    let script = format!(
        "import resource, os\nfree = 0\nresource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))\ntry: os.open('{}', 0); os.write(1, b'opened')\nexcept OSError as e: os.write(1, b'refused %d' % e.errno)\n",
        place.secret().display()
    );
    let ran = run(place.guard.command("python3").arg("-S").arg("-c").arg(script), "");
    assert!(ran.stdout.starts_with("refused "), "{ran:?}");
}
