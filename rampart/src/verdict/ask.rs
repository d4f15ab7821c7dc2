//! From a case to the request that the evaluator judges: the file through `PATH`, what is known
//! of it, and the directory, environment and identity that the case does not state.

use crate::cases::{Call, Case};
use crate::launch::environment::Environment;
use crate::launch::program::{self, Facts};
use evaluator::{Caller, Cwd, Params, Request, Target};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What every case of this process shares.
pub struct Surroundings {
    /// The environment of what would be run.
    pub environment: Environment,
    /// The working directory, if it still exists.
    pub cwd: Option<Vec<u8>>,
}

impl Surroundings {
    /// Those of this process.
    pub fn own() -> Self {
        let cwd = std::env::current_dir().ok();
        Self {
            environment: Environment::own(),
            cwd: cwd.map(|path| path.into_os_string().into_encoded_bytes()),
        }
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
        let (file, facts) = self.program(cwd, words.first().copied());
        let or = |stated: &'_ [u8], name| {
            if stated.is_empty() {
                self.named(name).to_vec()
            } else {
                stated.to_vec()
            }
        };
        let (agent, session) = (
            or(&case.agent, "RAMPART_AGENT"),
            or(&case.session, "RAMPART_SESSION"),
        );
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
                Call::Argv(_) => evaluator::Call::Exec {
                    file: &file,
                    argv: &words,
                },
            },
            cwd: cwd.map_or(Cwd::Unknown, |cwd| Cwd::Known(cwd)),
            env: &self.environment,
            target: facts.as_ref().map_or(Target::default(), Facts::target),
            caller: Caller {
                agent: &agent,
                session: &session,
                agent_depth: depth,
            },
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
    fn program(&self, cwd: Option<&Vec<u8>>, name: Option<&[u8]>) -> (Vec<u8>, Option<Facts>) {
        let Some(name) = name else {
            return (Vec::new(), None);
        };
        let cwd = Path::new(OsStr::from_bytes(cwd.map_or(b"/", Vec::as_slice)));
        let path = self.environment.value("PATH");
        match program::find(cwd, OsStr::from_bytes(name), path) {
            Ok(file) => {
                let facts = Facts::of(&cwd.join(&file));
                (file.into_os_string().into_encoded_bytes(), Some(facts))
            }
            Err(_) => (name.to_vec(), None),
        }
    }
}

/// Parameters in a list.
struct Named<'a>(&'a [(Vec<u8>, Vec<u8>)]);

impl Params for Named<'_> {
    fn any(&self, each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> bool {
        self.0.iter().any(|(name, value)| each(name, value))
    }
}
