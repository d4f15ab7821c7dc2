//! Verdicts over HTTP: `/v1/tool` enforces, `/v1/preflight` only tells.

use super::approvals::{Asking, ask, caller};
use super::message::Reply;
use super::routes::{Asked, flag, object, text};
use super::{Context, Problem, call};
use crate::audit::record::{self, Told};
use crate::cases::{self, Case, Parsed};
use crate::launch::environment::Environment;
use crate::process::{Asker, who::User};
use crate::serve::approval::About;
use crate::serve::brain::InForce;
use crate::serve::counters::{self, Counting, Shared};
use crate::serve::once;
use crate::serve::requests::{asked_for, now};
use crate::verdict::ask::Surroundings;
use crate::verdict::effects;
use crate::verdict::judge::Judge;
use crate::verdict::names;
use crate::verdict::world::FileSystem;
use crate::webhook::{self, Address, Client, Question};
use evaluator::effects::Around;
use evaluator::event::Outcome;
use evaluator::{Action, Image, Request, Verdict};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest name of a tool, in bytes.
const TOOL: usize = 128;

/// Members of a request that are texts.
const TEXTS: [&str; 10] = [
    "agent",
    "session",
    "run_id",
    "tool_call_id",
    "command",
    "path",
    "url",
    "workdir",
    "cwd",
    "response",
];

/// Members that are a yes or no.
const FLAGS: [&str; 3] = ["enforce", "verification", "skip_pending_approval"];

/// Judges a call, and has whoever is needed asked.
pub fn tool(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let (body, case) = read(asked)?;
    let skips = flag(&body, "skip_pending_approval")?;
    answered(context, (asked, &case), Mode::Enforce { asks: !skips })
}

/// Tells what the policy says; nobody is asked.
pub fn preflight(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let (body, case) = read(asked)?;
    let mode = Mode::Preview {
        wanted: flag(&body, "enforce")?,
        is_recorded: !flag(&body, "verification")?,
    };
    answered(context, (asked, &case), mode)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// What comes of it is done; `asks`: a person may be asked.
    Enforce { asks: bool },
    /// It is only told; `wanted`: the client asked for more than that.
    Preview { wanted: bool, is_recorded: bool },
}

/// The call that a request is about.
fn read(asked: &Asked<'_>) -> Result<(Map<String, Value>, Case), Problem> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    if asked.name.len() > TOOL || !asked.name.bytes().all(is_name) {
        let why = "a tool's name has at most 128 letters, digits and `_`, `-`, `.`, `:`";
        return Err(Problem::field("tool", why));
    }
    let mut body = object(asked.request)?;
    for name in TEXTS {
        text(&body, name)?;
    }
    for name in FLAGS {
        flag(&body, name)?;
    }
    let mut call = body.clone();
    call.insert("tool".to_owned(), Value::String(asked.name.clone()));
    let (workdir, cwd) = (text(&body, "workdir")?, text(&body, "cwd")?);
    if !workdir.is_empty() && !cwd.is_empty() && workdir != cwd {
        return Err(Problem::field("workdir", "`workdir` and `cwd` differ; state one"));
    }
    call.insert(
        "cwd".to_owned(),
        match (workdir.is_empty(), cwd.is_empty()) {
            (true, true) => Value::Null,
            (true, false) => cwd.into(),
            (false, _) => workdir.into(),
        },
    );
    if !asked.agent.is_empty() {
        // The token says whose it is.
        call.insert("agent".to_owned(), asked.agent.clone().into());
    }
    body.retain(|name, _| name != "tool");
    match cases::parse(Value::Object(call).to_string().as_bytes()).parsed {
        Ok(Parsed::Case(case)) => Ok((body, *case)),
        Ok(Parsed::Refused(refusal)) => {
            Err(Problem::field(&named(&refusal.message), refusal.message))
        }
        Err(why) => Err(Problem::field(&named(&why), why)),
    }
}

/// The part of a request that `why` is about: what stands first in it between two backquotes.
fn named(why: &str) -> String {
    why.split('`').nth(1).unwrap_or("body").to_owned()
}

fn answered(
    context: &Context,
    (asked, case): (&Asked<'_>, &Case),
    mode: Mode,
) -> Result<Reply, Problem> {
    let (policy, shared, uses) = context.front.look(|desk| {
        (Arc::clone(&desk.policy), desk.brain.shared(), Arc::clone(&desk.brain.uses))
    })?;
    let mut environment = Environment::own();
    environment.set("RAMPART_AUDIT_DIR", context.audit.as_os_str());
    let surroundings = Surroundings::with(environment);
    let mut judge =
        Judge::new(&policy.layers).map_err(|failure| Problem::new(503, failure.message))?;
    let started = Instant::now();
    surroundings.ask(case, |request| {
        let work = Work {
            context,
            asked,
            case,
            policy: &policy,
            surroundings: &surroundings,
            started,
            mode,
        };
        if let Some(output) = &case.response {
            let files = FileSystem::default();
            return judge.judge_output((request, output), &files, |verdict, images| {
                work.output(request, verdict, images)
            });
        }
        let owner = rustix::process::geteuid().as_raw();
        let process = caller();
        let at = (Asker::Known(process), now() / 1000);
        let session = (User::Known(owner), request.caller.session);
        let files = FileSystem::default().counted_by(once::open(&uses, owner, process));
        let world = Counting::new(files, &shared, session, at);
        let mut done = judge.judge(request, &world, |verdict, images| {
            let take = || once::take_all(&uses, (owner, process), &world.wanted());
            work.call(request, (verdict, images), take)
        });
        if matches!(done, Ok(None)) {
            // Somebody else was faster, so that what holds once does not hold here.
            let world = Counting::new(FileSystem::default(), &shared, session, at);
            done = judge.judge(request, &world, |verdict, images| {
                work.call(request, (verdict, images), || true)
            });
        }
        if matches!(mode, Mode::Enforce { .. }) {
            count(&shared, world, process);
        }
        done?.ok_or_else(|| Problem::new(503, "what holds once could not be used up; ask again"))
    })
}

fn count(shared: &Shared, world: Counting<'_>, process: crate::process::Process) {
    counters::count(shared, world.touched(), (process, now() / 1000));
}

/// One call on its way to an answer.
struct Work<'a> {
    context: &'a Context,
    asked: &'a Asked<'a>,
    case: &'a Case,
    policy: &'a InForce,
    surroundings: &'a Surroundings,
    started: Instant,
    mode: Mode,
}

/// How a call ends: whether it may go ahead, on whose word, and what is said beside that.
struct End {
    permitted: bool,
    by: &'static str,
    status: u16,
    more: Value,
}

/// What every answer says of a verdict; `allowed` is to be set by whoever knows it.
fn told(verdict: &Verdict<'_>, images: &[Image<'_>], took: Duration) -> Value {
    let text = crate::bytes::visible;
    json!({
        "allowed": false,
        "decision": verdict.action.name(),
        "message": text(verdict.message),
        "policy": text(verdict.policy),
        "rule": text(verdict.rule),
        "reason": verdict.reason.name(),
        "matched_policies": matched(verdict, images),
        "suggestions": [],
        "eval_duration_us": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    })
}

impl Work<'_> {
    /// Nothing if it may go ahead, but `take` cannot use up what holds once.
    fn call(
        &self,
        request: &Request<'_>,
        (verdict, images): (&Verdict<'_>, &[Image<'_>]),
        take: impl FnOnce() -> bool,
    ) -> Result<Option<Reply>, Problem> {
        let took = self.started.elapsed();
        let policy = crate::bytes::visible(verdict.policy);
        self.context.metrics.note(verdict.action.name(), &policy, took);
        let mut value = told(verdict, images, took);
        let end = self.end(request, verdict, images)?;
        if end.permitted && matches!(self.mode, Mode::Enforce { .. }) && !take() {
            return Ok(None);
        }
        if !matches!(self.mode, Mode::Preview { is_recorded: false, .. }) {
            let outcome = match (end.permitted, self.mode) {
                (true, _) => Outcome::Allowed,
                (false, Mode::Enforce { .. }) => Outcome::Denied,
                (false, Mode::Preview { .. }) => Outcome::NotEnforced,
            };
            let record = Told { hook: "http", outcome, answered_by: end.by, took };
            let id = record::event(request, verdict, &self.surroundings.environment, &record);
            insert(&mut value, "audit_id", json!(String::from_utf8_lossy(&id)));
        }
        insert(&mut value, "allowed", json!(end.permitted));
        for (name, more) in end.more.as_object().into_iter().flatten() {
            insert(&mut value, name, more.clone());
        }
        Ok(Some(Reply::json(end.status, &value)))
    }

    fn end(
        &self,
        request: &Request<'_>,
        verdict: &Verdict<'_>,
        images: &[Image<'_>],
    ) -> Result<End, Problem> {
        let asks = match self.mode {
            Mode::Preview { wanted, .. } => {
                let more = json!({"enforced": false, "enforcement_requested": wanted});
                let permitted = verdict.action.permits();
                return Ok(End { permitted, by: "", status: 200, more });
            }
            Mode::Enforce { asks } => asks,
        };
        let plain = |permitted, by| End {
            permitted,
            by,
            status: if permitted { 200 } else { 403 },
            more: Value::Null,
        };
        let text = crate::bytes::visible;
        match (verdict.action, Address::of(images, verdict)) {
            (Action::Allow | Action::Watch, _) => Ok(plain(true, "")),
            (Action::Deny, _) => Ok(plain(false, "")),
            (Action::Webhook, Some(address)) => {
                let settled = self.service(request, verdict, &address);
                let mut end = match settled.end {
                    webhook::End::Asked if asks => {
                        let message = text(verdict.message);
                        let message = asked_for(&message, &settled.why);
                        return self.person(request, verdict, message);
                    }
                    webhook::End::Asked => plain(false, "on_no_approver"),
                    end => plain(end == webhook::End::Permitted, settled.by),
                };
                end.more = json!({"answered_by": settled.by, "answer": settled.why});
                Ok(end)
            }
            _ if !asks => Ok(plain(false, "on_no_approver")),
            _ => self.person(request, verdict, text(verdict.message)),
        }
    }

    fn service(
        &self,
        request: &Request<'_>,
        verdict: &Verdict<'_>,
        to: &Address,
    ) -> webhook::Settled {
        let text = crate::bytes::visible;
        let question = Question {
            tool: text(request.tool),
            command: call::shown(self.case),
            shell: call::as_shell(self.case),
            cwd: text(self.case.cwd.as_deref().unwrap_or_default()),
            params: self
                .case
                .params
                .iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            agent: text(request.caller.agent),
            session: text(request.caller.session),
            policy: text(verdict.policy),
            rule: text(verdict.rule),
            effects: effects::told(&verdict.tree, &Around::of(request), None),
        };
        let client =
            self.context.services.get_or_init(|| Client::new().map_err(|failure| failure.message));
        let answer = match client {
            Ok(client) => client.ask(to, &question),
            Err(why) => webhook::Answer::Misconfigured(why.clone()),
        };
        answer.settle(to.fail_open)
    }

    fn person(
        &self,
        request: &Request<'_>,
        verdict: &Verdict<'_>,
        message: String,
    ) -> Result<End, Problem> {
        let text = crate::bytes::visible;
        let mut masked = Vec::new();
        let line = call::shown(self.case);
        evaluator::redact::masked(line.as_bytes(), &mut |piece| masked.extend_from_slice(piece));
        let about = About {
            command: String::from_utf8_lossy(&masked).into_owned(),
            rule: crate::serve::weigh::rule(verdict),
            message,
            cwd: text(self.case.cwd.as_deref().unwrap_or_default()),
            uid: rustix::process::geteuid().as_raw(),
            agent: text(&self.case.agent),
            session: text(&self.case.session),
            effects: effects::lines(&verdict.tree, &Around::of(request), None),
            ..About::default()
        };
        // A yes is for this very call, of this client, by this policy.
        let bound = format!("{:?} {:?} {:?}", self.case, self.policy.digest, self.asked.by);
        let said = |permitted, status, id: &str, state: &str| End {
            permitted,
            by: "approver",
            status,
            more: json!({"approval_id": id, "approval_status": state}),
        };
        Ok(match ask(self.context, about, bound.as_bytes())? {
            Asking::Approved(id) => said(true, 200, &id, "approved"),
            Asking::Denied(id) => said(false, 403, &id, "denied"),
            Asking::Pending(id, expires) => {
                let expires = policy_schema::time::format_timestamp(expires / 1000);
                let mut end = said(false, 202, &id, "pending");
                insert(&mut end.more, "expires_at", json!(expires));
                End { by: "pending", ..end }
            }
            Asking::Full => return Err(Problem::new(503, "too many approvals are pending")),
        })
    }

    /// What the call put out, by the rules that are about that.
    fn output(
        &self,
        request: &Request<'_>,
        verdict: &Verdict<'_>,
        images: &[Image<'_>],
    ) -> Result<Reply, Problem> {
        let permitted = verdict.action.permits();
        let outcome = if permitted { Outcome::Allowed } else { Outcome::Denied };
        let took = self.started.elapsed();
        let record = Told { hook: "http", outcome, answered_by: "", took };
        let id = record::event(request, verdict, &self.surroundings.environment, &record);
        let mut value = told(verdict, images, took);
        insert(&mut value, "allowed", json!(permitted));
        insert(&mut value, "audit_id", json!(String::from_utf8_lossy(&id)));
        if !permitted {
            insert(&mut value, "response", json!("[withheld by policy]"));
        }
        Ok(Reply::json(200, &value))
    }
}

fn insert(value: &mut Value, name: &str, what: Value) {
    if let Some(map) = value.as_object_mut() {
        map.insert(name.to_owned(), what);
    }
}

fn matched(verdict: &Verdict<'_>, images: &[Image<'_>]) -> Vec<String> {
    let mut all: Vec<String> = names::matched(verdict, images)
        .iter()
        .map(|found| crate::bytes::visible(found.policy))
        .collect();
    all.dedup();
    all
}
