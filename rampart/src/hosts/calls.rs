//! What a tool call means: the commands, files and addresses in it, each as a case to be judged.
//!
//! One call may touch several files or hold several commands; the strictest answer is the call's.
//! Where its input can be read in two ways, it is refused.

use super::payload::Payload;
use super::tools::Does;
use super::{Host, mcp, patch, tools};
use crate::cases::{Call, Case, LONGEST_NAME, Parameters};
use serde_json::{Map, Value};

/// Why a call is denied before any rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

const COMMAND: &[&str] = &["command", "cmd", "script", "chars"];
const CODE: &[&str] = &["code", "command", "script"];
const DIRECTORY: &[&str] = &["workdir", "cwd", "working_directory", "directory", "dir_path"];
/// Names of the file that a tool touches.
pub const PATH: &[&str] = &[
    "file_path",
    "filePath",
    "path",
    "file",
    "filepath",
    "target_file",
    "target",
    "notebook_path",
    "target_notebook",
    "absolute_path",
    "directory",
    "dir_path",
    "relative_workspace_path",
    "filename",
];
/// Names whose value is a list of files.
const PATHS: &[&str] = &["paths", "file_paths", "filePaths", "files", "include"];
/// Names of the two ends of a move or a copy.
const ENDS: &[&str] = &["source", "destination", "src", "dst"];
const URL: &[&str] = &["url", "uri", "href", "link"];

/// The cases of a call, at least one.
///
/// # Errors
/// If the tool is not known, or its input cannot be read, or in two ways.
pub fn cases(host: Host, payload: &Payload) -> Result<Vec<Case>, Refused> {
    let tool = &payload.tool;
    let does = payload.does.or_else(|| tools::does(host, tool)).ok_or_else(|| {
        Refused(format!(
            "unknown tool: nobody has told Rampart what `{}` of {} does, so it is not let go",
            crate::bytes::visible(tool.as_bytes()),
            host.name()
        ))
    })?;
    let reader = Reader { payload, does };
    let mut all = match does {
        Does::Exec => reader.commands()?,
        Does::Code(program) => vec![reader.code(program)?],
        Does::Read => reader.files()?,
        Does::Write => reader.files()?,
        Does::Patch => reader.patched()?,
        Does::Fetch => reader.addresses()?,
        Does::Other(_) => vec![reader.case()],
        Does::Mcp(class) => reader.mcp(class)?,
    };
    // Codex takes a patch out of a command and applies it itself.
    if host == Host::Codex && does == Does::Exec {
        all.extend(reader.patch_in_command()?);
    }
    match all.iter().find_map(wrong) {
        Some(why) => Err(Refused(why)),
        None => Ok(all),
    }
}

/// What can not be judged about a case whatever the rules are.
fn wrong(case: &Case) -> Option<String> {
    let named = [("path", &case.path), ("address", &case.url)];
    for (name, value) in named {
        let length = value.as_ref().map_or(0, Vec::len);
        if length > LONGEST_NAME {
            return Some(format!(
                "the {name} is {length} bytes long; more than {LONGEST_NAME} cannot be judged"
            ));
        }
    }
    let has_nul = |text: &Vec<u8>| text.contains(&0);
    let call = match &case.call {
        Call::Shell(text) => has_nul(text),
        Call::Argv(words) => words.iter().any(has_nul),
        Call::Nothing => false,
    };
    let is_nul =
        call || case.path.as_ref().is_some_and(has_nul) || case.url.as_ref().is_some_and(has_nul);
    is_nul.then(|| ambiguous("there is a NUL byte in it, where others may stop reading").0)
}

fn ambiguous(why: &str) -> Refused {
    Refused(format!("ambiguous input: {why}"))
}

struct Reader<'p> {
    payload: &'p Payload,
    does: Does,
}

impl Reader<'_> {
    fn input(&self) -> &Map<String, Value> {
        &self.payload.input
    }

    /// A case of the tool's class that does nothing yet.
    fn case(&self) -> Case {
        Case {
            tool: self.does.class().as_bytes().to_vec(),
            cwd: self.payload.cwd.as_ref().map(|cwd| cwd.as_bytes().to_vec()),
            session: self.payload.session.as_bytes().to_vec(),
            params: parameters(self.input()),
            ..Case::default()
        }
    }

    /// The text on which all names that are there agree.
    fn text(&self, names: &[&str]) -> Result<Option<String>, Refused> {
        let mut found: Option<(&str, &str)> = None;
        for name in names {
            match (self.input().get(*name), found) {
                (None | Some(Value::Null), _) => {}
                (Some(Value::String(text)), None) => found = Some((name, text)),
                (Some(Value::String(text)), Some((first, known))) if text != known => {
                    return Err(ambiguous(&format!("`{first}` and `{name}` differ")));
                }
                (Some(Value::String(_)), Some(_)) => {}
                (Some(_), _) => return Err(ambiguous(&format!("`{name}` is no string"))),
            }
        }
        Ok(found.map(|(_, text)| text.to_owned()))
    }

    fn commands(&self) -> Result<Vec<Case>, Refused> {
        let mut case = self.case();
        if let Some(directory) = self.text(DIRECTORY)? {
            case.cwd = joined(case.cwd, &directory);
        }
        let of = |call| Case { call, ..case.clone() };
        if let Some(words) = self.input().get("command").and_then(Value::as_array) {
            return Ok(vec![of(Call::Argv(strings(words, "command")?))]);
        }
        let list = self.input().get("commands").and_then(Value::as_array);
        let mut all: Vec<Case> = match list {
            Some(list) => {
                strings(list, "commands")?.into_iter().map(|text| of(Call::Shell(text))).collect()
            }
            None => Vec::new(),
        };
        let names: &[&str] =
            if self.payload.tool.contains("rite") { &["chars", "input"] } else { COMMAND };
        if let Some(text) = self.text(names)? {
            all.push(of(Call::Shell(text.into_bytes())));
        }
        // A watcher on an address in place of a command.
        if all.is_empty() && self.input().keys().any(|name| URL.contains(&name.as_str())) {
            return self.addresses();
        }
        match all.is_empty() {
            true => Err(ambiguous("there is no command in it")),
            false => Ok(all),
        }
    }

    fn code(&self, program: &[&str]) -> Result<Case, Refused> {
        let code = self.text(CODE)?.ok_or_else(|| ambiguous("there is no code in it"))?;
        let mut argv: Vec<Vec<u8>> = program.iter().map(|word| word.as_bytes().to_vec()).collect();
        argv.push(code.into_bytes());
        Ok(Case { call: Call::Argv(argv), ..self.case() })
    }

    fn of_paths(&self, paths: Vec<String>) -> Result<Vec<Case>, Refused> {
        if paths.len() > patch::MOST {
            let (count, most) = (paths.len(), patch::MOST);
            return Err(Refused(format!(
                "it touches {count} files; more than {most} are not judged at once"
            )));
        }
        let of = |path: String| Case { path: Some(plain(path).into_bytes()), ..self.case() };
        Ok(paths.into_iter().map(of).collect())
    }

    fn files(&self) -> Result<Vec<Case>, Refused> {
        let mut paths: Vec<String> = self.text(PATH)?.into_iter().collect();
        for name in PATHS {
            match self.input().get(*name) {
                None | Some(Value::Null) => {}
                Some(Value::String(path)) => paths.push(path.clone()),
                Some(Value::Array(list)) => {
                    for item in list {
                        paths.push(path_in(item).ok_or_else(|| {
                            ambiguous(&format!("`{name}` holds something that is no path"))
                        })?);
                    }
                }
                Some(_) => return Err(ambiguous(&format!("`{name}` is no list"))),
            }
        }
        // What a pattern finds lies where the pattern says.
        if self.does == Does::Read
            && let Some(Value::String(pattern)) = self.input().get("pattern")
            && (pattern.starts_with('/') || pattern.starts_with("~/"))
        {
            paths.push(pattern.clone());
        }
        match paths.is_empty() {
            // Files that are looked for without a place are looked for here.
            true if self.does == Does::Read => Ok(vec![self.case()]),
            true if self.input().is_empty() || self.payload.tool.ends_with("Worktree") => {
                Ok(vec![self.case()])
            }
            true => Err(ambiguous("there is no path in it")),
            false => self.of_paths(paths),
        }
    }

    fn patched(&self) -> Result<Vec<Case>, Refused> {
        let text = self.patch_text().ok_or_else(|| ambiguous("there is no patch in it"))?;
        self.of_paths(patch::files(&text).map_err(|why| ambiguous(&why))?)
    }

    /// The one text in the input that is a patch.
    fn patch_text(&self) -> Option<String> {
        let mut found = Vec::new();
        for value in self.input().values() {
            each_string(value, &mut |text| {
                if patch::is_in(text) {
                    found.push(text.to_owned());
                }
            });
        }
        (!found.is_empty()).then(|| found.join("\n"))
    }

    fn patch_in_command(&self) -> Result<Vec<Case>, Refused> {
        match self.patch_text() {
            Some(text) => Reader { payload: self.payload, does: Does::Patch }
                .of_paths(patch::files(&text).map_err(|why| ambiguous(&why))?),
            None => Ok(Vec::new()),
        }
    }

    fn addresses(&self) -> Result<Vec<Case>, Refused> {
        let mut urls: Vec<String> = self.text(URL)?.into_iter().collect();
        if let Some(Value::Array(list)) = self.input().get("urls") {
            let more = strings(list, "urls")?.into_iter();
            urls.extend(more.map(|url| String::from_utf8_lossy(&url).into_owned()));
        }
        // Gemini is told the addresses in words.
        if let Some(Value::String(prompt)) = self.input().get("prompt") {
            urls.extend(addresses_in(prompt));
        }
        let case = Reader { payload: self.payload, does: Does::Fetch }.case();
        let of = |url: String| Case { url: Some(url.into_bytes()), ..case.clone() };
        match urls.is_empty() {
            true => Ok(vec![case.clone()]),
            false => Ok(urls.into_iter().map(of).collect()),
        }
    }

    /// A tool of another server: its class, and what stands under the usual names; one case for each
    /// file that it names.
    fn mcp(&self, class: &'static str) -> Result<Vec<Case>, Refused> {
        let mut case = self.case();
        let mut class = class;
        if let Some(Value::Object(inner)) = self.input().get("arguments") {
            let name = self.text(&["tool_name", "toolName"])?.unwrap_or_default();
            class = mcp::class(&name);
            case.params.extend(parameters(inner));
            let payload = Payload { input: inner.clone(), ..self.payload.clone() };
            return Reader { payload: &payload, does: Does::Mcp(class) }.mcp(class);
        }
        case.tool = class.as_bytes().to_vec();
        if let Some(text) =
            self.text(if class == "exec" { &["command", "cmd", "input"] } else { &["command"] })?
        {
            case.call = Call::Shell(text.into_bytes());
        }
        case.url = self.text(&["url", "uri", "href"])?.map(String::into_bytes);
        let mut paths: Vec<String> =
            self.text(&["file_path", "path", "filepath", "target"])?.into_iter().collect();
        for name in ENDS {
            paths.extend(self.text(&[name])?);
        }
        for name in PATHS {
            if let Some(Value::Array(list)) = self.input().get(*name) {
                paths.extend(list.iter().filter_map(path_in));
            }
        }
        if paths.len() > patch::MOST {
            let (count, most) = (paths.len(), patch::MOST);
            return Err(Refused(format!(
                "it touches {count} files; more than {most} are not judged at once"
            )));
        }
        if paths.is_empty() {
            return Ok(vec![case]);
        }
        let of = |path: String| Case { path: Some(plain(path).into_bytes()), ..case.clone() };
        Ok(paths.into_iter().map(of).collect())
    }
}

/// Top-level members as rules see them by name.
pub fn parameters(input: &Map<String, Value>) -> Parameters {
    let text = |value: &Value| match value {
        Value::String(text) => text.as_bytes().to_vec(),
        value => value.to_string().into_bytes(),
    };
    input.iter().map(|(name, value)| (name.as_bytes().to_vec(), text(value))).collect()
}

fn strings(list: &[Value], name: &str) -> Result<Vec<Vec<u8>>, Refused> {
    let all: Option<Vec<Vec<u8>>> =
        list.iter().map(|item| item.as_str().map(|text| text.as_bytes().to_vec())).collect();
    match all {
        Some(all) if !all.is_empty() => Ok(all),
        _ => Err(ambiguous(&format!("`{name}` is no list of strings"))),
    }
}

/// The path in an item of a list: itself, or one of its members.
fn path_in(item: &Value) -> Option<String> {
    match item {
        Value::String(path) => Some(path.clone()),
        Value::Object(of) => {
            let found =
                ["path", "file_path", "filePath", "file"].iter().find_map(|name| of.get(*name));
            found.and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    }
}

/// `file:///x` is `/x`; so is `@/x`, which some hosts write.
fn plain(path: String) -> String {
    match path
        .strip_prefix("file://")
        .or_else(|| path.strip_prefix('@').filter(|rest| rest.starts_with(['/', '~'])))
    {
        Some(rest) if rest.starts_with(['/', '~']) => rest.to_owned(),
        _ => path,
    }
}

fn joined(cwd: Option<Vec<u8>>, directory: &str) -> Option<Vec<u8>> {
    match (directory.starts_with('/'), cwd) {
        (true, _) => Some(directory.as_bytes().to_vec()),
        (false, Some(cwd)) => Some([cwd.as_slice(), b"/", directory.as_bytes()].concat()),
        (false, None) => None,
    }
}

fn addresses_in(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for scheme in ["http://", "https://", "file://"] {
        for (at, _) in text.match_indices(scheme) {
            let rest = text.get(at..).unwrap_or_default();
            let end = rest.find(|c: char| c.is_whitespace() || "\"'<>`".contains(c));
            all.push(rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest).to_owned());
        }
    }
    all
}

/// Calls `each` with every string in `value`.
pub fn each_string(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| each_string(item, each)),
        Value::Object(members) => members.values().for_each(|item| each_string(item, each)),
        _ => {}
    }
}
