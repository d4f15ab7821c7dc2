//! `rampart report-fp`: a case file about something that was stopped and should not have been, for whoever
//! keeps the policy. It says what was run and which rule was against it, and nothing of who ran it where.

use crate::audit;
use crate::audit::event::Event;
use crate::bytes::visible;
use crate::cases::{Call, Case};
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::Choice;
use crate::verdict::ask::Surroundings;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use serde_json::{Map, Value, json};
use std::ffi::OsStr;

/// Who and where the case file is about, whoever's it is.
const USER: &str = "user";
const HOME: &str = "/home/user";
const HOST: &str = "host";

/// Prints a case file about an event that should not have been stopped: for whoever keeps the policy
///
/// Credentials, your name, your home and the name of the machine are left out; read it before you send it.
/// It says whether the rule is still against the case as it is printed.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The id in the line that the agent got
    #[arg(value_name = "ID")]
    id: String,
}

/// Runs the verb.
///
/// # Errors
/// If there is no such event, it was not stopped, or the policy cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let shown = visible(arguments.id.as_bytes());
    if arguments.id.len() < 4 {
        return Err(Failure::usage("an id has at least four characters, such as 7F3K"));
    }
    let event = audit::with_id(&arguments.id)?
        .ok_or_else(|| Failure::other(format!("no event in the audit log has the id {shown}")))?;
    if !event.is_denial() {
        return Err(Failure::usage(format!("event {shown} was not stopped")));
    }
    let file = case_file(&event, &Private::own())?;
    let text = serde_json::to_string_pretty(&file)
        .map_err(|error| Failure::other(format!("cannot write the case: {error}")))?;
    let mut output = Output::new();
    output.line(&text)?;
    output.flush()
}

/// What is nobody else's business, and what stands in its place; the longest first.
struct Private(Vec<(String, &'static str)>);

impl Private {
    fn own() -> Self {
        let environment = Environment::own();
        let value = |name| environment.value(name).and_then(OsStr::to_str).unwrap_or_default();
        let home = value("HOME").trim_end_matches('/').to_owned();
        Self::of(&home, [value("USER"), value("LOGNAME")], &audit::host())
    }

    fn of(home: &str, users: [&str; 2], host: &str) -> Self {
        let mut all = vec![(home.to_owned(), HOME), (host.to_owned(), HOST)];
        all.extend(users.map(|user| (user.to_owned(), USER)));
        // What is in every text anyway says nothing.
        all.retain(|(text, _)| {
            text.len() > 1 && !["root", "localhost", USER].contains(&text.as_str())
        });
        all.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        all.dedup();
        Self(all)
    }

    /// `text` without it, where it stands as a word of its own.
    fn out_of(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (private, instead) in &self.0 {
            text = replaced(&text, private, instead);
        }
        text
    }
}

fn replaced(text: &str, private: &str, instead: &str) -> String {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (mut out, mut rest, mut before) = (String::new(), text, None);
    while let Some(at) = rest.find(private) {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let (found, tail) = tail.split_at_checked(private.len()).unwrap_or((tail, ""));
        out.push_str(head);
        let left = head.chars().next_back().or(before);
        let is_whole =
            !is_part(left.filter(|_| !private.starts_with('/'))) && !is_part(tail.chars().next());
        out.push_str(if is_whole { instead } else { found });
        (before, rest) = (found.chars().next_back(), tail);
    }
    out.push_str(rest);
    out
}

fn case_file(event: &Event, private: &Private) -> Result<Value, Failure> {
    let clean = |text: &str| private.out_of(text);
    let mut case = Map::new();
    case.insert("tool".to_owned(), event.text("tool").into());
    match event.member("argv").and_then(Value::as_array) {
        Some(argv) => {
            let words = argv.iter().map(|word| clean(word.as_str().unwrap_or("[masked]")));
            case.insert("argv".to_owned(), words.collect::<Vec<_>>().into());
        }
        None => {
            case.insert("command".to_owned(), clean(event.text("command")).into());
        }
    }
    for name in ["cwd", "path", "url"] {
        if !event.text(name).is_empty() {
            case.insert(name.to_owned(), clean(event.text(name)).into());
        }
    }
    let is_whole = crate::audit::suggest::whole_call(event).is_some();
    let still = if is_whole { judged(&case)? } else { None };
    let mut about = Map::new();
    for name in ["action", "outcome", "reason", "policy", "rule", "message", "hook", "agent"] {
        if !event.text(name).is_empty() {
            about.insert(name.to_owned(), clean(event.text(name)).into());
        }
    }
    if let Some(provenance) = event.member("provenance") {
        about.insert("provenance".to_owned(), provenance.clone());
    }
    let rule = |of: &Event| [of.text("policy").to_owned(), of.text("rule").to_owned()];
    Ok(json!({
        "v": 1,
        "rampart": env!("CARGO_PKG_VERSION"),
        "case": case,
        "was": about,
        "wanted": "allow",
        "is_whole": is_whole,
        "is_still_so": still.map(|found| found == rule(event)),
    }))
}

/// Policy and rule that decide on the case as it is printed, for a user `user` on any machine.
fn judged(case: &Map<String, Value>) -> Result<Option<[String; 2]>, Failure> {
    let text = |name: &str| case.get(name).and_then(Value::as_str).unwrap_or_default();
    let bytes = |name: &str| Some(text(name).as_bytes().to_vec()).filter(|text| !text.is_empty());
    let call = match case.get("argv").and_then(Value::as_array) {
        Some(argv) => {
            let words = argv.iter().filter_map(Value::as_str);
            Call::Argv(words.map(|word| word.as_bytes().to_vec()).collect())
        }
        None if text("command").is_empty() => Call::Nothing,
        None => Call::Shell(text("command").as_bytes().to_vec()),
    };
    let case = Case {
        tool: text("tool").as_bytes().to_vec(),
        call,
        cwd: bytes("cwd"),
        path: bytes("path"),
        url: bytes("url"),
        ..Case::default()
    };
    let layers = Choice::default().load(&Environment::own())?;
    let mut judge = Judge::new(&layers)?;
    let cwd = case.cwd.clone().unwrap_or_else(|| HOME.as_bytes().to_vec());
    let surroundings = Surroundings::fixed(USER, HOME, &String::from_utf8_lossy(&cwd));
    Ok(Some(surroundings.ask(&case, |request| {
        judge.judge(request, &FileSystem::default(), |verdict, _| {
            [visible(verdict.policy), visible(verdict.rule)]
        })
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_private_is_left() {
        let private = Private::of("/home/ann", ["ann", "ann"], "box7");
        for (text, expected) in [
            ("rm -rf /home/ann/x /home/anna", "rm -rf /home/user/x /home/anna"),
            ("cd /home/ann && ls ~ann", "cd /home/user && ls ~user"),
            ("scp f ann@box7:annual", "scp f user@host:annual"),
            ("-I/home/ann/i annann ann", "-I/home/user/i annann user"),
            ("box7.lan box77", "host.lan box77"),
            ("", ""),
        ] {
            assert_eq!(private.out_of(text), expected, "{text}");
        }
        assert!(
            Private::of("/root", ["root", ""], "x").out_of("root /root/a").contains("/home/user/a")
        );
    }
}
