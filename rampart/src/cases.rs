//! Calls as JSON: one case a line, as `rampart check --jsonl` reads them.
//!
//! The same call can be written in several ways (`command`, `params.command`, `input.cmd` …), and
//! whoever executes it may look at another one than we do. So every spelling is read, and a case
//! whose spellings differ is refused instead of being judged on one of them.

pub mod strict;

use crate::bytes;
use serde_json::{Map, Value};

/// Longest agent, session, tool, path and URL, in bytes, as in the original. A longer one denies
/// the call: nothing is cut off and judged in part. Commands have no such limit.
pub const LONGEST_NAME: usize = 8192;

/// One call to be judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// `tool`, else `exec`.
    pub tool: Vec<u8>,
    /// What would be run.
    pub call: Call,
    /// The file that the tool would touch.
    pub path: Option<Vec<u8>>,
    /// The address that the tool would open.
    pub url: Option<Vec<u8>>,
    /// Name of the agent; empty if not stated.
    pub agent: Vec<u8>,
    /// Session label; empty if not stated.
    pub session: Vec<u8>,
    /// How many agents deep.
    pub agent_depth: u32,
    /// Absolute working directory, if stated.
    pub cwd: Option<Vec<u8>>,
    /// Top-level members of `params` and `input`, as text.
    pub params: Parameters,
    /// What the call put out: then that is judged, by the response rules.
    pub response: Option<Vec<u8>>,
}

/// Names and values.
pub type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// What a case would run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Nothing.
    #[default]
    Nothing,
    /// Text for a shell.
    Shell(Vec<u8>),
    /// A program and its arguments; at least one element.
    Argv(Vec<Vec<u8>>),
}

/// What a line came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// A case that can be judged.
    Case(Box<Case>),
    /// A case that is denied before any rule.
    Refused(Refusal),
}

/// Why a case is denied before any rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `ambiguous-input` or `too-long`, beside the names of `evaluator::Reason`.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// A line: the caller's own id, to be given back, and what it came to or what is wrong with it.
pub struct Line {
    /// `id`, whatever it is.
    pub id: Option<Value>,
    /// The case, or why the line holds none.
    pub parsed: Result<Parsed, String>,
}

/// Reads one line.
pub fn parse(line: &[u8]) -> Line {
    let (members, duplicate) = match strict::object(line) {
        Ok(read) => read,
        Err(error) => {
            return Line { id: None, parsed: Err(error) };
        }
    };
    let id = members.get("id").cloned();
    let parsed = match duplicate {
        Some(name) => Ok(ambiguous(format!("`{name}` stands there twice; state it once"))),
        None => Reader { members: &members }.read(),
    };
    Line { id, parsed }
}

/// One JSON object, with nothing in it twice.
///
/// # Errors
/// If it is none.
pub fn object(text: &[u8]) -> Result<Map<String, Value>, String> {
    match strict::object(text)? {
        (members, None) => Ok(members),
        (_, Some(name)) => Err(format!("`{name}` stands there twice; state it once")),
    }
}

/// The tool classes that hosts give a meaning of their own.
const CLASSES: [&str; 11] = [
    "browser",
    "edit",
    "exec",
    "fetch",
    "http",
    "mcp",
    "mcp-dangerous",
    "mcp-destructive",
    "read",
    "web_fetch",
    "write",
];

/// The class that `name` is in everything but case: rules for `exec` would not see `Exec`.
fn misspelled(name: &str) -> Option<&'static str> {
    let class = CLASSES.into_iter().find(|class| class.eq_ignore_ascii_case(name))?;
    (class != name).then_some(class)
}

fn ambiguous(why: String) -> Parsed {
    Parsed::Refused(Refusal {
        reason: "ambiguous-input",
        message: format!("ambiguous input: {why}"),
    })
}

/// The names under which a tool's command, path or URL may stand.
struct Aliases {
    /// The name at the top level.
    shorthand: &'static str,
    /// The names in `params` and `input`.
    nested: &'static [&'static str],
}

impl Aliases {
    fn command(tool: &str) -> Self {
        Self {
            shorthand: "command",
            nested: match tool {
                "exec" => &["command", "cmd", "input"],
                _ => &["command"],
            },
        }
    }

    fn path(tool: &str) -> Self {
        Self {
            shorthand: "path",
            nested: match tool {
                "read" | "write" | "edit" | "mcp-destructive" => {
                    &["file_path", "path", "file", "filepath", "target"]
                }
                _ => &["file_path", "path"],
            },
        }
    }

    fn url(tool: &str) -> Self {
        Self {
            shorthand: "url",
            nested: match tool {
                "fetch" | "http" | "web_fetch" | "browser" => &["url", "uri", "href"],
                _ => &["url"],
            },
        }
    }
}

struct Reader<'m> {
    members: &'m Map<String, Value>,
}

/// Why reading stopped: the line is bad, or the case is refused.
enum Stop {
    Bad(String),
    Refused(Box<Parsed>),
}

impl Reader<'_> {
    fn read(&self) -> Result<Parsed, String> {
        match self.case() {
            Ok(case) => Ok(too_long(&case).unwrap_or_else(|| Parsed::Case(Box::new(case)))),
            Err(Stop::Refused(refused)) => Ok(*refused),
            Err(Stop::Bad(why)) => Err(why),
        }
    }

    fn case(&self) -> Result<Case, Stop> {
        let stated = ["tool", "command", "argv", "path", "url", "params", "input"];
        if !stated.iter().any(|name| self.member(name).is_some()) {
            let names = stated.join("`, `");
            return Err(Stop::Bad(format!("holds no call: state at least one of `{names}`")));
        }
        let tool = self.string("tool")?.unwrap_or_else(|| b"exec".to_vec());
        let name = String::from_utf8_lossy(&tool).into_owned();
        if let Some(class) = misspelled(&name) {
            let why = format!("`{name}` is not the tool class `{class}`, but may run as it");
            return Err(Stop::Refused(Box::new(ambiguous(why))));
        }
        let cwd = self.string("cwd")?;
        if cwd.as_ref().is_some_and(|cwd| !cwd.starts_with(b"/")) {
            return Err(Stop::Bad("`cwd` must be an absolute path".into()));
        }
        Ok(Case {
            call: self.call(&name)?,
            path: self.one_of(&Aliases::path(&name))?,
            url: self.one_of(&Aliases::url(&name))?,
            agent: self.string("agent")?.unwrap_or_default(),
            session: self.string("session")?.unwrap_or_default(),
            agent_depth: self.depth()?,
            params: self.params()?,
            response: self.string("response")?,
            tool,
            cwd,
        })
    }

    /// A member that is there; null counts as absent.
    fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn string(&self, name: &str) -> Result<Option<Vec<u8>>, Stop> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        match bytes::from_json(value) {
            Some(text) => Ok(Some(text)),
            None => Err(Stop::Bad(format!("`{name}` must be a string"))),
        }
    }

    fn depth(&self) -> Result<u32, Stop> {
        let Some(value) = self.member("agent_depth") else {
            return Ok(0);
        };
        let depth = value.as_u64().and_then(|depth| u32::try_from(depth).ok());
        depth.ok_or_else(|| Stop::Bad("`agent_depth` must be a whole number from 0".into()))
    }

    fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Stop> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(Stop::Bad(format!("`{name}` must be an object"))),
        }
    }

    fn call(&self, tool: &str) -> Result<Call, Stop> {
        let command = self.one_of(&Aliases::command(tool))?;
        let Some(argv) = self.member("argv") else {
            return Ok(command.map_or(Call::Nothing, Call::Shell));
        };
        if command.is_some() {
            let why = "`argv` and a command are both there; state what is executed".to_owned();
            return Err(Stop::Refused(Box::new(ambiguous(why))));
        }
        let words = argv
            .as_array()
            .map(|words| words.iter().map(bytes::from_json).collect::<Option<Vec<_>>>());
        match words.flatten() {
            Some(words) if !words.is_empty() => Ok(Call::Argv(words)),
            _ => Err(Stop::Bad("`argv` must be a list of strings that is not empty".into())),
        }
    }

    /// The value on which every spelling agrees: the shorthand, then `params`, then `input`.
    fn one_of(&self, aliases: &Aliases) -> Result<Option<Vec<u8>>, Stop> {
        let shorthand = self.member(aliases.shorthand);
        let shorthand = shorthand.map(|value| (aliases.shorthand.to_owned(), value));
        let mut spellings: Vec<(String, &Value)> = shorthand.into_iter().collect();
        for object in ["params", "input"] {
            if let Some(members) = self.object(object)? {
                let found = aliases.nested.iter().filter_map(|name| {
                    members.get(*name).map(|value| (format!("{object}.{name}"), value))
                });
                spellings.extend(found);
            }
        }
        let mut agreed: Option<(String, Vec<u8>)> = None;
        for (name, value) in spellings {
            let is_top = !name.contains('.');
            let text = match value {
                Value::String(text) => Some(text.as_bytes().to_vec()),
                _ if is_top => bytes::from_json(value),
                _ => None,
            };
            let why = match (text, &agreed) {
                (None, _) => format!("`{name}` is no string"),
                (Some(text), Some((first, known))) if text != *known => {
                    format!("`{first}` and `{name}` differ; state one")
                }
                (Some(_), Some(_)) => continue,
                (Some(text), None) => {
                    agreed = Some((name, text));
                    continue;
                }
            };
            return Err(Stop::Refused(Box::new(ambiguous(why))));
        }
        Ok(agreed.map(|(_, text)| text))
    }

    fn params(&self) -> Result<Parameters, Stop> {
        let mut all = Vec::new();
        for object in ["params", "input"] {
            for (name, value) in self.object(object)?.into_iter().flatten() {
                let text = match value {
                    Value::String(text) => text.as_bytes().to_vec(),
                    _ => value.to_string().into_bytes(),
                };
                all.push((name.as_bytes().to_vec(), text));
            }
        }
        Ok(all)
    }
}

fn too_long(case: &Case) -> Option<Parsed> {
    let named = [
        ("tool", Some(&case.tool)),
        ("path", case.path.as_ref()),
        ("url", case.url.as_ref()),
        ("agent", Some(&case.agent)),
        ("session", Some(&case.session)),
    ];
    let found = named.iter().find_map(|(name, value)| {
        let length = value.map(Vec::len)?;
        (length > LONGEST_NAME).then_some((name, length))
    });
    found.map(|(name, length)| {
        Parsed::Refused(Refusal {
            reason: "too-long",
            message: format!(
                "the {name} is {length} bytes long; more than {LONGEST_NAME} cannot be judged"
            ),
        })
    })
}

#[cfg(test)]
mod tests;
