//! From a case to the request that the evaluator judges: the file through `PATH`, what is known
//! of it, and the directory, environment and identity that the case does not state.

use crate::cases::{Call, Case};
use crate::launch::environment::Environment;
use crate::launch::program::{self, Facts};
use evaluator::{Caller, Cwd, Env, Params, Request, Target};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

/// What every case of this process shares.
pub struct Surroundings {
    /// The environment of what would be run.
    pub environment: Environment,
    /// The working directory, if it still exists.
    pub cwd: Option<Vec<u8>>,
    /// The same by name, because understanding a command asks often.
    variables: HashMap<Vec<u8>, Vec<u8>>,
    /// Programs that were looked for: the answers to a batch of cases that comes at once.
    found: RefCell<HashMap<Sought, Program>>,
}

/// A working directory and a name.
type Sought = (Vec<u8>, Vec<u8>);

/// How many programs are kept, so that a long input cannot fill the memory.
const KEPT: usize = 1024;

/// The file that a name means, and what is known of it if there is one.
#[derive(Clone)]
struct Program {
    file: Rc<[u8]>,
    facts: Option<Rc<Facts>>,
}

impl Surroundings {
    /// Those of this process.
    pub fn own() -> Self {
        Self::with(Environment::own())
    }

    /// A place that is the same on every machine: an environment with nothing but what a user
    /// `name` surely has, in a directory that need not exist.
    pub fn fixed(name: &str, home: &str, cwd: &str) -> Self {
        let mut environment = Environment::default();
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        for (name, value) in [("HOME", home), ("USER", name), ("PATH", path)] {
            environment.set(name, OsStr::new(value));
        }
        let mut surroundings = Self::with(environment);
        surroundings.cwd = Some(cwd.as_bytes().to_vec());
        surroundings
    }

    /// Those of this process, with another environment.
    pub fn with(environment: Environment) -> Self {
        let cwd = std::env::current_dir().ok();
        let mut variables = HashMap::new();
        for entry in environment.entries() {
            let mut parts = entry.splitn(2, |byte| *byte == b'=');
            if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                variables.entry(name.to_vec()).or_insert_with(|| value.to_vec());
            }
        }
        Self {
            variables,
            environment,
            cwd: cwd.map(|path| path.into_os_string().into_encoded_bytes()),
            found: RefCell::default(),
        }
    }

    /// Forgets which files were found: time has passed.
    pub fn forget(&self) {
        self.found.borrow_mut().clear();
    }

    fn named(&self, name: &str) -> &[u8] {
        self.environment.value(name).map_or(&[], OsStr::as_bytes)
    }

    /// Builds the request for `case` and gives it to `judge`, whose answer is returned. What the
    /// case does not state is taken from here: the directory, `RAMPART_AGENT`,
    /// `RAMPART_SESSION` and `RAMPART_AGENT_DEPTH`.
    pub fn ask<R>(&self, case: &Case, judge: impl FnOnce(&Request<'_>) -> R) -> R {
        let cwd = case.cwd.as_ref().or(self.cwd.as_ref());
        let words: Vec<&[u8]> = match &case.call {
            Call::Argv(argv) => argv.iter().map(Vec::as_slice).collect(),
            Call::Shell(_) | Call::Nothing => Vec::new(),
        };
        let words = words.as_slice();
        let Program { file, facts } = self.program(cwd, words.first().copied());
        let or = |stated: &'_ [u8], name| {
            if stated.is_empty() { self.named(name).to_vec() } else { stated.to_vec() }
        };
        let (agent, session) =
            (or(&case.agent, "RAMPART_AGENT"), or(&case.session, "RAMPART_SESSION"));
        let depth = match case.agent_depth {
            0 => self.depth(),
            stated => stated,
        };
        let params = Named(&case.params);
        judge(&Request {
            tool: &case.tool,
            call: match &case.call {
                Call::Nothing => evaluator::Call::Nothing,
                Call::Shell(text) => evaluator::Call::Shell(text),
                Call::Argv(_) => evaluator::Call::Exec { file: &file, argv: &words },
            },
            cwd: cwd.map_or(Cwd::Unknown, |cwd| Cwd::Known(cwd)),
            env: &Variables(&self.variables),
            target: facts.as_ref().map_or(Target::default(), |facts| facts.target()),
            caller: Caller { agent: &agent, session: &session, agent_depth: depth },
            path: case.path.as_deref(),
            url: case.url.as_deref(),
            params: &params,
        })
    }

    fn depth(&self) -> u32 {
        let stated = std::str::from_utf8(self.named("RAMPART_AGENT_DEPTH")).ok();
        stated.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The file for the first word, and what is known of it; the word itself if there is none.
    fn program(&self, cwd: Option<&Vec<u8>>, name: Option<&[u8]>) -> Program {
        let name = name.unwrap_or_default();
        let cwd = cwd.map_or(&b"/"[..], Vec::as_slice);
        let key = (cwd.to_vec(), name.to_vec());
        if let Some(known) = self.found.borrow().get(&key) {
            return known.clone();
        }
        let program = self.look_for(Path::new(OsStr::from_bytes(cwd)), OsStr::from_bytes(name));
        let mut found = self.found.borrow_mut();
        if found.len() >= KEPT {
            found.clear();
        }
        found.insert(key, program.clone());
        program
    }

    fn look_for(&self, cwd: &Path, name: &OsStr) -> Program {
        match program::find(cwd, name, self.environment.value("PATH")) {
            Ok(file) => Program {
                facts: Some(Rc::new(Facts::of(&cwd.join(&file)))),
                file: file.as_os_str().as_bytes().into(),
            },
            Err(_) => Program { facts: None, file: name.as_bytes().into() },
        }
    }
}

/// An environment by name.
struct Variables<'a>(&'a HashMap<Vec<u8>, Vec<u8>>);

impl Env for Variables<'_> {
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// Parameters in a list.
pub struct Named<'a>(pub &'a [(Vec<u8>, Vec<u8>)]);

impl Params for Named<'_> {
    fn any(&self, each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> bool {
        self.0.iter().any(|(name, value)| each(name, value))
    }
}
