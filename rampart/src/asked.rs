//! A call that somebody wants judged, with everything that it takes: as the helper found it, as it
//! came over the socket, or as the kernel shows a process that has just started.

mod working_directory;

use crate::cases::Parameters;
use crate::channel::Fields;
use crate::launch::environment::Environment;
use crate::launch::program::Facts;
use crate::process::Process;
use crate::verdict::ask::Named;
use evaluator::wire::{Body, Tag};
use evaluator::{Call, Caller, Request, Target};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use working_directory::WorkingDirectory;

/// The call.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Tool class.
    pub tool: Vec<u8>,
    /// The file to be executed, maybe relative to `cwd`.
    pub file: Vec<u8>,
    /// Its arguments, `argv[0]` included.
    pub argv: Vec<Vec<u8>>,
    /// Text for a shell, in place of file and arguments.
    pub shell: Option<Vec<u8>>,
    /// The function by which a running program does it itself; `file` is the program then.
    pub hook: Option<Vec<u8>>,
    /// The file of that program, as the kernel knows it.
    pub program: Option<Vec<u8>>,
    /// Where, if known.
    pub cwd: WorkingDirectory,
    /// The environment of the program.
    pub environment: Environment,
    /// The file that a tool would touch, if it starts no program.
    pub path: Option<Vec<u8>>,
    /// The address that a tool would open.
    pub url: Option<Vec<u8>>,
    /// The tool's parameters.
    pub params: Parameters,
}

impl Asked {
    /// The call that a packet holds.
    pub fn read(body: Body<'_>) -> Self {
        let owned = |tag| body.one(tag).map(<[u8]>::to_vec);
        let mut environment: Vec<Vec<u8>> = body.all(Tag::Variable).map(<[u8]>::to_vec).collect();
        for (tag, name) in NAMED {
            if let Some(value) = body.one(tag) {
                environment.push([name.as_bytes(), b"=", value].concat());
            }
        }
        Self {
            tool: owned(Tag::Tool).unwrap_or_else(|| b"exec".to_vec()),
            file: owned(Tag::File).unwrap_or_default(),
            argv: body.all(Tag::Argument).map(<[u8]>::to_vec).collect(),
            shell: owned(Tag::Shell),
            hook: owned(Tag::Hook),
            program: None,
            cwd: owned(Tag::Directory).filter(|path| path.starts_with(b"/")).into(),
            environment: Environment::of_entries(environment),
            path: owned(Tag::Path),
            url: owned(Tag::Url),
            params: body.all(Tag::Parameter).filter_map(parameter).collect(),
        }
    }

    /// The program that `process` is, as the kernel shows it; `None` if it may not be looked at.
    pub fn of_process(process: Process) -> Option<Self> {
        let line = process.read("cmdline")?;
        let line = line.strip_suffix(b"\0").unwrap_or(&line);
        let environment = Environment::of_block(&process.read("environ")?);
        let asked = Self {
            tool: b"exec".to_vec(),
            file: process.link("exe")?,
            argv: line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
            shell: None,
            cwd: process.link("cwd").filter(|path| path.starts_with(b"/")).into(),
            environment: Environment::of_entries(environment),
            ..Self::default()
        };
        process.is_alive().then_some(asked)
    }

    /// The call as fields of a packet.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::default().with(Tag::Tool, &self.tool);
        match &self.shell {
            Some(text) => fields.add(Tag::Shell, text),
            None if self.is_no_program() && self.hook.is_none() => {}
            None => fields.add(Tag::File, &self.file),
        }
        if let Some(hook) = &self.hook {
            fields.add(Tag::Hook, hook);
        }
        for (tag, value) in [(Tag::Path, &self.path), (Tag::Url, &self.url)] {
            if let Some(value) = value {
                fields.add(tag, value);
            }
        }
        for (name, value) in &self.params {
            fields.add(Tag::Parameter, &[name, &b"="[..], value].concat());
        }
        for argument in &self.argv {
            fields.add(Tag::Argument, argument);
        }
        if let Some(cwd) = self.cwd.get() {
            fields.add(Tag::Directory, cwd);
        }
        for entry in self.environment.entries() {
            fields.add(Tag::Variable, entry);
        }
        fields
    }

    /// The file, absolute where the directory is known.
    pub fn path(&self) -> PathBuf {
        if let Some(program) = &self.program {
            return PathBuf::from(OsStr::from_bytes(program));
        }
        let file = Path::new(OsStr::from_bytes(&self.file));
        if file.is_absolute() {
            return file.to_owned();
        }
        let cwd = self.cwd.get().map_or(Path::new("/"), |cwd| Path::new(OsStr::from_bytes(cwd)));
        cwd.join(file)
    }

    /// What the file is.
    pub fn facts(&self) -> Facts {
        Facts::of(&self.path())
    }

    /// Gives the request to `judge`, whose answer is returned. A directory that is still to be looked up is left to the
    /// world, which has to know it.
    pub fn with_request<R>(&self, facts: &Facts, judge: impl FnOnce(&Request<'_>) -> R) -> R {
        let argv: Vec<&[u8]> = self.argv.iter().map(Vec::as_slice).collect();
        let argv = argv.as_slice();
        let named = |name| self.environment.value(name).map_or(&b""[..], OsStr::as_bytes);
        let depth = std::str::from_utf8(named("RAMPART_AGENT_DEPTH")).ok();
        judge(&Request {
            tool: &self.tool,
            call: match &self.shell {
                Some(text) => Call::Shell(text),
                // Whoever reads of it hears the function from the process itself.
                None if self.hook.is_some() => {
                    Call::Operation { hook: "operation", program: &self.file }
                }
                None if self.is_no_program() => Call::Nothing,
                None => Call::Exec { file: &self.file, argv: &argv },
            },
            cwd: self.cwd.on_demand(),
            env: &self.environment,
            target: if self.shell.is_some() { Target::default() } else { facts.target() },
            caller: Caller {
                agent: named("RAMPART_AGENT"),
                session: named("RAMPART_SESSION"),
                agent_depth: depth.and_then(|text| text.parse().ok()).unwrap_or(0),
            },
            path: self.path.as_deref(),
            url: self.url.as_deref(),
            params: &Named(&self.params),
        })
    }

    /// Whether nothing is started.
    pub const fn is_no_program(&self) -> bool {
        let is_nothing = self.file.is_empty() && self.argv.is_empty();
        self.hook.is_some() || (self.shell.is_none() && is_nothing)
    }

    /// What an approval is bound to, as one digest: which file with which content, the arguments,
    /// the directory, the user and the policy.
    pub fn key(&self, uid: u32, policy: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(&self.tool);
        let path = self.path();
        let path = fs::canonicalize(&path).unwrap_or(path);
        add(path.as_os_str().as_bytes());
        if let Ok(found) = fs::metadata(&path) {
            let (seconds, nanos) = (found.mtime(), found.mtime_nsec());
            for number in [found.dev(), found.ino(), found.size()] {
                add(&number.to_le_bytes());
            }
            add(&seconds.to_le_bytes());
            add(&nanos.to_le_bytes());
        }
        add(self.shell.as_deref().unwrap_or_default());
        add(&(self.argv.len() as u64).to_le_bytes());
        for argument in &self.argv {
            add(argument);
        }
        add(self.cwd.get().unwrap_or_default());
        for part in [&self.path, &self.url].into_iter().flatten() {
            add(part);
        }
        for (name, value) in &self.params {
            add(name);
            add(value);
        }
        add(&uid.to_le_bytes());
        add(policy);
        digest.finalize().into()
    }

    /// The command line for people, everything escaped and credentials masked.
    pub fn shown(&self) -> String {
        /// More than this of a command is not shown in a list, in bytes.
        const LONG: usize = 4096;
        let text = self.masked();
        match text.char_indices().find(|(at, _)| *at >= LONG) {
            Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
            None => text,
        }
    }

    /// The same whole, however long it is.
    pub fn masked(&self) -> String {
        let line = match &self.shell {
            Some(text) => crate::bytes::visible(text),
            None if self.is_no_program() => self.tool_shown(),
            None => crate::bytes::command_line(self.argv.iter().map(Vec::as_slice)),
        };
        let mut masked = Vec::new();
        evaluator::redact::masked(line.as_bytes(), &mut |piece| masked.extend_from_slice(piece));
        String::from_utf8_lossy(&masked).into_owned()
    }
}

impl Asked {
    /// The call as text that a shell reads: the program by the file that is executed.
    pub fn as_shell(&self) -> Vec<u8> {
        match &self.shell {
            Some(text) => text.clone(),
            None if self.is_no_program() => Vec::new(),
            None => {
                let file = Some(&self.file).filter(|file| file.contains(&b'/'));
                let program = file.or(self.argv.first()).into_iter();
                crate::bytes::shell_line(program.chain(self.argv.iter().skip(1)).map(Vec::as_slice))
            }
        }
    }

    /// The tool and what it would touch; what that does not tell is told by its parameters.
    fn tool_shown(&self) -> String {
        let named = [Some(&self.tool), self.path.as_ref(), self.url.as_ref()];
        let mut words: Vec<String> =
            named.into_iter().flatten().map(|word| crate::bytes::visible(word)).collect();
        if words.len() == 1 {
            let shown = |(name, value): &(Vec<u8>, Vec<u8>)| {
                format!("{}={}", crate::bytes::visible(name), crate::bytes::visible(value))
            };
            words.extend(self.params.iter().map(shown));
        }
        if let Some(hook) = &self.hook {
            let [hook, program] = [hook, &self.file].map(|word| crate::bytes::visible(word));
            words.push(format!("({hook} in {program})"));
        }
        words.join(" ")
    }
}

/// A parameter as a packet has it: `name=value`.
fn parameter(field: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = field.iter().position(|byte| *byte == b'=')?;
    Some((field.get(..at)?.to_vec(), field.get(at + 1..)?.to_vec()))
}

/// Fields that stand for variables: a caller that states them need not send an environment.
const NAMED: [(Tag, &str); 3] =
    [(Tag::Agent, "RAMPART_AGENT"), (Tag::Session, "RAMPART_SESSION"), (Tag::Tree, "RAMPART_TREE")];

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(argv: &[&str]) -> Asked {
        Asked {
            tool: b"exec".to_vec(),
            file: b"/bin/sh".to_vec(),
            argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
            cwd: Some(b"/tmp".to_vec()).into(),
            ..Asked::default()
        }
    }

    #[test]
    fn what_is_sent_is_read() {
        let mut sent = asked(&["sh", "", "-c", "a b"]);
        sent.environment = Environment::of_entries(vec![b"A=1".to_vec(), b"B".to_vec()]);
        let packet = crate::channel::body_of(&sent.fields());
        let read = Asked::read(Body::read(&packet).unwrap());
        assert_eq!(format!("{read:?}"), format!("{sent:?}"));
    }

    #[test]
    fn an_approval_is_bound_to_everything_that_matters() {
        let base = asked(&["sh", "a", "b"]);
        let key = |asked: &Asked| asked.key(1, b"p");
        let elsewhere = Asked { cwd: Some(b"/".to_vec()).into(), ..base.clone() };
        let other_file = Asked { file: b"/bin/cat".to_vec(), ..base.clone() };
        let shell = Asked { shell: Some(b"x".to_vec()), ..base.clone() };
        assert_eq!(key(&base), key(&base.clone()));
        for other in
            [asked(&["sh", "ab"]), asked(&["sh", "a", "b", ""]), elsewhere, other_file, shell]
        {
            assert_ne!(key(&base), key(&other), "{other:?}");
        }
        assert_ne!(base.key(1, b"p"), base.key(2, b"p"));
        assert_ne!(base.key(1, b"p"), base.key(1, b"q"));
    }

    #[test]
    fn this_process_is_seen_as_it_is() {
        let own = Process::of(std::process::id()).unwrap();
        let seen = Asked::of_process(own).unwrap();
        let argv: Vec<_> = std::env::args_os().map(|word| word.into_encoded_bytes()).collect();
        assert_eq!(seen.argv, argv);
        assert_eq!(
            seen.cwd.get().unwrap(),
            std::env::current_dir().unwrap().into_os_string().into_encoded_bytes()
        );
    }

    #[test]
    fn what_is_shown_is_masked_and_escaped() {
        let line = asked(&["curl", "--token", "hunter2", "\x1b[31m"]).shown();
        assert_eq!(line, r"curl --token [masked] '\x1b[31m'");
    }
}
