//! `rampart check`: what the policy says about one call, without running it.

use crate::cases::{Call, Case};
use crate::failure::{Failure, reason, status};
use crate::output::Output;
use crate::policy::{Choice, Layers};
use crate::verdict::ask::Surroundings;
use crate::verdict::json::Explanation;
use crate::verdict::judge::Judge;
use crate::verdict::response::LONGEST_OUTPUT;
use crate::verdict::text;
use crate::verdict::world::FileSystem;
use evaluator::effects::Around;
use evaluator::{Action, Image, Verdict};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Says what the policy says about a call, without running it
///
/// Exit status: 0 allow or watch, 1 deny, 3 ask or webhook, 2 an error in usage or policy.
/// With --jsonl, 0 whatever the verdicts.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("call").required(true).multiple(true)
    .args(["shell", "argv", "path", "url", "jsonl", "response"])))]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Say more: of which layer each rule is, its message, and how the answer came about
    #[arg(long, conflicts_with_all = ["json", "jsonl"])]
    explain: bool,
    /// Read one case a line from standard input, as JSON, and write one verdict a line
    #[arg(long, conflicts_with_all = ["json", "shell", "argv", "path", "url", "tool", "agent", "session", "response"])]
    pub jsonl: bool,
    /// Text that a shell would run
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "argv")]
    shell: Option<OsString>,
    /// Tool that is called; `exec` if not stated
    #[arg(long, value_name = "NAME")]
    tool: Option<OsString>,
    /// File that the tool would touch
    #[arg(long, value_name = "PATH")]
    path: Option<OsString>,
    /// Address that the tool would open
    #[arg(long, value_name = "URL")]
    url: Option<OsString>,
    /// Judge what the call put out, in this file or, with `-`, on standard input, by the rules
    /// with `response_matches`
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    /// Name of the agent
    #[arg(long, value_name = "NAME")]
    agent: Option<OsString>,
    /// Session label
    #[arg(long, value_name = "LABEL")]
    session: Option<OsString>,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    argv: Vec<OsString>,
}

/// Runs the verb and returns the exit status.
///
/// # Errors
/// Exit status 2 if the policy cannot be used.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let surroundings = Surroundings::own();
    let layers = arguments.choice.load(&surroundings.environment)?;
    if arguments.jsonl {
        super::check_jsonl::run(&layers, &surroundings)?;
        return Ok(0);
    }
    let mut case = arguments.case();
    case.response = arguments.response.as_deref().map(output_of).transpose()?;
    let form = match (arguments.json, arguments.explain) {
        (true, _) => Form::Json,
        (false, true) => Form::Explanation,
        (false, false) => Form::Words,
    };
    let (text, action) = judged(&case, &layers, &surroundings, form)?;
    let mut output = Output::new();
    output.line(&text)?;
    output.flush()?;
    Ok(match action {
        Action::Allow | Action::Watch => 0,
        Action::Ask | Action::Webhook => status::NEEDS_CONSENT,
        Action::Deny => status::DENIED,
    })
}

/// Runs the verb as `policy explain`, which succeeds whatever the answer.
///
/// # Errors
/// Exit status 2 if the policy cannot be used.
pub fn explain(mut arguments: Arguments) -> Result<(), Failure> {
    arguments.explain = !arguments.json && !arguments.jsonl;
    run(&arguments).map(|_| ())
}

/// How a verdict is written.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Words,
    Explanation,
}

fn judged(
    case: &Case,
    layers: &Layers,
    surroundings: &Surroundings,
    form: Form,
) -> Result<(String, Action), Failure> {
    let origins: Vec<String> = layers.all.iter().map(|layer| layer.origin.to_string()).collect();
    let fail_open = surroundings.environment.fail_open();
    let mut judge = Judge::new(layers)?;
    let told = |verdict: &Verdict<'_>, images: &[Image<'_>], around: &Around<'_>| {
        let seen = (verdict, around);
        let text = match form {
            Form::Json => {
                let explanation = Explanation::of(seen, images, origins, fail_open);
                crate::policy::json(&explanation)?
            }
            Form::Words => text::explain(seen, images, &origins, fail_open),
            Form::Explanation => text::explain_fully(seen, images, &origins, fail_open),
        };
        Ok((text, verdict.action))
    };
    let files = FileSystem::of(&surroundings.environment);
    surroundings.ask(case, |request| {
        let around = Around::of(request);
        let tell = |verdict: &Verdict<'_>, images: &[Image<'_>]| told(verdict, images, &around);
        match &case.response {
            Some(output) => judge.judge_output((request, output), &files, tell),
            None => judge.judge(request, &files, tell),
        }
    })
}

/// What a call put out: at most one byte more than is searched, which is enough to say that it is
/// too long.
fn output_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = LONGEST_OUTPUT as u64 + 1;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|error| {
        let why = reason(&error);
        Failure::usage(format!("cannot read the output `{}`: {why}", path.display()))
    })
}

impl Arguments {
    fn case(&self) -> Case {
        let bytes = |value: &Option<OsString>| value.clone().map(OsStringExt::into_vec);
        let argv = self.argv.iter().map(|word| word.clone().into_vec());
        let starts_nothing = self.argv.is_empty() && self.shell.is_none();
        let call = match bytes(&self.shell) {
            Some(text) => Call::Shell(text),
            None if starts_nothing => Call::Nothing,
            None => Call::Argv(argv.collect()),
        };
        let implied = match (starts_nothing, &self.path, &self.url) {
            (true, Some(_), _) => "read",
            (true, None, Some(_)) => "fetch",
            _ => "exec",
        };
        Case {
            tool: bytes(&self.tool).unwrap_or_else(|| implied.as_bytes().to_vec()),
            call,
            path: bytes(&self.path),
            url: bytes(&self.url),
            agent: bytes(&self.agent).unwrap_or_default(),
            session: bytes(&self.session).unwrap_or_default(),
            ..Case::default()
        }
    }
}
