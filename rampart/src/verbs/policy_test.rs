//! `rampart policy test`: the rules' own examples and the `tests:` of policy files.
//!
//! Like examples, test cases are judged in a place of their own (user `user` in `/work/project`,
//! an empty environment, no file exists), so that they have the same result on every machine.

use crate::cases::{self, Parsed};
use crate::failure::{Failure, reason, status};
use crate::output::Output;
use crate::policy::{self, Layer, Layers, Origin, source};
use crate::verdict::ask::Surroundings;
use crate::verdict::judge::Judge;
use evaluator::world::NoWorld;
use evaluator::{Action, glob};
use policy_schema::diagnostic::{Diagnostic, Source};
use policy_schema::document::{Document, TestCase};
use policy_schema::{Options, examples, read_suite};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Runs the examples and tests of policy files
///
/// FILE is a policy, whose rules' `examples:` and `tests:` are run, or a suite: a file with `policy:`
/// (a file beside it, or the name of a shipped profile) and `tests:`. Without one, `rampart-tests.yaml`
/// or else `.rampart/policy.yaml` in the working directory. Exit status: 0 if all pass, 1 if one
/// fails, 2 for errors.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// List the tests that pass, too
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,
}

/// What is run where no file is named.
const FOUND: [&str; 2] = ["rampart-tests.yaml", ".rampart/policy.yaml"];

/// What became of one test.
#[derive(Serialize)]
struct Outcome {
    file: String,
    line: usize,
    /// `example` or `test`.
    kind: &'static str,
    name: String,
    passed: bool,
    /// What is wrong, with its place, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    problem: String,
}

/// Runs the verb and returns the exit status.
///
/// # Errors
/// Exit status 2 if a file cannot be used.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let found = FOUND.iter().map(PathBuf::from).find(|path| path.exists());
    let files = match (arguments.files.as_slice(), found) {
        ([], Some(found)) => vec![found],
        ([], None) => {
            let names = FOUND.join("` nor `");
            let what = format!("no file is named, and there is neither `{names}` here");
            return Err(Failure::usage(what));
        }
        (named, _) => named.to_vec(),
    };
    let mut outcomes = Vec::new();
    for file in &files {
        outcomes.append(&mut of_file(file)?);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let passed = outcomes.len() - failed;
    let mut output = Output::new();
    if arguments.json {
        let all = json!({"passed": passed, "failed": failed, "tests": outcomes});
        output.line(&policy::json(&all)?)?;
    } else {
        for outcome in &outcomes {
            if !outcome.passed {
                output.line(&outcome.problem)?;
            } else if arguments.verbose {
                let Outcome { file, line, kind, name, .. } = outcome;
                output.line(&format!("{file}:{line}: {kind} passed: {name}"))?;
            }
        }
        output.line(&format!("{passed} passed, {failed} failed"))?;
    }
    output.flush()?;
    Ok(if failed == 0 { 0 } else { status::DENIED })
}

fn of_file(path: &Path) -> Result<Vec<Outcome>, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::usage(format!("cannot read `{}`: {}", path.display(), reason(error)))
    };
    let text = source::read(path).map_err(|error| failed(&error))?;
    let name = path.display().to_string();
    let source = Source { name: &name, text: &text };
    if let Some((suite, errors)) = read_suite(&source) {
        source::refuse_errors(&errors)?;
        let layer = suite_policy(path, &suite.policy)?;
        return of_cases(&source, &suite.tests, layer);
    }
    let options = Options { run_examples: false, ..Options::default() };
    let compiled = policy_schema::compile_with_warnings(&[source], &options)
        .map_err(|found| source::refused(&found))?;
    let mut outcomes = of_examples(&source, &compiled.documents, &compiled.image);
    let bytes = Cow::Owned(compiled.image);
    let layer = vec![Layer { origin: Origin::Files(vec![path.to_owned()]), bytes }];
    let tests = compiled.documents.iter().flat_map(|document| document.tests.iter().cloned());
    outcomes.append(&mut of_cases(&source, &tests.collect::<Vec<_>>(), layer)?);
    Ok(outcomes)
}

/// The policy that a suite names: a file beside it, or a shipped profile.
fn suite_policy(suite: &Path, name: &str) -> Result<Vec<Layer>, Failure> {
    let beside = suite.with_file_name(name);
    match policies::profile(name) {
        Some(bytes) if !beside.exists() => {
            let origin = Origin::Profile(name.to_owned());
            Ok(vec![Layer { origin, bytes: Cow::Borrowed(bytes) }])
        }
        _ => Ok(source::file(&beside)?.into_iter().map(|found| found.layer).collect()),
    }
}

fn of_examples(source: &Source<'_>, documents: &[Document], image: &[u8]) -> Vec<Outcome> {
    let tried = examples::try_all(&[*source], documents, image);
    let outcome = |(found, failure): (Diagnostic, Option<Diagnostic>)| Outcome {
        file: found.file.clone(),
        line: found.line,
        kind: "example",
        name: found.message.clone(),
        passed: failure.is_none(),
        problem: failure.map(|failure| failure.to_string()).unwrap_or_default(),
    };
    tried.into_iter().map(outcome).collect()
}

fn of_cases(
    source: &Source<'_>,
    tests: &[TestCase],
    all: Vec<Layer>,
) -> Result<Vec<Outcome>, Failure> {
    let layers = Layers { all, recipe: None };
    let mut judge = Judge::new(&layers)?;
    let surroundings = Surroundings::fixed("user", "/home/user", "/work/project");
    let mut outcomes = Vec::new();
    for (number, test) in (1..).zip(tests) {
        let name = if test.name.is_empty() { format!("test {number}") } else { test.name.clone() };
        let problem = try_case(test, &surroundings, &mut judge).err();
        let message = format!("test `{name}` {}", problem.as_deref().unwrap_or("passed"));
        let level = policy_schema::diagnostic::Level::Error;
        let shown = Diagnostic::at(source, &test.range, level, message);
        outcomes.push(Outcome {
            file: source.name.to_owned(),
            line: shown.line,
            kind: "test",
            passed: problem.is_none(),
            problem: problem.map(|_| shown.to_string()).unwrap_or_default(),
            name,
        });
    }
    Ok(outcomes)
}

/// Runs one case; what is wrong with the answer, if anything.
fn try_case(
    test: &TestCase,
    surroundings: &Surroundings,
    judge: &mut Judge<'_>,
) -> Result<(), String> {
    let mut call = Map::new();
    let tool = if test.tool.is_empty() { "exec" } else { &test.tool };
    call.insert("tool".into(), tool.into());
    call.insert("agent".into(), test.agent.clone().into());
    let params = test.params.iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
    call.insert("params".into(), Value::Object(params.collect()));
    let line = Value::Object(call).to_string();
    let (action, message, by) = match cases::parse(line.as_bytes()).parsed {
        Err(why) => return Err(why),
        Ok(Parsed::Refused(refusal)) => (Action::Deny, refusal.message, refusal.reason.to_owned()),
        Ok(Parsed::Case(case)) => surroundings.ask(&case, |request| {
            judge.judge(request, &NoWorld, |verdict, _| {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                let by = match verdict.rule.is_empty() {
                    true => verdict.reason.name().to_owned(),
                    false => format!("{}/{}", text(verdict.policy), text(verdict.rule)),
                };
                (verdict.action, text(verdict.message), by)
            })
        }),
    };
    if action != test.expect {
        let (expected, got) = (test.expect.name(), action.name());
        return Err(format!("expects {expected}, but the answer is {got} ({by})"));
    }
    let wanted = test.expect_message.as_bytes();
    if !wanted.is_empty() && glob::command(wanted, message.as_bytes(), false) != Some(true) {
        let wanted = &test.expect_message;
        return Err(format!("expects a message like `{wanted}`, but it is `{message}` ({by})"));
    }
    Ok(())
}
