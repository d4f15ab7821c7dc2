//! An allowed call is the same as without us: output, exit status and error numbers, byte for
//! byte, on small stacks, with empty vectors and huge ones, with closed descriptors.

use tests::{LibC, find, probe, run};

use crate::{POLICY, denials, forbidden, guard, mark};

/// The cases of `probes/edge.c` in which nothing may differ.
const SAME: &[&str] = &[
    "execve",
    "argv-null",
    "argc-0",
    "env-null",
    "environ-null",
    "path-null",
    "path-bad",
    "errors",
    "check",
    "long-argument",
    "many-arguments",
    "small-thread",
    "signal-stack",
    "context",
    "shell",
    "leak",
    "in-place",
    "closed-stderr",
    "closed-all",
    "address-space",
    "title",
];

#[test]
fn a_bare_run_and_a_guarded_one_are_the_same() {
    let (guard, edge) = guard("");
    for case in SAME {
        let bare = run(guard.bare(&edge).args([case, "/bin/echo", "a"]), "");
        let ours = run(guard.command(&edge).args([case, "/bin/echo", "a"]), "");
        assert!(bare == ours, "{case}\nbare: {bare:?}\nours: {ours:?}");
        assert!(bare.status == 0, "{case}: {bare:?}");
    }
}

/// Ordinary work, by the tools that are installed.
const WORK: &[&[&str]] = &[
    &["ls", "-la", "/usr/bin"],
    &["sh", "-c", "for i in 1 2 3; do /bin/echo $i | cat; done; exit 5"],
    &["bash", "-c", "cat <(echo a) <(/bin/echo b); (exit 3); echo $?"],
    &["git", "-C", "/", "status"],
    &["git", "--version"],
    &["make", "-f", "/dev/null", "-j4", "nothing"],
    &["node", "-e", "console.log(require('child_process').execSync('/bin/echo hi').toString())"],
    &["perl", "-e", "print `/bin/echo hi`; exit(system('false') >> 8)"],
    &[
        "python3",
        "-c",
        "import subprocess; print(subprocess.check_output(['/bin/echo', 'hi'])); subprocess.run(['false'], check=True)",
    ],
    &["find", "/etc/hostname", "-exec", "echo", "{}", ";"],
    &["xargs", "-n1", "echo"],
    &["timeout", "5", "nice", "echo", "hi"],
    &["env", "-i", "/bin/echo", "hi"],
    &["no-such-program-at-all"],
];

#[test]
fn ordinary_work_is_byte_identical() {
    let (guard, _) = guard("");
    for words in WORK {
        let shell = find("sh").unwrap();
        if words.len() > 1 && find(words[0]).is_none() {
            println!("skipped: {} is not installed", words[0]);
            continue;
        }
        let line = ["-c", "exec \"$@\"", "sh"].iter().chain(*words);
        let bare = run(guard.bare(&shell).args(line.clone()), "x\ny\n");
        let ours = run(guard.command(&shell).args(line), "x\ny\n");
        assert!(bare == ours, "{words:?}\nbare: {bare:?}\nours: {ours:?}");
    }
}

/// The evaluator works on the stack of `main` where that is roomy, else on a mapping: text that is
/// nested as deep as it is followed runs or is denied the same on any stack.
#[test]
fn the_deepest_text_fits_on_every_stack() {
    let (guard, _) = guard(POLICY);
    forbidden(&guard, LibC::Glibc);
    for limit in ["1024", "2047", "2048", "2600", "8192", "unlimited"] {
        for (name, status) in [("allowed", 0), ("forbidden", 126)] {
            let nested =
                |open: &str, close: &str| format!("{}{name}{}", open.repeat(60), close.repeat(60));
            for text in [nested("( ", " )"), nested("{ ", " ;}"), nested("$(", ")")] {
                let line = format!("allowed() {{ :; }}; {text}");
                let set = format!("ulimit -s {limit} && exec bash -c \"$0\"");
                let ran = run(guard.command("/bin/bash").args(["-c", &set, &line]), "");
                assert!(ran.status == status, "{limit} {line}: {ran:?}");
                assert!(denials(&ran.stderr) == usize::from(status != 0), "{limit}: {ran:?}");
            }
        }
    }
    assert!(!mark(&guard).exists());
}

#[test]
fn an_exec_that_fails_leaves_no_event() {
    let (guard, edge) = guard("");
    let ran = run(guard.command(&edge).args(["errors", "/bin/echo"]), "");
    assert!(ran.stdout.contains("errno 2"), "{ran:?}");
    let events = guard.events();
    let hooks: Vec<_> = events.iter().map(|event| event["hook"].clone()).collect();
    // The probe itself, the shell that execvp runs the text with, and the one spawn that worked.
    assert!(hooks.iter().filter(|hook| *hook == "start").count() == 3, "{events:#?}");
    assert!(events.iter().all(|event| event["exe"] != "/nonexistent/program"));
}

#[test]
fn each_start_is_recorded_once() {
    let (guard, _) = guard("");
    let line = "/bin/true; /bin/true; echo $(/bin/echo a)";
    let ran = run(guard.command("/bin/sh").args(["-c", line]), "");
    assert!(ran.status == 0, "{ran:?}");
    let events = guard.events();
    assert!(events.len() == 4, "{events:#?}");
    assert!(events.iter().all(|event| event["outcome"] == "allowed"));
    let trees: std::collections::HashSet<_> =
        events.iter().map(|event| event["tree"].to_string()).collect();
    assert!(trees.len() == 1, "{events:#?}");
}

#[test]
fn what_cannot_confirm_its_start_is_recorded_by_the_hook() {
    let (guard, edge) = guard("");
    let target = guard.path("bin/allowed");
    assert!(probe("mark", LibC::GlibcStatic, &target));
    for case in ["execve", "small-thread"] {
        guard.forget();
        let ran = run(guard.command(&edge).arg(case).arg(&target).arg("mark"), "");
        assert!(ran.stdout.contains("status 7"), "{ran:?}");
        let events = guard.events();
        let (own, others): (Vec<_>, Vec<_>) =
            events.iter().partition(|event| event["hook"] == "start");
        assert_eq!(own.len(), 1, "{events:#?}");
        assert_eq!(others.len(), if case == "execve" { 1 } else { 2 }, "{events:#?}");
        for event in others {
            assert_eq!(event["outcome"], "unconfirmed", "{event}");
            assert_eq!(event["target"].to_string(), "[\"static\"]", "{event}");
        }
    }
}

#[test]
fn only_notable_events_on_demand() {
    let policy = POLICY.replace("default_action", "record: notable\ndefault_action");
    let (guard, _) = guard(&policy);
    forbidden(&guard, LibC::Glibc);
    let ran = run(&mut guard.command("/bin/sh"), "/bin/true; forbidden mark; /bin/true; exit 0");
    assert_eq!((ran.status, denials(&ran.stderr)), (0, 1), "{ran:?}");
    let events = guard.events();
    assert!(events.len() == 1 && events[0]["outcome"] == "denied", "{events:#?}");
}

/// Shell text that nests as deep as it says.
fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}:{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn deep_nesting_is_judged_on_any_stack() {
    let (guard, edge) = guard("");
    for (open, close) in [
        ("echo $(", ")"),
        ("echo \"$(", ")\""),
        ("( ", " )"),
        ("{ if ", "; then :; fi; }"),
        ("echo ${x:-", "}"),
        ("echo $((", "))"),
        ("eval ", ""),
    ] {
        for depth in [20, 60, 64, 65, 300] {
            let text = nested(open, close, depth);
            let mut command = guard.command(&edge);
            command.args(["small-thread", "/bin/dash", "-nc", &text]);
            let ran = run(&mut command, "");
            // Refused as too complex or run, but the host goes on either way.
            assert!(ran.stdout.ends_with("spawn 0\nthread 0\n"), "{open} {depth}: {ran:?}");
            assert_eq!(ran.status, 0, "{open} {depth}: {ran:?}");
        }
    }
}

/// The runtime of AddressSanitizer insists on being the first library, valgrind watches the stack
/// pointer, and a 32-bit loader would complain about us.
#[test]
fn sanitizers_valgrind_and_other_machines_do_not_mind() {
    let (guard, edge) = guard("");
    let asan = guard.path("asan");
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/edge.c");
    tests::cc("cc", &source, &asan, &["-fsanitize=address", "-lpthread"]);
    let asan = asan.to_str().unwrap();
    let edge = edge.to_str().unwrap();
    let other = guard.path("i386");
    let assembly = guard.path("i386.s");
    let text = ".globl _start\n_start: movl $1,%eax\nmovl $7,%ebx\nint $0x80\n.section .interp,\"a\"\n.asciz \"/lib/ld-linux.so.2\"\n";
    std::fs::write(&assembly, text).unwrap();
    let flags = ["-m32", "-nostdlib", "-nostartfiles", "-static"];
    tests::cc("cc", &assembly, &other, &flags);
    let other = other.to_str().unwrap();
    let mut cases = vec![
        vec![asan, "execve", "/bin/echo", "a"],
        vec![asan, "errors", "/bin/echo", "a"],
        vec![asan, "execve", asan, "execve", "/bin/echo", "a"],
        vec![edge, "execve", other],
    ];
    if find("valgrind").is_some() {
        let valgrind = ["valgrind", "-q", "--error-exitcode=99", "--trace-children=yes"];
        cases.push([&valgrind[..], &[edge, "execve", "/bin/echo", "a"]].concat());
    } else {
        println!("skipped: valgrind is not installed");
    }
    for case in cases {
        let line = ["-c", "\"$@\"; exit $?", "sh"].into_iter().chain(case.iter().copied());
        let bare = run(guard.bare("/bin/sh").args(line.clone()), "");
        let ours = run(guard.command("/bin/sh").args(line), "");
        assert!(bare == ours, "{case:?}\nbare: {bare:?}\nours: {ours:?}");
    }
}
