//! `rampart pause`: nothing is stopped for a while, by the decision of a person outside of every guarded tree.
//!
//! It is a policy of the user's like any other: it switches the rules off that are there, and allows the rest,
//! with an end that every process knows by itself. What the system's policy locks holds, and so does
//! what was chosen for one tree by --policy or --profile, which takes no policy of the user's.

use crate::audit::record::{self, Told};
use crate::cases::{Call, Case};
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::{Choice, authority, image_store, installed, inventory, recipe, source};
use crate::verdict::ask::Surroundings;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use evaluator::event::Outcome;
use policy_schema::{Layer, Options, Source, compile, time};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// The file, in the user's directory.
const FILE: &str = "user-pause.yaml";

/// Longest pause, in milliseconds.
const LONGEST: u64 = 24 * 3600 * 1000;

/// Stops nothing for a while: rules that deny, and that ask, do not hold
///
/// Running trees take it at their next command, and it ends by itself. What the system's policy locks
/// still holds; so does everything in trees that were started with --policy or --profile. It is recorded.
/// Refused inside a guarded tree.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["duration", "end"])))]
pub struct Arguments {
    /// How long: 10m, 1h30m; a day at most
    #[arg(value_name = "DURATION")]
    duration: Option<String>,
    /// End the pause now
    #[arg(long)]
    end: bool,
}

/// Runs the verb.
///
/// # Errors
/// Inside a guarded tree; if it is no duration; if the policy cannot be read or written; or if the pause
/// cannot be recorded.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    authority::refuse_inside_a_tree("pause the guard")?;
    let directory = installed::user_directory(&Environment::own()).ok_or_else(|| {
        Failure::usage("neither HOME nor XDG_CONFIG_HOME is an absolute path; set HOME")
    })?;
    let file = directory.join(FILE);
    let words = match &arguments.duration {
        Some(duration) => {
            let until = end_of(duration)?;
            let text = policy(&until)?;
            // Recorded first: no pause without a record of it.
            record(&["pause", duration])?;
            begin(&file, &text)?;
            format!("paused until {until}; `rampart pause --end` ends it before")
        }
        None => {
            let was = end(&file)?;
            // It has ended all the same; that it could not be recorded has been said.
            let _ = record(&["pause", "--end"]);
            if was { "the pause is over" } else { "there was no pause" }.to_owned()
        }
    };
    let mut output = Output::new();
    for reloaded in recipe::reload(&Directories::from_environment())? {
        match reloaded.result {
            Ok(true) => output.line(&format!("reloaded {}", reloaded.path.display()))?,
            Ok(false) => {}
            Err(failure) => complain!("{failure}"),
        }
    }
    output.line(&words)?;
    output.flush()
}

/// When a pause of that length ends, as policies write it.
fn end_of(duration: &str) -> Result<String, Failure> {
    let ms = time::duration_ms(duration).filter(|ms| (1..=LONGEST).contains(ms));
    let end = ms.zip(source::now()).map(|(ms, now)| now.saturating_add(ms.div_ceil(1000)));
    end.map(time::format_timestamp).ok_or_else(|| {
        let shown = crate::bytes::visible(duration.as_bytes());
        Failure::usage(format!("`{shown}` is no duration up to a day; write it as in 10m or 1h30m"))
    })
}

/// The policy of a pause: no rule of those in force holds, and the default is to allow.
fn policy(until: &str) -> Result<String, Failure> {
    let layers = Choice::default().load(&Environment::own())?;
    let rules = inventory::inventory(&layers)?.rules;
    let restricts = |rule: &&inventory::RuleInfo| !["allow", "watch"].contains(&rule.action);
    let policies: BTreeSet<&String> =
        rules.iter().filter(restricts).map(|rule| &rule.policy).collect();
    let mut text = format!(
        "# A pause until {until}: kept by `rampart pause`, ended by `rampart pause --end`.\nversion: \"1\"\n"
    );
    if !policies.is_empty() {
        text.push_str("disable:\n");
    }
    for policy in policies {
        let name = json!(format!("{policy}/*"));
        text.push_str(&format!("  - {{rule: {name}, expires_at: {until}}}\n"));
    }
    text.push_str(&format!(
        "policies:\n  - name: user-pause\n    rules:\n      - {{name: pause, action: allow, when: {{command_matches: [\"**\"]}}, expires_at: {until}}}\n"
    ));
    Ok(text)
}

fn begin(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| {
        Failure::other(format!("cannot change `{}`: {}", file.display(), reason(error)))
    };
    let name = file.display().to_string();
    let source = Source { name: &name, text: text.as_bytes() };
    compile(&[source], &Options { layer: Layer::User, run_examples: false })
        .map_err(|found| source::refused(&found))?;
    fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(|error| failed(&error))?;
    image_store::write_atomically(file, text.as_bytes())
}

/// Whether there was one.
fn end(file: &Path) -> Result<bool, Failure> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => {
            let why = reason(&error);
            Err(Failure::other(format!("cannot remove `{}`: {why}", file.display())))
        }
    }
}

/// Puts `rampart` with these words into the audit log, as what a person did.
fn record(words: &[&str]) -> Result<(), Failure> {
    let directories = Directories::from_environment();
    directories.make_audit()?;
    let mut environment = Environment::own();
    environment.set("RAMPART_AUDIT_DIR", directories.audit()?.as_os_str());
    let surroundings = Surroundings::with(environment);
    let layers = Choice::default().load(&surroundings.environment)?;
    let mut judge = Judge::new(&layers)?;
    let argv = [&["rampart"], words].concat();
    let argv = argv.into_iter().map(|word| word.as_bytes().to_vec()).collect();
    let case = Case { tool: b"exec".to_vec(), call: Call::Argv(argv), ..Case::default() };
    surroundings.ask(&case, |request| {
        judge.judge(request, &FileSystem::default(), |verdict, _| {
            let told = Told {
                hook: "pause",
                outcome: Outcome::Allowed,
                answered_by: "person",
                took: Duration::ZERO,
            };
            record::kept(request, verdict, &surroundings.environment, &told)
        })
    })
}
