//! What the policy says about a program that a supervised process wants to start. The tree's policy is
//! judged by, whatever the process says in its environment.

mod unseen;

use super::tracee::Tracee;
use crate::answer::with_reason;
use crate::audit::record::{self, Told};
use crate::channel::Connection;
use crate::consent;
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::launch::library;
use crate::launch::program::{self, Facts};
use crate::policy::Layers;
use crate::process::Asker;
use crate::serve::brain::{Brain, InForce};
use crate::serve::taints::Keeper;
use crate::verdict::since;
use evaluator::bell;
use evaluator::event::Outcome;
use evaluator::settle::{Settled, settle};
use evaluator::wire::{Kind, Tag};
use evaluator::{Action, Request, TargetKinds, Verdict};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Which entrance it is, in events.
const HOOK: &str = "seccomp";

/// What a call comes to.
pub enum Weighed {
    /// It goes ahead.
    Go,
    /// It does not, and this is to be said.
    Denied(String),
    /// A person has been asked on this connection; without an answer it comes to this.
    Asked(Connection, Settled),
}

/// At which moment a program is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the kernel goes on with execve(2), and never again.
    Only,
    /// Before that, and it will be looked at again behind it.
    First,
    /// The process has become the program, and has not run any of it.
    Behind,
}

/// Everything that verdicts are made from.
pub struct Judge {
    policy: Arc<InForce>,
    brain: Brain,
    /// How the tree is guarded.
    environment: Environment,
    /// Where people are asked.
    socket: Option<PathBuf>,
    /// What is ours, and judges itself or only says no.
    helper: Option<(u64, u64)>,
    library: PathBuf,
    stub: Option<(u64, u64)>,
    is_enforced: bool,
    records_all: bool,
    /// The environment that was corrected last, and what came of it: the next one is mostly the same.
    corrected: Option<(Environment, Environment)>,
}

impl Judge {
    /// By `layers`, for the tree that starts with `environment`.
    ///
    /// # Errors
    /// If an image is not intact.
    pub fn new(
        layers: Layers,
        environment: Environment,
        library: PathBuf,
    ) -> Result<Self, Failure> {
        let mode = environment.value("RAMPART_MODE").map(OsStr::as_bytes);
        let socket = environment.value("RAMPART_SOCKET").map(PathBuf::from);
        let taints = socket.clone().map_or_else(Keeper::default, Keeper::At).joined();
        Ok(Self {
            records_all: layers.records_all(),
            policy: Arc::new(InForce::new(layers)?),
            brain: Brain::with(taints),
            socket,
            helper: std::env::current_exe().ok().and_then(|path| identity(&path)),
            stub: identity(&library),
            library,
            is_enforced: mode != Some(b"monitor"),
            environment,
            corrected: None,
        })
    }

    /// One for another thread, which counts with this one.
    pub fn another(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            brain: self.brain.another(),
            environment: self.environment.clone(),
            socket: self.socket.clone(),
            library: self.library.clone(),
            corrected: None,
            ..*self
        }
    }

    /// The policy that is in force.
    pub fn policy(&self) -> &Arc<InForce> {
        &self.policy
    }

    /// Puts `policy` in force, if another one is.
    pub fn renew(&mut self, policy: &Arc<InForce>) {
        if !Arc::ptr_eq(policy, &self.policy) {
            self.records_all = policy.layers.records_all();
            self.policy = Arc::clone(policy);
        }
    }

    /// What is undecidable goes ahead, by the wish of the user.
    pub fn fails_open(&self) -> bool {
        self.environment.fail_open() == Some(true) || !self.is_enforced
    }

    /// What a process says of agent, session and start is nothing to judge by: the tree's own stand there from now on.
    /// In which tree it says it lives is noted: what it has come by there, all have.
    pub fn correct(&mut self, tracee: &mut Tracee) {
        let environment = &mut tracee.asked.environment;
        if let Some((stated, corrected)) = &self.corrected
            && stated.is_copy_of(environment)
        {
            *environment = corrected.clone();
            return;
        }
        let stated = environment.clone();
        if let Some(tree) = environment.value("RAMPART_TREE") {
            self.brain.taints.note(tree.as_bytes());
        }
        for name in ["RAMPART_AGENT", "RAMPART_SESSION", since::NAME] {
            match self.environment.value(name) {
                Some(value) if environment.value(name) == Some(value) => {}
                Some(value) => environment.set(name, value),
                None => environment.remove(name),
            }
        }
        self.corrected = Some((stated, environment.clone()));
    }

    /// Whether this is our own helper, which judges itself, or the line that says no; `file` leads to what is
    /// started, or runs.
    pub fn is_ours(&self, tracee: &Tracee, file: &Path) -> bool {
        let path = tracee.asked.path();
        let is_stub = tracee.asked.argv.get(1).is_some_and(|word| word == b"stub");
        // Most starts are of neither: no need to look at the file.
        if !is_stub && path.file_name() != self.library.file_name() {
            return false;
        }
        let found = identity(file);
        found.is_some() && (found == self.stub || (found == self.helper && is_stub))
    }

    /// What a process that rings is told: an error number.
    pub fn hear(&self, tracee: &Tracee) -> i32 {
        let words: Vec<&[u8]> = tracee.asked.argv.iter().map(Vec::as_slice).collect();
        let is_done = match words[..] {
            [word] => word == bell::PING.to_bytes(),
            [word, line] if word == bell::RECORD.to_bytes() => {
                record::heard(&whose(tracee), line, &self.environment)
            }
            _ => false,
        };
        if is_done { bell::HEARD } else { libc::EINVAL }
    }

    /// Judges. With `answer`, that of a person, or of nobody in time, counts.
    pub fn weigh(
        &mut self,
        tracee: &Tracee,
        moment: Moment,
        answer: Option<(Settled, String)>,
    ) -> Weighed {
        let asked = &tracee.asked;
        let mut facts = match moment {
            // Its name leads somewhere else here; this leads to the file itself.
            Moment::Behind if tracee.is_elsewhere => {
                let file = format!("/proc/{}/exe", tracee.who.process);
                Facts { resolved: None, ..Facts::of(Path::new(&file)) }
            }
            _ => self.brain.facts(asked),
        };
        if tracee.is_elsewhere && facts.resolved.is_some() {
            facts.resolved = tracee.target().map(OsString::from_vec);
        }
        for (holds, kind) in [
            (tracee.is_elsewhere, TargetKinds::OTHER_ROOT),
            (tracee.is_in_memory(), TargetKinds::MEMFD),
        ] {
            if holds {
                facts.kinds = facts.kinds.with(kind);
            }
        }
        let process = tracee.who.process;
        let asker = match tracee.is_elsewhere {
            true => {
                Asker::Elsewhere { process, root: tracee.thread, runs: moment == Moment::Behind }
            }
            false => Asker::Numbered(process),
        };
        let says_itself = program::unfollowed(facts.kinds).is_none()
            && asked
                .environment
                .value("LD_PRELOAD")
                .is_some_and(|value| library::is_preloaded(value, &self.library));
        let fails_open = self.fails_open();
        let Self { brain, policy, environment, socket, is_enforced, records_all, .. } = self;
        let conclusion = Conclusion {
            began: Instant::now(),
            tracee,
            environment,
            socket: socket.as_deref().filter(|_| *is_enforced),
            digest: &policy.digest,
            is_enforced: *is_enforced,
            taints: (moment != Moment::First).then(|| brain.taints.clone()),
            records_all: *records_all,
            records: !says_itself && moment != Moment::First,
            outcome: if moment == Moment::Behind { Outcome::Allowed } else { Outcome::Unconfirmed },
        };
        let (call, asker) = ((asked, &facts), (tracee.who.user, asker));
        let tell = |verdict: &Verdict<'_>, request: &Request<'_>| {
            // Rules that ask for it were judged without it.
            if asked.cwd.is_lost() && !fails_open {
                return conclusion.lost(request);
            }
            conclusion.weighed(verdict, request, answer)
        };
        brain.judge(policy, call, asker, tell).0
    }
}

/// Which file it is.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Whose call it is, for an event.
fn whose(tracee: &Tracee) -> record::Whose<'_> {
    record::Whose {
        pid: tracee.who.process,
        ppid: tracee.who.parent,
        // As audit(8) writes what is not known.
        uid: tracee.who.user.number().unwrap_or(u32::MAX),
        tree: tracee.asked.environment.value("RAMPART_TREE").map(OsStr::as_bytes),
    }
}

/// What a verdict is turned into an answer with.
struct Conclusion<'a> {
    tracee: &'a Tracee,
    environment: &'a Environment,
    /// Where to ask, if anybody is to be asked at all.
    socket: Option<&'a Path>,
    digest: &'a [u8; 32],
    is_enforced: bool,
    /// Who keeps what the tree comes by, if this is the last look at it.
    taints: Option<Keeper>,
    /// Whether nobody else will record that it goes ahead.
    records: bool,
    /// Whether the policy has every start recorded.
    records_all: bool,
    outcome: Outcome,
    began: Instant,
}

impl Conclusion<'_> {
    /// Where no path leads to the working directory.
    fn lost(&self, request: &Request<'_>) -> Weighed {
        let guard = (self.environment, self.is_enforced);
        let request = Request { cwd: self.tracee.asked.cwd.known(), ..*request };
        let why = "Its working directory is not known, so it cannot be judged.";
        unseen::refused(guard, &whose(self.tracee), &request, why)
    }

    fn weighed(
        &self,
        verdict: &Verdict<'_>,
        request: &Request<'_>,
        answer: Option<(Settled, String)>,
    ) -> Weighed {
        let alone = settle(verdict, self.environment.fail_open());
        let is_open = matches!(verdict.action, Action::Ask | Action::Webhook)
            || (verdict.action == Action::Deny && verdict.unsure);
        if is_open
            && answer.is_none()
            && let Some(socket) = self.socket
            && let Ok(connection) = self.ask(socket, verdict, alone)
        {
            return Weighed::Asked(connection, alone);
        }
        let (settled, said) = answer.filter(|_| is_open).unwrap_or((alone, String::new()));
        let message = with_reason(verdict.message, &said);
        let verdict = &Verdict { message: &message, ..*verdict };
        let whole = || Request { cwd: self.tracee.asked.cwd.known(), ..*request };
        let event = |outcome| self.event(&whole(), verdict, outcome, settled);
        if verdict.taint != 0
            && (settled.permitted || !self.is_enforced)
            && let Some(taints) = &self.taints
        {
            let tree = self.tracee.asked.environment.value("RAMPART_TREE").unwrap_or_default();
            taints.taint(tree.as_bytes(), verdict.taint);
        }
        let is_plain = verdict.action == Action::Allow && verdict.matched.is_empty();
        let records = self.records && (self.records_all || !is_plain);
        match (settled.permitted, self.is_enforced) {
            (false, true) => {
                let id = event(Outcome::Denied);
                let failure = record::denial(&whole(), verdict, &settled, &id);
                return Weighed::Denied(failure.to_string());
            }
            (false, false) if records => drop(event(Outcome::NotEnforced)),
            (true, _) if records => drop(event(self.outcome)),
            _ => {}
        }
        Weighed::Go
    }

    /// Asks the evaluator, in the place of the process, which waits.
    fn ask(
        &self,
        socket: &Path,
        verdict: &Verdict<'_>,
        alone: Settled,
    ) -> std::io::Result<Connection> {
        let mut body = consent::question(&self.tracee.asked, self.digest, verdict, alone);
        body.add_number(Tag::Timeout, consent::patience(self.environment));
        body.add_number(Tag::Process, self.tracee.who.process);
        let connection = Connection::open(socket)?;
        connection.send(Kind::Ask, &body)?;
        Ok(connection)
    }

    fn event(
        &self,
        request: &Request<'_>,
        verdict: &Verdict<'_>,
        outcome: Outcome,
        settled: Settled,
    ) -> [u8; 26] {
        let whose = whose(self.tracee);
        let answered_by = settled.answered_by;
        let told = Told { hook: HOOK, outcome, answered_by, took: self.began.elapsed() };
        record::event_of(&whose, request, verdict, self.environment, &told)
    }
}
