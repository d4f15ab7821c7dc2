//! What rules on running programs cost: a single open in three spellings, and ordinary work, bare,
//! under a policy without such rules, and under the pack `programs`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::Setup;
use crate::fresh::spent_by_children;
use crate::report::{Report, quantile};
use crate::spawn::Variant;

/// Calls of each kind in one process.
const CALLS: usize = 4000;

/// Processes of each variant, in turns.
const TURNS: usize = 15;

/// The paths of `bench opens`, below its working directory, and their budgets in microseconds over bare.
const KINDS: [(&str, f64); 3] =
    [("an absolute path", 0.5), ("a relative path", 1.0), ("a path through a link", 6.0)];

/// `bench opens`: prints the median of each kind of open, in nanoseconds.
pub fn opens() -> ExitCode {
    let Ok(here) = std::env::current_dir() else {
        return ExitCode::FAILURE;
    };
    let paths = [here.join("tree/d1/7"), "tree/d1/7".into(), here.join("link/d1/7")];
    for path in paths {
        let mut samples: Vec<f64> = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let start = Instant::now();
            let file = File::open(&path);
            samples.push(start.elapsed().as_nanos() as f64);
            if file.is_err() {
                return ExitCode::FAILURE;
            }
        }
        println!("{}", quantile(&mut samples, 0.5));
    }
    ExitCode::SUCCESS
}

/// A tree of 100 directories with 100 files each, as a repository whose index is up to date.
fn tree(at: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", at.display());
    for dir in 0..100 {
        let dir = at.join(format!("d{dir}"));
        fs::create_dir_all(&dir).map_err(failed)?;
        for file in 0..100 {
            fs::write(dir.join(file.to_string()), "x\n").map_err(failed)?;
        }
    }
    let git =
        "git init -q . && git add . && git -c user.name=a -c user.email=a@b.test commit -qm a";
    let done = Command::new("sh").args(["-c", git]).current_dir(at).status().map_err(failed)?;
    if done.success() { Ok(()) } else { Err(format!("git: {done}")) }
}

/// A workspace of two crates that need nothing else, or `None` where there is no cargo.
fn workspace(at: &Path) -> Result<Option<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", at.display());
    let is_there = |mut command: Command| command.stdout(Stdio::null()).status().is_ok();
    let mut cargo = Command::new("cargo");
    cargo.arg("--version");
    if !is_there(cargo) {
        return Ok(None);
    }
    let package = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}")
    };
    let files = [
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\n".to_owned()),
        ("a/Cargo.toml", package("a", "")),
        ("a/src/lib.rs", "pub fn a() -> u32 { 1 }\n".to_owned()),
        ("b/Cargo.toml", package("b", "[dependencies]\na = { path = \"../a\" }\n")),
        ("b/src/main.rs", "fn main() { println!(\"{}\", a::a()); }\n".to_owned()),
    ];
    for (name, text) in files {
        let path = at.join(name);
        fs::create_dir_all(path.parent().unwrap_or(at)).map_err(failed)?;
        fs::write(path, text).map_err(failed)?;
    }
    Ok(Some(format!("cd {} && rm -rf target && cargo build -q --offline", at.display())))
}

/// The file of the Python that `PATH` leads to, past any shell script that stands for it; `None` if there is
/// none.
fn interpreter() -> Option<String> {
    let said = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let said = String::from_utf8(said.ok()?.stdout).ok()?;
    Some(said.trim().to_owned()).filter(|path| path.starts_with('/'))
}

fn variants(setup: &Setup) -> Result<Vec<Variant>, String> {
    let pack = policies::pack("programs").ok_or("no pack `programs`")?;
    let layers = [policy_schema::stand_in(), pack.to_vec()].concat();
    let image = setup.work.join("programs.img");
    fs::write(&image, layers).map_err(|error| format!("{}: {error}", image.display()))?;
    let path = |path: &Path| path.display().to_string();
    let guarded = || {
        let audit = ("RAMPART_AUDIT_DIR", path(&setup.work.join("operations")));
        vec![("LD_PRELOAD", path(&setup.library)), audit]
    };
    let mut with_rules = guarded();
    with_rules.push(("RAMPART_IMAGE", path(&image)));
    let all = [("bare", Vec::new()), ("no rules", guarded()), ("rules", with_rules)];
    Ok(all.into_iter().map(|(name, env)| Variant { name, prefix: Vec::new(), env }).collect())
}

/// Measures all of it.
pub fn measure(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let at = setup.work.join("tree");
    tree(&at)?;
    std::os::unix::fs::symlink(&at, setup.work.join("link")).map_err(|error| error.to_string())?;
    single(setup, report)?;
    let place = at.display();
    let status = format!("cd {place} && git status >/dev/null");
    let find = "find /usr >/dev/null";
    let imports = "-c 'import json, http.client, ssl, asyncio, unittest, decimal'";
    let import = interpreter().map(|python| format!("{python} {imports}"));
    // As it is called: a version manager's shell script may start several programs first.
    let shim = format!("python3 {imports}");
    let build = format!(
        "cd {place} && printf 'int main(void) {{ return 0; }}' > a.c && cc -o a a.c && rm a a.c"
    );
    let cargo = workspace(&setup.work.join("workspace"))?;
    let cargo = cargo.iter().map(|script| ("cargo build, two crates", script.as_str(), 11));
    let mut rows = vec![
        ("git status, 10,000 files", status.as_str(), 25),
        ("find /usr", find, 7),
        ("cc of a small file", build.as_str(), 25),
    ];
    if let Some(import) = &import {
        rows.push(("python3 (sys.executable), six imports", import, 25));
        rows.push(("python3 by PATH, the same", &shim, 9));
    }
    for (what, script, rounds) in rows.into_iter().chain(cargo) {
        let [bare, none, rules] = in_turns(setup, script, rounds)?;
        report.ratio(&format!("{what}, no rules"), none, bare, "ms", None);
        report.ratio(&format!("{what}, rules"), rules, bare, "ms", Some(1.10));
    }
    Ok(())
}

/// Runs shell text under each variant in turns; medians of the processor's time in milliseconds, which
/// others on the machine disturb less than they do the clock's. These take long enough to
/// need no worker that is warm. Each round begins with another variant: whoever comes first after a
/// pause, or behind what the others wrote, would pay for it every time.
fn in_turns(setup: &Setup, script: &str, rounds: usize) -> Result<[f64; 3], String> {
    let variants = variants(setup)?;
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for turn in 0..variants.len() {
            let index = (round + turn) % variants.len();
            let (Some(variant), Some(samples)) = (variants.get(index), samples.get_mut(index))
            else {
                continue;
            };
            let mut command = Command::new("/bin/sh");
            let env = variant.env.iter().map(|(name, value)| (name, value));
            command.args(["-c", script]).env_remove("LD_PRELOAD").envs(env);
            let before = spent_by_children();
            let done = command.status().map_err(|error| error.to_string())?;
            let spent = spent_by_children().saturating_sub(before);
            if !done.success() {
                return Err(format!("{script}: {done}"));
            }
            if round > 0 {
                samples.push(spent.as_secs_f64() * 1000.0);
            }
        }
    }
    Ok(samples.map(|mut samples| quantile(&mut samples, 0.5)))
}

/// The single opens.
fn single(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut samples: Vec<[Vec<f64>; 3]> = vec![<[Vec<f64>; 3]>::default(); 3];
    let variants = variants(setup)?;
    for round in 0..TURNS {
        for turn in 0..variants.len() {
            let index = (round + turn) % variants.len();
            let (Some(variant), Some(kinds)) = (variants.get(index), samples.get_mut(index)) else {
                continue;
            };
            let mut command = Command::new(&own);
            command.arg("opens").current_dir(&setup.work).env_remove("LD_PRELOAD");
            let env = variant.env.iter().map(|(name, value)| (name, value));
            let done = command.envs(env).output().map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&done.stdout);
            for (line, kind) in text.lines().zip(kinds) {
                kind.extend(line.parse::<f64>().ok());
            }
        }
    }
    let median = |index: usize, kind: usize, samples: &mut Vec<[Vec<f64>; 3]>| {
        let all = samples.get_mut(index).and_then(|all| all.get_mut(kind));
        all.map_or(0.0, |all| quantile(all, 0.5) / 1000.0)
    };
    for (kind, (what, budget)) in KINDS.into_iter().enumerate() {
        let bare = median(0, kind, &mut samples);
        for (index, name, budget) in [(1, "no rules", 0.05), (2, "rules", budget)] {
            let more = median(index, kind, &mut samples) - bare;
            report.absolute(
                &format!("open of {what}, {name}: over bare"),
                more,
                "µs",
                Some(budget),
            );
        }
    }
    Ok(())
}
