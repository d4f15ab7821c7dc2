//! A browser that puts its own processes into a sandbox: user and network namespaces, seccomp, no
//! file system. It must get there with the library in each of them, and what it starts is judged.

use std::process::Command;

use crate::document;
use crate::place::{Attempt, Cell, Place};
use tests::{Guard, find, run};

/// Quiet, no network, and no `--no-sandbox`: without a sandbox that works, Chromium refuses to start.
const FLAGS: [&str; 9] = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--dump-dom",
];

/// Computes a number, so that what is printed was made by a renderer.
const PAGE: &str = "data:text/html,<p id=x></p><script>x.textContent=6*7</script>";

/// Runs what follows as an ordinary user, as root cannot have the sandbox.
const USER: [&str; 5] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];

/// Stops the browser when there is something to see: it waits for renderers that never come.
const UNTIL: &str = ": >@G/home/err; \"$@\" 2>@G/home/err & n=0
until grep -q 'rampart: denied' @G/home/err || test -e \"$M\" || test $n -gt 500; do n=$((n + 1)); sleep 0.1; done
kill $!; wait; cat @G/home/err >&2\n";

fn browse(guard: &Guard, mut command: Command, before: &[&str], extra: &[String]) -> Command {
    let profile = format!("--user-data-dir={}", guard.path("home/profile").display());
    let browser = find("chromium").expect("it is installed");
    command.args(USER).args(before).arg(browser).arg(profile).args(extra).args(FLAGS).arg(PAGE);
    command
}

#[test]
fn chromium_in_its_own_sandbox() {
    let place = Place::new();
    let (Some(_), Some(setpriv)) = (find("chromium"), find("setpriv")) else {
        return println!("skipped: Chromium (needs chromium and setpriv)");
    };
    let bare = run(&mut browse(&place.guard, place.bare(&setpriv, "glibc"), &[], &[]), "");
    if bare.stderr.contains("No usable sandbox") || bare.stderr.contains("setpriv: ") {
        return println!("skipped: Chromium has no sandbox here: {}", bare.stderr);
    }
    assert!(bare.status == 0 && bare.stdout.contains("<p id=\"x\">42</p>"), "{bare:?}");

    // Under the standard policy, all of it starts, and nothing of us is to be seen.
    let standard = Place::with("");
    let command = standard.guarded(&setpriv, "glibc");
    let ran = run(&mut browse(&standard.guard, command, &[], &[]), "");
    assert_eq!((ran.status, &ran.stdout), (0, &bare.stdout), "{ran:?}");
    for ours in ["rampart: ", "ld.so"] {
        assert!(!ran.stderr.contains(ours), "{ran:?}");
    }
    let events = standard.guard.events();
    let has = |word: &str| events.iter().any(|event| event["argv"].to_string().contains(word));
    assert!(has("--type=zygote") && has("--type=utility"), "{events:#?}");
    assert!(events.iter().all(|event| event["outcome"] != "denied"), "{events:#?}");

    // What it starts itself: a program in front of each renderer.
    let mut cells = vec!["Chromium in its sandbox, a renderer's prefix".to_owned()];
    let mut all_stopped = true;
    for dir in ["glibc", "static"] {
        let target = place.program(dir, "forbidden");
        let prefix =
            format!("--renderer-cmd-prefix={} {}", target.display(), place.mark().display());
        let command = place.guarded(&setpriv, dir);
        let mut command = browse(&place.guard, command, &["bash", "-s"], &[prefix]);
        let script = UNTIL.replace("@G", &place.guard.dir().to_string_lossy());
        let tried = place.attempt(&mut command, &script);
        cells.push(cell(&tried).text().to_owned());
        let prefix =
            format!("--renderer-cmd-prefix={} {}", target.display(), place.mark().display());
        let command = place.supervised(&setpriv, dir);
        let mut command = browse(&place.guard, command, &["bash", "-s"], &[prefix]);
        all_stopped &= place.attempt_supervised(&mut command, &script).stopped().unwrap();
    }
    cells.push(document::stopped(Some(all_stopped)).to_owned());
    let header = ["started by", "dynamic target", "static target", document::SUPERVISED];
    document::check("browser", &header, &[cells]);
    assert!(all_stopped);
}

/// It tries again when a renderer ends: each time the same must come of it.
fn cell(tried: &Attempt) -> Cell {
    if tried.mark.is_some() {
        return Cell::Ran;
    }
    let denials = tried.denials();
    let said = tried.ran.stderr.matches(" [coverage/forbidden] ").count();
    assert!(!denials.is_empty() && denials.len() == said, "{tried}");
    let is_start = denials.iter().all(|event| event["hook"] == "start");
    if is_start { Cell::SelfCheck } else { Cell::Denied }
}
