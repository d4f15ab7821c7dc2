//! Where questions are answered: effects, rules, and, where one is configured, a model. Every question and
//! its answer is in the audit log, credentials masked.

use super::config::Config;
use super::files::Files;
use super::model::{self, Asker, Outcome};
use super::question::{Answer, Question};
use super::weigh::{Decision, Place, Weighed, weigh};
use crate::audit::config::Config as AuditConfig;
use crate::audit::record;
use crate::audit::redaction::Redaction;
use crate::code::{Found, Reader};
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::verdict::effects::{Told, of_found};
use evaluator::effects::Kind;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Why there is no answer where the log takes none.
const UNRECORDED: &str = "the answer could not be recorded; see `rampart audit verify`";

/// Everything that answering takes. Threads share it.
pub struct Desk {
    config: Config,
    asker: Option<Asker>,
    environment: Environment,
    home: Vec<u8>,
    redaction: Redaction,
    /// How many questions came in the minute that began then.
    minute: Mutex<(Instant, u32)>,
}

/// What is known of a call before anybody is asked.
pub struct Known {
    /// Its effects, for others to see.
    pub effects: Vec<Told>,
    /// What they come to.
    pub weighed: Weighed,
    /// The scripts that were read, by path.
    pub scripts: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Desk {
    /// One that answers by `config`, and records in `environment`'s log.
    ///
    /// # Errors
    /// If `audit.yaml` cannot be used: it says what is masked.
    pub fn new(config: Config, environment: Environment) -> Result<Self, Failure> {
        let redaction = Redaction::new(&AuditConfig::load()?.redact).map_err(Failure::usage)?;
        let home = environment.value("HOME").map(|home| home.as_bytes().to_vec());
        let asker = Asker::new(&config)?;
        Ok(Self {
            config,
            asker,
            environment,
            home: home.unwrap_or_default(),
            redaction,
            minute: Mutex::new((Instant::now(), 0)),
        })
    }

    /// Whether one question more may be looked at this minute.
    pub fn has_room(&self) -> bool {
        let Some(most) = self.config.rate else { return true };
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.0.elapsed() >= Duration::from_secs(60) {
            *minute = (Instant::now(), 0);
        }
        minute.1 = minute.1.saturating_add(1);
        minute.1 <= most
    }

    /// Answers a question, and records both.
    pub fn answer(&self, question: &Question) -> Answer {
        let started = Instant::now();
        let known = self.look(question);
        let scripts = digests(&known.scripts);
        let answer = self.decided(question, known);
        let is_recorded = self.record(question, (&answer, &scripts), started.elapsed());
        match answer.decision {
            Some(Decision::Deny) | None => answer,
            _ if is_recorded => answer,
            // Nothing goes ahead on a word that nobody can look up.
            _ => Answer { decision: None, reason: UNRECORDED.to_owned(), ..answer },
        }
    }

    /// What a call comes to: by its effects, and by a model where one is to be asked about it.
    fn decided(&self, question: &Question, known: Known) -> Answer {
        let by_effects = known.weighed.decision;
        let asked = self.config.model.as_ref().zip(self.asker.as_ref()).filter(|(model, _)| {
            let about = model.about.as_deref().unwrap_or(&[Decision::Allow, Decision::Ask]);
            by_effects != Decision::Deny && about.contains(&by_effects)
        });
        let Some((model, asker)) = asked else {
            return Answer {
                decision: Some(by_effects),
                reason: known.weighed.reason,
                by: "effects".to_owned(),
                is_kept: false,
                effects: known.effects,
            };
        };
        let masked = |value: Value| self.redaction.event(value);
        let (decision, reason, is_kept) = match asker.ask(&self.config, (question, &known), masked)
        {
            Outcome::Said(said, is_kept) => {
                let (decision, reason) = model::both(&known, &said);
                (Some(decision), reason, is_kept)
            }
            Outcome::None(why) => (None, why, false),
        };
        let by = format!("model {}", crate::bytes::visible(model.name.as_bytes()));
        Answer { decision, reason, by, is_kept, effects: known.effects }
    }

    /// What a call would do, and what that comes to.
    fn look(&self, question: &Question) -> Known {
        let files = Files::default();
        let place = Place { cwd: question.cwd() };
        let found = match question.text() {
            Some(text) => {
                let mut reader = Reader::new(&self.home, Some(&files));
                reader.shell(&text, question.cwd());
                reader.found
            }
            // Tools of other kinds are not looked into.
            None => vec![Found { kind: Kind::Unknown, subject: Vec::new(), leaks: false }],
        };
        let weighed = weigh(&found, &self.config, place);
        Known { effects: of_found(&found), weighed, scripts: files.read() }
    }

    /// Whether it is in the log.
    fn record(
        &self,
        question: &Question,
        (answer, scripts): (&Answer, &Value),
        took: Duration,
    ) -> bool {
        let mut masked = Vec::new();
        let command = question.params.command.as_bytes();
        evaluator::redact::masked(command, &mut |piece| masked.extend_from_slice(piece));
        let event = json!({
            "hook": "verify",
            "outcome": "answered",
            "decision": answer.decision.map_or("none", Decision::name),
            "reason": answer.reason,
            "answered_by": answer.by,
            "kept": answer.is_kept,
            "question": question.id,
            "tool": question.tool,
            "command": String::from_utf8_lossy(&masked),
            "cwd": question.params.cwd,
            "agent": question.agent,
            "session": question.session,
            "policy": question.policy,
            "rule": question.rule,
            "effects": answer.effects,
            "scripts": scripts,
            "took_us": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        });
        record::note(&self.environment, self.redaction.event(event))
    }
}

/// What scripts were read: their paths, and the SHA-256 of what was read of each.
fn digests(scripts: &BTreeMap<Vec<u8>, Vec<u8>>) -> Value {
    let of = |(path, text): (&Vec<u8>, &Vec<u8>)| {
        let digest = Sha256::digest(text);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "path": crate::bytes::visible(path), "sha256": digest })
    };
    scripts.iter().map(of).collect()
}

/// The environment with which events go where `rampart serve` keeps them.
///
/// # Errors
/// If there is no such place.
pub fn environment() -> Result<Environment, Failure> {
    let mut environment = Environment::own();
    let directories = crate::directories::Directories::from_environment();
    directories.make_audit()?;
    let audit = directories.audit()?;
    environment.set("RAMPART_AUDIT_DIR", OsStr::new(audit.as_os_str()));
    Ok(environment)
}
