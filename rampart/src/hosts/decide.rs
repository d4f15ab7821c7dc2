//! What is decided about a tool call before it is made, and recorded.
//!
//! No daemon is needed: the verdict is made here, by the policy in force. Only a question that the
//! host cannot put to its user goes to the evaluator, if one is up.

use super::answer::Answer;
use super::payload::Payload;
use super::{Host, calls, scripts};
use crate::answer::with_reason;
use crate::asked::{Asked, WorkingDirectory};
use crate::audit::record::{self, Told};
use crate::bytes::visible;
use crate::cases::{Call, Case};
use crate::consent;
use crate::directories::{self, Directories};
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::policy::Layers;
use crate::serve::listen;
use crate::serve::taints::Keeper;
use crate::serve::weigh::rule;
use crate::verdict::ask::Surroundings;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use evaluator::command::Tree;
use evaluator::event::Outcome;
use evaluator::settle::{Settled, settle};
use evaluator::{Action, Reason, Request, Verdict};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The entrance in events, before and after the call.
pub const BEFORE: &str = "hook";
/// See [`BEFORE`].
pub const AFTER: &str = "hook-output";

/// What becomes of verdicts, as `RAMPART_MODE` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// What the policy denies is not done.
    Enforce,
    /// Everything is done; what would have been stopped is recorded.
    Monitor,
    /// Nothing is judged.
    Disabled,
}

impl Mode {
    /// What the environment says.
    pub fn of(environment: &Environment) -> Self {
        match environment.value("RAMPART_MODE").and_then(OsStr::to_str) {
            Some("monitor") => Self::Monitor,
            Some("disabled") => Self::Disabled,
            _ => Self::Enforce,
        }
    }
}

/// Everything that a tool call is judged with.
pub struct Desk<'p> {
    /// Whose call it is.
    pub host: Host,
    /// What becomes of verdicts.
    pub mode: Mode,
    /// The policy.
    pub judge: Judge<'p>,
    /// The environment and directory of the hook.
    pub surroundings: Surroundings,
    /// The file system.
    pub files: FileSystem,
    /// Whether something was stopped or asked, or would have been.
    pub is_notable: bool,
    layers: &'p Layers,
    /// The environment, with a place for the record.
    environment: Environment,
}

impl<'p> Desk<'p> {
    /// # Errors
    /// If a layer of the policy is not intact.
    pub fn new(host: Host, layers: &'p Layers, environment: Environment) -> Result<Self, Failure> {
        let mode = Mode::of(&environment);
        let mut environment = environment;
        let is_stated = environment.value("RAMPART_AUDIT_DIR").is_some_and(|path| !path.is_empty());
        if !is_stated && let Some(directory) = place_for_records() {
            environment.set("RAMPART_AUDIT_DIR", directory.as_os_str());
        }
        let surroundings = Surroundings::with(environment.clone());
        let judge = Judge::new(layers)?;
        let files = FileSystem::of(&environment);
        let is_notable = false;
        Ok(Self { host, mode, judge, surroundings, files, is_notable, layers, environment })
    }

    /// The environment, with a place for the record.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Outside of a guarded tree the host's session stands for one.
    fn in_session(&mut self, payload: &Payload) {
        let is_in_tree = self.environment.value("RAMPART_TREE").is_some_and(|it| !it.is_empty());
        if let (false, false, Some(socket)) =
            (is_in_tree, payload.session.is_empty(), socket(&self.environment))
        {
            let tree = format!("session {}", payload.session).into_bytes();
            let files = std::mem::take(&mut self.files);
            self.files = files.in_tree(Keeper::At(socket), tree);
        }
    }

    /// Decides about a call that is about to be made.
    pub fn before(&mut self, payload: &Payload) -> Answer {
        self.in_session(payload);
        let cases = match calls::cases(self.host, payload) {
            Ok(cases) => self.named(cases),
            Err(refused) => return self.refuse(payload, "input", &refused.0),
        };
        let worst = self.worst(&cases);
        let mut answer = Answer::Nothing;
        if let Some(case) = cases.get(worst) {
            answer = self.decided(case, payload);
        }
        let is_stopped = matches!(answer, Answer::Deny(_));
        for (_, case) in cases.iter().enumerate().filter(|(at, _)| *at != worst) {
            self.record(case, payload, if is_stopped { Outcome::Denied } else { Outcome::Allowed });
        }
        if !is_stopped {
            self.written(payload, true);
        }
        answer
    }

    /// Whether somebody would be asked about this call, and so waited for.
    pub fn would_wait(&mut self, payload: &Payload) -> bool {
        self.in_session(payload);
        let Ok(cases) = calls::cases(self.host, payload).map(|cases| self.named(cases)) else {
            return false;
        };
        let (judge, files) = (&mut self.judge, &self.files);
        self.mode == Mode::Enforce
            && cases.iter().any(|case| {
                self.surroundings.ask(case, |request| {
                    judge.judge(request, files, |verdict, _| {
                        matches!(verdict.action, Action::Ask | Action::Webhook) || verdict.unsure
                    })
                })
            })
    }

    /// With the name of the agent, where the environment has none.
    pub fn named(&self, mut cases: Vec<Case>) -> Vec<Case> {
        let is_set = |name| self.environment.value(name).is_some_and(|value| !value.is_empty());
        let (has_agent, has_session) = (is_set("RAMPART_AGENT"), is_set("RAMPART_SESSION"));
        for case in &mut cases {
            if !has_agent {
                case.agent = self.host.name().as_bytes().to_vec();
            }
            if has_session {
                case.session.clear();
            }
        }
        cases
    }

    /// Which of several has the strictest verdict: the first of those.
    fn worst(&mut self, cases: &[Case]) -> usize {
        if cases.len() < 2 {
            return 0;
        }
        let (judge, files) = (&mut self.judge, &self.files);
        let mut worst = (0, 0);
        for (at, case) in cases.iter().enumerate() {
            let rank = self.surroundings.ask(case, |request| {
                judge.judge(request, files, |verdict, _| rank(verdict.action))
            });
            if rank > worst.1 {
                worst = (at, rank);
            }
        }
        worst.0
    }

    fn decided(&mut self, case: &Case, payload: &Payload) -> Answer {
        let (judge, files) = (&mut self.judge, &self.files);
        let with = (self.host, self.mode, self.layers, &self.environment);
        let started = Instant::now();
        let (answer, outcome) = self.surroundings.ask(case, |request| {
            judge.judge(request, files, |verdict, _| {
                let told = (request, verdict, started.elapsed());
                let (answer, outcome) = conclude(with, (case, payload), told);
                if outcome != Outcome::Denied {
                    files.comes_by(verdict.taint);
                }
                (answer, outcome)
            })
        });
        self.is_notable |= outcome != Outcome::Allowed;
        answer
    }

    fn record(&mut self, case: &Case, payload: &Payload, outcome: Outcome) {
        let (judge, files) = (&mut self.judge, &self.files);
        let (environment, host) = (&self.environment, self.host);
        let started = Instant::now();
        self.surroundings.ask(case, |request| {
            judge.judge(request, files, |verdict, _| {
                let took = started.elapsed();
                let told = Told { hook: host.entrance().0, outcome, answered_by: "", took };
                if outcome != Outcome::Denied {
                    files.comes_by(verdict.taint);
                }
                record::of_call(request, verdict, environment, &told, (&payload.call, None));
            })
        });
    }

    /// Denies and records a call that no rule can be asked about. `what` names the rule that stands
    /// for it.
    pub fn refuse(&mut self, payload: &Payload, what: &str, why: &str) -> Answer {
        let case = Case {
            tool: payload.tool.as_bytes().to_vec(),
            params: calls::parameters(&payload.input),
            session: payload.session.as_bytes().to_vec(),
            ..Case::default()
        };
        let case = self.named(vec![case]).pop().unwrap_or_default();
        let verdict = refusal(self.host.entrance().0, what, why);
        self.is_notable = true;
        let (environment, host) = (&self.environment, self.host);
        let is_enforced = self.mode == Mode::Enforce;
        self.surroundings.ask(&case, |request| {
            let outcome = if is_enforced { Outcome::Denied } else { Outcome::NotEnforced };
            let told =
                Told { hook: host.entrance().0, outcome, answered_by: "", took: Duration::ZERO };
            let id = record::of_call(request, &verdict, environment, &told, (&payload.call, None));
            let settled = Settled { permitted: false, answered_by: "" };
            match is_enforced {
                true => Answer::Deny(record::denial(request, &verdict, &settled, &id).to_string()),
                false => Answer::Nothing,
            }
        })
    }
}

/// A verdict for what no rule can be asked about: as if by rule `what` of a policy of the entrance's name.
const fn refusal<'a>(entrance: &'a str, what: &'a str, why: &'a str) -> Verdict<'a> {
    Verdict {
        action: Action::Deny,
        reason: Reason::Unparseable,
        policy: entrance.as_bytes(),
        rule: what.as_bytes(),
        message: why.as_bytes(),
        command: 0,
        matched: &[],
        tree: Tree {
            text: &[],
            words: &[],
            commands: &[],
            redirects: &[],
            outcome: evaluator::command::Outcome::Unparseable,
            is_cut: false,
            work: 0,
        },
        on_no_approver: None,
        taint: 0,
        unsure: false,
    }
}

const fn rank(action: Action) -> u8 {
    match action {
        Action::Allow => 0,
        Action::Watch => 1,
        Action::Ask => 2,
        Action::Webhook => 3,
        Action::Deny => 4,
    }
}

/// Where events go outside a guarded tree: the audit directory; where a sandbox forbids that, the
/// places that the library uses then.
fn place_for_records() -> Option<PathBuf> {
    if let Ok(directory) = Directories::from_environment().make_audit() {
        return Some(directory);
    }
    let own = rustix::process::getuid().as_raw();
    let fallback = PathBuf::from(format!("/dev/shm/rampart-{own}"));
    directories::make_private(&fallback).is_ok().then_some(fallback)
}

fn conclude(
    (host, mode, layers, environment): (Host, Mode, &Layers, &Environment),
    (case, payload): (&Case, &Payload),
    (request, verdict, took): (&Request<'_>, &Verdict<'_>, Duration),
) -> (Answer, Outcome) {
    let is_enforced = mode == Mode::Enforce;
    let mut settled = settle(verdict, environment.fail_open());
    let mut said = String::new();
    let needs_consent = matches!(verdict.action, Action::Ask | Action::Webhook)
        || verdict.action == Action::Deny && verdict.unsure;
    let cwd = match request.cwd {
        evaluator::Cwd::Known(cwd) => Some(Path::new(OsStr::from_bytes(cwd))),
        evaluator::Cwd::Unknown | evaluator::Cwd::OnDemand => None,
    };
    let wrote = scripts::written(case, cwd);
    let record = |verdict: &Verdict<'_>, outcome, by| {
        let told = Told { hook: host.entrance().0, outcome, answered_by: by, took };
        record::of_call(request, verdict, environment, &told, (&payload.call, wrote.as_deref()))
    };
    if needs_consent && is_enforced {
        if host.asks() && verdict.action == Action::Ask {
            let id = record(verdict, Outcome::Unconfirmed, "host");
            return (Answer::Ask(question(verdict, &id)), Outcome::Unconfirmed);
        }
        let socket = socket(environment);
        let asked = asked(case, request, environment);
        (settled, said) = consent::settle(socket.as_deref(), &asked, layers, verdict, settled);
    }
    let message = with_reason(verdict.message, &said);
    let verdict = &Verdict { message: &message, ..*verdict };
    let outcome = match (settled.permitted, is_enforced) {
        (true, _) => Outcome::Allowed,
        (false, true) => Outcome::Denied,
        (false, false) => Outcome::NotEnforced,
    };
    let id = record(verdict, outcome, settled.answered_by);
    let answer = match outcome {
        Outcome::Denied => {
            Answer::Deny(record::denial(request, verdict, &settled, &id).to_string())
        }
        _ => Answer::Nothing,
    };
    (answer, outcome)
}

/// What the host shows its user.
fn question(verdict: &Verdict<'_>, id: &[u8; 26]) -> String {
    let message = visible(verdict.message);
    let id = String::from_utf8_lossy(id.get(22..).unwrap_or_default());
    format!("rampart: [{}] {message} (id {id})", rule(verdict))
}

/// The evaluator's socket: the tree's, else the daemon's if it is there.
pub fn socket(environment: &Environment) -> Option<PathBuf> {
    let stated = environment.value("RAMPART_SOCKET").filter(|path| !path.is_empty());
    match stated {
        Some(path) => Some(Path::new(path).to_owned()),
        None => listen::daemon().ok().filter(|path| path.exists()),
    }
}

/// The call as the evaluator is asked about it.
fn asked(case: &Case, request: &Request<'_>, environment: &Environment) -> Asked {
    let mut environment = environment.clone();
    for (name, value) in
        [("RAMPART_AGENT", request.caller.agent), ("RAMPART_SESSION", request.caller.session)]
    {
        environment.set(name, std::os::unix::ffi::OsStrExt::from_bytes(value));
    }
    let (file, argv) = match request.call {
        evaluator::Call::Exec { file, argv } => (
            file.to_vec(),
            (0..argv.len()).filter_map(|at| argv.get(at).map(<[u8]>::to_vec)).collect(),
        ),
        _ => (Vec::new(), Vec::new()),
    };
    Asked {
        tool: case.tool.clone(),
        file,
        argv,
        shell: match &case.call {
            Call::Shell(text) => Some(text.clone()),
            _ => None,
        },
        cwd: match request.cwd {
            evaluator::Cwd::Known(cwd) => Some(cwd.to_vec()).into(),
            evaluator::Cwd::Unknown | evaluator::Cwd::OnDemand => WorkingDirectory::default(),
        },
        environment,
        path: case.path.clone(),
        url: case.url.clone(),
        params: case.params.clone(),
        hook: None,
        program: None,
    }
}
