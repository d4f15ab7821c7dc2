//! Runs the examples of the rules against the image that was made of them: a policy that does
//! not do what it says is refused.
//!
//! The calls are judged in a world of their own, so that the result is the same everywhere: no
//! file exists, `HOME` is `/home/user`, the directory is `/work/project`.

use evaluator::command::Outcome;
use evaluator::decide::commands_to_cover;
use evaluator::image::format::{Section, by};
use evaluator::request::NoParams;
use evaluator::{
    Action, Answer, Argv, Call, Caller, Cwd, Image, Request, Target, Verdict, World, decide,
};

use crate::diagnostic::{Diagnostic, Level, Source};
use crate::document::{At, Document, Example, Policy, Rule};
use crate::scratch::OwnedScratch;

/// A rule and where it came to stand in the image.
#[derive(Clone, Copy)]
pub struct Placed<'d> {
    /// Index of its source.
    pub source: usize,
    /// Its policy.
    pub policy: &'d Policy,
    /// The rule.
    pub rule: &'d Rule,
    /// Its number in the image.
    pub number: u32,
}

/// Runs every example of `documents` against `image`, which was compiled from them alone. For each,
/// a note that says which it is, and what is wrong with it, if anything.
#[must_use]
pub fn try_all(
    sources: &[Source<'_>],
    documents: &[Document],
    image: &[u8],
) -> Vec<(Diagnostic, Option<Diagnostic>)> {
    let Ok(image) = Image::open(image) else {
        return Vec::new();
    };
    let mut scratch = OwnedScratch::default();
    let mut tried = Vec::new();
    for placed in crate::compile::placed(documents) {
        let Some(source) = sources.get(placed.source) else {
            continue;
        };
        for (example, expected) in all_of(placed.rule) {
            let failure = try_one(&image, &placed, &example.value, expected, &mut scratch);
            let failure = failure.map(|failure| report(source, &placed, example, failure));
            let (policy, rule) = (&placed.policy.name.value, &placed.rule.name);
            let relation = if expected { "matches" } else { "does not match" };
            let name = format!("{policy}/{rule} {relation} {}", shown(&example.value));
            tried.push((Diagnostic::at(source, &example.range, Level::Note, name), failure));
        }
    }
    tried
}

/// The examples of a rule, each with whether it must match.
fn all_of(rule: &Rule) -> impl Iterator<Item = (&At<Example>, bool)> {
    let examples = &rule.examples;
    (examples.matching.iter().map(|example| (example, true)))
        .chain(examples.not_matching.iter().map(|example| (example, false)))
}

fn shown(example: &Example) -> String {
    match example {
        Example::Shell(text) => format!("`{text}`"),
        Example::Argv(words) => format!("`{}`", words.join(" ")),
        Example::Tool { tool, path, url, program } => {
            let what = path.as_deref().or(url.as_deref()).unwrap_or_default();
            let who = program.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
            format!("{tool} `{what}`{who}")
        }
    }
}

/// Runs the examples of `rules` against `image` and reports those that fail.
pub fn run(sources: &[Source<'_>], rules: &[Placed<'_>], image: &[u8]) -> Vec<Diagnostic> {
    let Ok(image) = Image::open(image) else {
        return Vec::new();
    };
    let mut scratch = OwnedScratch::default();
    let mut found = Vec::new();
    for placed in rules {
        for (example, expected) in all_of(placed.rule) {
            let failure = try_one(&image, placed, &example.value, expected, &mut scratch);
            if let (Some(failure), Some(source)) = (failure, sources.get(placed.source)) {
                found.push(report(source, placed, example, failure));
            }
        }
    }
    found
}

/// Why an example fails: what happens, and what to do.
type Failure = (String, String);

fn report(
    source: &Source<'_>,
    placed: &Placed<'_>,
    example: &At<Example>,
    (what, help): Failure,
) -> Diagnostic {
    let name = format!("{}/{}", placed.policy.name.value, placed.rule.name);
    let message = format!("rule `{name}` {what}");
    Diagnostic::at(source, &example.range, Level::Error, message).help(help)
}

struct ExampleWorld;

impl World for ExampleWorld {
    fn resolve<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read_at<'b>(&self, _path: &[u8], _at: u64, _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn digest(&self, _path: &[u8]) -> Answer<[u8; 32]> {
        Answer::Absent
    }
    /// The tree has written what no system brings.
    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        const SYSTEM: [&[u8]; 6] = [b"/bin/", b"/sbin/", b"/usr/", b"/opt/", b"/lib/", b"/etc/"];
        Answer::Value(!SYSTEM.iter().any(|above| path.starts_with(above)))
    }
    /// The tree has come by everything.
    fn taint(&self) -> Answer<u8> {
        Answer::Value(u8::MAX)
    }
    fn user(&self) -> Answer<u32> {
        Answer::Value(1000)
    }
    fn parent<'b>(&self, _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn host<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let name = b"localhost";
        match out.get_mut(..name.len()) {
            Some(out) => {
                out.copy_from_slice(name);
                Answer::Value(out)
            }
            None => Answer::Unavailable,
        }
    }
    /// Before every `expires_at`.
    fn now(&self) -> Answer<u64> {
        Answer::Value(0)
    }
}

const HOME: &[(&[u8], &[u8])] =
    &[(b"HOME", b"/home/user"), (b"PATH", b"/usr/local/bin:/usr/bin:/bin")];

fn try_one(
    image: &Image<'_>,
    placed: &Placed<'_>,
    example: &Example,
    expected: bool,
    scratch: &mut OwnedScratch,
) -> Option<Failure> {
    let argv: Vec<&[u8]> = match example {
        Example::Argv(words) => words.iter().map(String::as_bytes).collect(),
        _ => Vec::new(),
    };
    let argv = argv.as_slice();
    let file = argv.first().map_or(Vec::new(), |name| executable(name));
    let program = program_of(placed, example).map(|name| executable(name.as_bytes()));
    let (call, tool) = match example {
        Example::Shell(text) => (Call::Shell(text.as_bytes()), "exec"),
        Example::Argv(_) => (Call::Exec { file: &file, argv: &argv as &dyn Argv }, "exec"),
        Example::Tool { tool, .. } => match &program {
            Some(program) => (Call::Operation { hook: "example", program }, tool.as_str()),
            None => (Call::Nothing, tool.as_str()),
        },
    };
    let (path, url) = match example {
        Example::Tool { path, url, .. } => (path.as_deref(), url.as_deref()),
        _ => (None, None),
    };
    let scope = &placed.policy.scope;
    let named = |pattern: &Option<crate::document::Pattern>| {
        pattern.as_ref().map_or(String::new(), |pattern| pattern.text.replace('*', ""))
    };
    let (agent, session) = (named(&scope.agent), named(&scope.session));
    let request = Request {
        tool: tool.as_bytes(),
        call,
        cwd: Cwd::Known(b"/work/project"),
        env: &HOME,
        target: Target::default(),
        caller: Caller { agent: agent.as_bytes(), session: session.as_bytes(), agent_depth: 0 },
        path: path.map(str::as_bytes),
        url: url.map(str::as_bytes),
        params: &NoParams,
    };
    scratch.fit(&request, image.count(Section::Rules) as usize);
    let mut scratch = scratch.borrow();
    let images = [*image];
    let verdict = decide(&images, &request, &ExampleWorld, &mut scratch);
    judge(image, placed, &verdict, expected)
}

/// The running program that does what the example says, if one does: in a policy that is only about
/// those, some program, unless the example names it.
fn program_of<'e>(placed: &Placed<'_>, example: &'e Example) -> Option<&'e str> {
    let Example::Tool { program, .. } = example else {
        return None;
    };
    let some = (placed.policy.scope.by == by::PROGRAM).then_some("program");
    program.as_deref().or(some)
}

/// The file that a program name without a path stands for.
fn executable(name: &[u8]) -> Vec<u8> {
    if name.contains(&b'/') {
        return name.to_vec();
    }
    [b"/usr/bin/", name].concat()
}

/// What is wrong with `verdict`, if anything.
fn judge(
    image: &Image<'_>,
    placed: &Placed<'_>,
    verdict: &Verdict<'_>,
    expected: bool,
) -> Option<Failure> {
    let unread = match verdict.tree.outcome {
        Outcome::Complete => None,
        Outcome::Unparseable => Some("has an example that is no valid shell text"),
        Outcome::TooComplex => Some("has an example that is too complex to understand"),
    };
    if let Some(unread) = unread {
        return Some((unread.to_owned(), "quote it as a shell would need it".to_owned()));
    }
    let fired = fires(image, verdict);
    match (fired.contains(&placed.number), expected) {
        (true, true) | (false, false) => None,
        (true, false) => Some((
            "fires for an example that it must not match".to_owned(),
            "narrow its `when`, or move the example to `match`".to_owned(),
        )),
        (false, true) => {
            let names: Vec<String> = fired.iter().map(|number| name(image, *number)).collect();
            let others = if names.is_empty() {
                "no rule fires for it".to_owned()
            } else {
                format!("what fires for it: {}", names.join(", "))
            };
            Some(("does not fire for an example that it must match".to_owned(), others))
        }
    }
}

/// The rules that answer for their policies: of each policy the first that holds.
fn fires(image: &Image<'_>, verdict: &Verdict<'_>) -> Vec<u32> {
    let needed = commands_to_cover(&verdict.tree);
    let mut answered = Vec::new();
    let mut fired = Vec::new();
    for hit in verdict.matched {
        let Some(rule) = image.rule(hit.rule) else {
            continue;
        };
        let is_covered = rule.action != Action::Allow as u8 || hit.hits >= needed;
        if is_covered && !answered.contains(&rule.policy) {
            answered.push(rule.policy);
            fired.push(hit.rule);
        }
    }
    fired
}

fn name(image: &Image<'_>, number: u32) -> String {
    let text = |at, len| image.text(at, len).map(String::from_utf8_lossy).unwrap_or_default();
    let Some(rule) = image.rule(number) else {
        return String::new();
    };
    let policy = image.policy(rule.policy).unwrap_or_default();
    format!("{}/{}", text(policy.name, policy.name_len), text(rule.name, rule.name_len))
}
