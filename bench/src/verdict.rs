//! Single verdicts in process: how long understanding and deciding take, and how that grows with
//! the number of rules.

use std::fmt::Write as _;
use std::time::Instant;

use evaluator::command::{Parts, understand};
use evaluator::request::{NoEnv, NoParams};
use evaluator::world::NoWorld;
use evaluator::{Call, Caller, Cwd, Image, Request, Scratch, Target, decide};
use policy_schema::{Options, OwnedScratch, Source, compile};

use crate::report::{Report, quantile};

/// Commands as agents run them; used where no corpus is at hand.
pub const TYPICAL: [&str; 8] = [
    "ls -la src",
    "git status --short && git diff --stat",
    "cargo test --workspace 2>&1 | tail -20",
    "grep -rn 'fn main' --include='*.rs' .",
    "cd /work && python3 -m pytest -q tests/test_api.py",
    "find . -name '*.py' -not -path './.venv/*' | xargs wc -l",
    "bash -lc 'npm run build && npm test -- --watch=false'",
    "cat > notes.txt <<'EOF'\nrm -rf / is only text here\nEOF",
];

/// Every command of the corpora beside the checkout, else the typical ones.
pub fn commands() -> (String, Vec<String>) {
    let mut found = Vec::new();
    for directory in ["../shared/corpora", "tests/corpus"] {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let rows = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            found.extend(rows.filter_map(|row: serde_json::Value| {
                row.get("command")?.as_str().map(str::to_owned)
            }));
        }
    }
    if found.is_empty() {
        return ("8 typical commands".into(), TYPICAL.map(String::from).to_vec());
    }
    (format!("{} commands of the corpora", found.len()), found)
}

/// A call of `command` as shell text.
pub fn request(command: &[u8]) -> Request<'_> {
    Request {
        tool: b"exec",
        call: Call::Shell(command),
        cwd: Cwd::Known(b"/work/project"),
        env: &NoEnv,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    }
}

/// So many runs of which the fastest counts.
const ROUNDS: u32 = 5;

/// Nanoseconds of the fastest of a few runs of `work`.
fn fastest(scratch: &mut OwnedScratch, mut work: impl FnMut(&mut Scratch<'_>)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let mut memory = scratch.borrow();
        let start = Instant::now();
        work(&mut memory);
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    best
}

/// Nanoseconds of one verdict.
pub fn time(images: &[Image<'_>], command: &[u8], rules: usize, scratch: &mut OwnedScratch) -> f64 {
    let request = request(command);
    scratch.fit(&request, rules);
    fastest(scratch, |memory| {
        let verdict = decide(images, &request, &NoWorld, memory);
        std::hint::black_box(verdict.action);
    })
}

/// What finding the commands of `command` takes, in units of counted work, and how many they are.
pub fn understood(command: &[u8], scratch: &mut OwnedScratch) -> (u64, usize) {
    let request = request(command);
    scratch.fit(&request, 1);
    let mut memory = scratch.borrow();
    let tree = understand(&request, &NoWorld, parts(&mut memory)).0;
    (tree.work, tree.commands.len())
}

/// Nanoseconds of the part of it that finds the commands.
pub fn time_understanding(command: &[u8], scratch: &mut OwnedScratch) -> f64 {
    let request = request(command);
    scratch.fit(&request, 1);
    fastest(scratch, |memory| {
        std::hint::black_box(understand(&request, &NoWorld, parts(memory)).0.commands.len());
    })
}

fn parts<'s>(memory: &'s mut Scratch<'_>) -> Parts<'s> {
    Parts {
        text: memory.text,
        words: memory.words,
        commands: memory.commands,
        redirects: memory.redirects,
        vars: memory.vars,
    }
}

fn all(image: &Image<'_>, commands: &[String], rules: usize) -> Vec<f64> {
    let mut scratch = OwnedScratch::default();
    let images = std::slice::from_ref(image);
    commands.iter().map(|command| time(images, command.as_bytes(), rules, &mut scratch)).collect()
}

/// Conditions that 10,000 rules may have, each rule its own: what it is about, and `{}` for the
/// number.
const KINDS: [(&str, &str); 7] = [
    ("of programs", "{program: [tool{}], operands: ['/data/{}/**']}"),
    ("of one program", "{program: [git], operands: ['/data/{}/**']}"),
    ("on paths", "{operands: ['/srv/data-{}/**']}"),
    ("on text", "{command_matches: ['*--target=host-{}*']}"),
    ("on text of programs", "{command_matches: ['deploy{} *']}"),
    ("on assignments", "{command_env_assignments: ['SECRET_{}']}"),
    ("on domains", "{domain_matches: ['*.host-{}.example']}"),
];

/// A layer of `count` rules with the condition `when`, in files of 1,000.
pub fn generated(count: usize, when: &str) -> Result<Vec<u8>, String> {
    let mut files = Vec::new();
    for file in 0..count.div_ceil(1000) {
        let mut yaml = format!(
            "version: '1'\ndefault_action: allow\npolicies:\n  - name: p{file}\n    rules:\n"
        );
        for number in (file * 1000..count).take(1000) {
            let when = when.replace("{}", &number.to_string());
            let _ = writeln!(yaml, "      - {{action: deny, when: {when}}}");
        }
        files.push((format!("generated-{file}.yaml"), yaml));
    }
    let sources: Vec<Source<'_>> =
        files.iter().map(|(name, yaml)| Source { name, text: yaml.as_bytes() }).collect();
    compile(&sources, &Options::default())
        .map_err(|errors| errors.iter().take(3).map(ToString::to_string).collect())
}

/// How long the standard policy takes to compile, its examples included, and how large it is.
fn standard_policy(report: &mut Report) -> Result<(), String> {
    let yaml = policies::SOURCES.iter().find(|(name, _)| *name == "standard");
    let (_, yaml) = yaml.ok_or("no standard profile")?;
    let source = Source { name: "standard.yaml", text: yaml.as_bytes() };
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let image = compile(&[source], &Options::default());
        times.push(start.elapsed().as_secs_f64() * 1e3);
        image.map_err(|errors| errors.iter().map(ToString::to_string).collect::<String>())?;
    }
    report.absolute("standard policy, compiling", quantile(&mut times, 0.5), "ms", Some(300.0));
    let size = policies::STANDARD.len() as f64 / 1024.0;
    report.absolute("standard policy, image", size, "KiB", Some(512.0));
    Ok(())
}

pub fn open(bytes: &[u8]) -> Result<Image<'_>, String> {
    Image::open(bytes).map_err(|error| error.text().to_owned())
}

/// Measures verdicts.
pub fn measure(report: &mut Report) -> Result<(), String> {
    let standard = open(policies::STANDARD)?;
    let (what, commands) = commands();
    let mut times = all(&standard, &commands, 1000);
    let (p50, p99) = (quantile(&mut times, 0.5) / 1e3, quantile(&mut times, 0.99) / 1e3);
    report.absolute(&format!("verdict p50, standard, {what}"), p50, "µs", Some(5.0));
    report.absolute("verdict p99", p99, "µs", Some(50.0));
    report.absolute("verdict, slowest", quantile(&mut times, 1.0) / 1e3, "µs", None);

    standard_policy(report)?;
    let median = |bytes: &[u8]| -> Result<f64, String> {
        Ok(quantile(&mut all(&open(bytes)?, &commands, 10_000), 0.5) / 1e3)
    };
    for (what, when) in KINDS {
        let (few, many) = (generated(200, when)?, generated(10_000, when)?);
        let what = format!("verdict p50, 10,000 rules {what} against 200");
        report.ratio(&what, median(&many)?, median(&few)?, "µs", Some(2.0));
    }
    Ok(())
}
