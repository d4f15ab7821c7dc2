//! `rampart allow` and `rampart block`: what a person decides for one case, into the user's layer.

use crate::audit::event::Event;
use crate::audit::suggest::{exact, whole_call};
use crate::audit::{self, select};
use crate::cases::{Call, Case};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::overrides::{self, Entry};
use crate::policy::{Choice, authority, installed, recipe, source};
use crate::verdict::ask::Surroundings;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use evaluator::command::{Command, Tree, UNKNOWN};
use policy_schema::{Layer, time};
use serde_json::json;
use std::path::PathBuf;

/// Allows commands that the policy asks about, or, with --id, exactly one that was stopped
///
/// PATTERN is a command glob, as in `command_matches`. Such an allow beats ask, webhook, watch and the
/// default, never a deny; --id lifts the rule that stopped it, for exactly that command. Running trees take
/// it at their next command. Refused inside a guarded tree.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["pattern", "id"])))]
pub struct Allow {
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    /// The id in the line that the agent got
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

/// Denies commands, whatever the rest of the policy says
///
/// PATTERN is a command glob, as in `command_matches`. Refused inside a guarded tree.
#[derive(clap::Args, Debug)]
pub struct Block {
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// What whoever is stopped reads
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Write it into the project's .rampart/policy.yaml, for everybody who works in it
    #[arg(long)]
    project: bool,
    /// How long it holds (10m, 8h, 7d)
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
}

/// How far an allow goes.
#[derive(clap::Args, Debug)]
struct Limits {
    /// How long it holds (10m, 8h, 7d)
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
    /// For one call, within a day unless --for says otherwise. An evaluator uses it up; without one it
    /// grants nothing
    #[arg(long)]
    once: bool,
}

/// Runs `allow`.
///
/// # Errors
/// Inside a guarded tree; if there is no such event, or it does not say all of the command; or if
/// the file cannot be written.
pub fn allow(arguments: &Allow) -> Result<(), Failure> {
    authority::refuse_inside_a_tree("allow anything")?;
    let duration = arguments.limits.duration.as_deref();
    // What is not used up in a day was not meant any more; the end tells two of them apart.
    let mut limits = ends(duration.or(arguments.limits.once.then_some("24h")))?;
    if arguments.limits.once {
        limits.push_str(", once: true");
    }
    let entries = match (&arguments.pattern, &arguments.id) {
        (Some(pattern), _) => {
            // A use is counted by the rule's name, which a position in the file is not.
            let end = limits.split([' ', ',']).find(|word| word.ends_with('Z'));
            let end = end.filter(|_| arguments.limits.once);
            let name = end.map(|end| format!(", name: \"once {end}\"")).unwrap_or_default();
            vec![Entry::Allow(rule_line("allow", pattern, "", &(limits + &name)))]
        }
        (None, Some(id)) => exceptions(id, &limits)?,
        (None, None) => Vec::new(),
    };
    write(&users_file()?, Layer::User, &entries)?;
    if arguments.limits.once {
        complain!(
            "rampart: note: an evaluator uses it up (`rampart run` brings one, or `rampart serve`); \
             without one it grants nothing"
        );
    }
    Ok(())
}

/// Runs `block`.
///
/// # Errors
/// Inside a guarded tree, or if the file cannot be written.
pub fn block(arguments: &Block) -> Result<(), Failure> {
    authority::refuse_inside_a_tree("change the policy")?;
    let limits = ends(arguments.duration.as_deref())?;
    let message = arguments.message.as_deref().unwrap_or("A person has blocked this command.");
    let entry = Entry::Block(rule_line("deny", &arguments.pattern, message, &limits));
    let (file, layer) = match arguments.project {
        false => (users_file()?, Layer::User),
        true => {
            let file = installed::project(&Environment::own());
            (file.unwrap_or_else(|| PathBuf::from(".rampart/policy.yaml")), Layer::Project)
        }
    };
    write(&file, layer, &[entry])
}

fn users_file() -> Result<PathBuf, Failure> {
    let directory = installed::user_directory(&Environment::own());
    let directory = directory.ok_or_else(|| {
        Failure::usage("neither HOME nor XDG_CONFIG_HOME is an absolute path; set HOME")
    })?;
    Ok(directory.join("user-overrides.yaml"))
}

/// `, expires_at: …`, or nothing.
fn ends(duration: Option<&str>) -> Result<String, Failure> {
    let Some(text) = duration else {
        return Ok(String::new());
    };
    let ms = time::duration_ms(text).filter(|ms| *ms > 0);
    let end = ms.zip(source::now()).map(|(ms, now)| now.saturating_add(ms.div_ceil(1000)));
    let end = end.ok_or_else(|| {
        let shown = crate::bytes::visible(text.as_bytes());
        Failure::usage(format!("`{shown}` is no duration; write it as in 10m, 8h or 7d"))
    })?;
    Ok(format!(", expires_at: {}", time::format_timestamp(end)))
}

/// A rule on one line. JSON strings are YAML, too.
fn rule_line(action: &str, pattern: &str, message: &str, limits: &str) -> String {
    let message = match message {
        "" => String::new(),
        text => format!(", message: {}", json!(text)),
    };
    format!(
        "{{action: {action}, when: {{command_matches: [{}]}}{message}{limits}}}",
        json!(pattern)
    )
}

fn write(file: &std::path::Path, layer: Layer, entries: &[Entry]) -> Result<(), Failure> {
    let added = overrides::add(file, layer, entries)?;
    let mut output = Output::new();
    for entry in entries {
        let (Entry::Allow(text) | Entry::Block(text) | Entry::Disable(text)) = entry;
        output.line(text)?;
    }
    let what = if added == 0 { "already in" } else { "written to" };
    output.line(&format!("{what} {}", file.display()))?;
    for reloaded in recipe::reload(&Directories::from_environment())? {
        match reloaded.result {
            Ok(true) => output.line(&format!("reloaded {}", reloaded.path.display()))?,
            Ok(false) => {}
            Err(failure) => complain!("{failure}"),
        }
    }
    output.flush()
}

/// What lifts the rule that denied the event `id`, for exactly its command: one entry for the call
/// itself, and one for each command on the way to the one that the rule is about, because each is
/// judged again when it is started.
fn exceptions(id: &str, limits: &str) -> Result<Vec<Entry>, Failure> {
    let event = event(id)?;
    let rule = event.rule();
    let lifts = match (event.text("reason"), event.text("action")) {
        ("rule", "deny" | "ask" | "webhook") => true,
        // There is no rule to lift, and a grant goes before the default.
        ("default", "deny" | "ask") => false,
        (reason, action) => {
            return Err(Failure::usage(format!(
                "event {id} was not stopped by a rule or the default (action {action}, reason \
                 {reason}), so there is nothing to allow"
            )));
        }
    };
    let incomplete = || {
        Failure::usage(format!(
            "the audit log does not hold all of the command of {id} (long or secret parts are left \
             out); write `disable:` into your policy by hand"
        ))
    };
    let call = whole_call(&event).ok_or_else(incomplete)?;
    if !lifts {
        // An allow has to cover every command that is found in it.
        let patterns = judged(call, |tree, _| {
            let all = tree.commands.iter().filter_map(|command| known_words(tree, command));
            all.map(|words| exact(&String::from_utf8_lossy(&words.join(&b' ')))).collect()
        })?;
        let allow = |pattern: &String| Entry::Allow(rule_line("allow", pattern, "", limits));
        return Ok(patterns.iter().map(allow).collect());
    }
    lifted(&rule, call, limits)
}

/// Takes exactly this command out of `rule`, in the user's layer, for good.
///
/// # Errors
/// Inside a guarded tree; if the rule or the command cannot be written; or if the file cannot.
pub fn always(rule: &str, argv: Vec<String>) -> Result<(), Failure> {
    authority::refuse_inside_a_tree("allow anything")?;
    if argv.is_empty() || !rule.contains('/') {
        return Err(Failure::usage(
            "it holds for this evaluator only: no rule can be written for it, because the command is \
             secret or no text, or because no rule of a policy asked; use `rampart allow PATTERN`",
        ));
    }
    let call = Call::Argv(argv.into_iter().map(String::into_bytes).collect());
    write(&users_file()?, Layer::User, &lifted(rule, call, "")?)
}

/// What takes exactly `call`, and each command in it that `rule` is about, out of `rule`.
fn lifted(rule: &str, call: Call, limits: &str) -> Result<Vec<Entry>, Failure> {
    let mut commands = vec![match &call {
        Call::Argv(argv) => list(argv.iter().map(Vec::as_slice)),
        Call::Shell(text) => json!(String::from_utf8_lossy(text)).to_string(),
        Call::Nothing => return Err(Failure::usage("there is no command to allow")),
    }];
    commands.extend(inner(call, rule)?);
    let mut entries = Vec::new();
    for command in commands {
        let entry =
            Entry::Disable(format!("{{rule: {}, command: {command}{limits}}}", json!(rule)));
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// The commands that `rule` is about when the call is judged now, and those that they were found in.
fn inner(call: Call, rule: &str) -> Result<Vec<String>, Failure> {
    judged(call, |tree, hits| {
        let mut found = Vec::new();
        for (_, command) in hits.iter().filter(|(name, _)| name == rule) {
            let mut at = tree.commands.get(*command as usize);
            // A parent stands before its children, so this ends.
            while let Some(command) = at {
                found.extend(known_words(tree, command).map(|words| list(words.into_iter())));
                at = tree.parent(command);
            }
        }
        found
    })
}

/// What `look` sees in the call when it is judged now: its commands, and the rules that match, each
/// with the index of a command.
fn judged(
    call: Call,
    look: impl FnOnce(&Tree<'_>, &[(String, u32)]) -> Vec<String>,
) -> Result<Vec<String>, Failure> {
    let surroundings = Surroundings::own();
    let layers = Choice::default().load(&surroundings.environment)?;
    let mut judge = Judge::new(&layers)?;
    let case = Case { tool: b"exec".to_vec(), call, ..Case::default() };
    Ok(surroundings.ask(&case, |request| {
        judge.judge(request, &FileSystem::default(), |verdict, images| {
            let name = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let hits: Vec<(String, u32)> = crate::verdict::names::matched(verdict, images)
                .iter()
                .map(|hit| (format!("{}/{}", name(hit.policy), name(hit.rule)), hit.command))
                .collect();
            look(&verdict.tree, &hits)
        })
    }))
}

/// The words of a command, if there are some and all are wholly known.
fn known_words<'t>(tree: &Tree<'t>, command: &Command) -> Option<Vec<&'t [u8]>> {
    let words = tree.words(command.words).iter().map(|word| tree.bytes(word.text));
    let words: Vec<&[u8]> = words.collect();
    let is_known = !words.is_empty() && !words.iter().any(|word| word.contains(&UNKNOWN));
    is_known.then_some(words)
}

fn list<'w>(words: impl Iterator<Item = &'w [u8]>) -> String {
    let words: Vec<String> = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    json!(words).to_string()
}

/// The last event with this id, or the end of it.
fn event(id: &str) -> Result<Event, Failure> {
    if id.len() < 4 {
        return Err(Failure::usage("an id has at least four characters, such as 7F3K"));
    }
    let places = audit::places(&Directories::from_environment())?;
    let files = audit::readable(&places)?;
    let mut last: Option<Event> = None;
    select::each_event(&files, &mut |line, event| {
        if event.has_id(id) {
            last = Event::parse(line);
        }
        Ok(())
    })?;
    last.ok_or_else(|| {
        let shown = crate::bytes::visible(id.as_bytes());
        Failure::other(format!("no event in the audit log has the id {shown}"))
    })
}
