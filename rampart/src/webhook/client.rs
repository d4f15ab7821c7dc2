//! Asking one service one question, over HTTP: signed, within the rule's time, tried again where
//! that can help, and never led elsewhere by a redirect.

use super::breaker::Breaker;
use super::reply::{self, Bound};
use super::settings::Settings;
use super::{Address, Answer, Question};
use crate::audit::config::Config;
use crate::audit::record;
use crate::audit::redaction::Redaction;
use crate::failure::{Failure, reason};
use crate::serve::requests::now;
use hmac::{Hmac, KeyInit, Mac};
use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Most tries of one question.
const TRIES: u32 = 3;

/// How long the first pause between two tries is, on average; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// Everything that asking takes. Threads share it.
pub struct Client {
    agent: ureq::Agent,
    key: Option<Vec<u8>>,
    redaction: Redaction,
    breaker: Mutex<Breaker>,
}

/// What came of one try.
enum Tried {
    Answered(Answer),
    /// It may go better a little later.
    Again(String),
    Failed(String),
}

impl Client {
    /// As `webhook.yaml` says; what `audit.yaml` wants masked is masked here, too.
    ///
    /// # Errors
    /// If one of them cannot be used.
    pub fn new() -> Result<Self, Failure> {
        let settings = Settings::load()?;
        let redaction = Redaction::new(&Config::load()?.redact).map_err(Failure::usage)?;
        let mut tls = TlsConfig::builder();
        if let Some(ca) = &settings.ca {
            tls = tls.root_certs(RootCerts::from(certificates(ca)?));
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("rampart/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build()
            .into();
        let key = settings.read_key()?;
        Ok(Self { agent, key, redaction, breaker: Mutex::default() })
    }

    /// Asks the service at `address`. Returns within its time.
    pub fn ask(&self, address: &Address, question: &Question) -> Answer {
        let deadline = Instant::now() + address.limit;
        if !self.breaker().may_ask(&address.url, now()) {
            return Answer::None("it has failed again and again, and is not asked now".to_owned());
        }
        let (id, nonce) = (record::new_id(), nonce());
        let body = self.body(question, &id, &nonce);
        let bound = Bound { id: &id, nonce: &nonce, is_required: self.key.is_some() };
        let mut pause = PAUSE;
        let mut tries = 1;
        // A service that says that it has no answer is not one that fails.
        let (answer, has_answered) = loop {
            let why = match self.once(address, &body, &bound, deadline) {
                Tried::Answered(answer) => break (answer, true),
                Tried::Failed(why) => break (Answer::None(why), false),
                Tried::Again(why) => why,
            };
            let wait = jittered(pause);
            if tries >= TRIES || Instant::now() + wait >= deadline {
                break (Answer::None(why), false);
            }
            std::thread::sleep(wait);
            pause *= 2;
            tries += 1;
        };
        self.breaker().note(&address.url, has_answered, now());
        answer
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request: what the original sends, and what binds it.
    fn body(&self, question: &Question, id: &str, nonce: &str) -> String {
        let mut params = serde_json::Map::new();
        let all = [("command", &question.command), ("cwd", &question.cwd)].into_iter();
        let others = question.params.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in all.chain(others).filter(|(_, value)| !value.is_empty()) {
            params.insert(name.to_owned(), masked(value).into());
        }
        if !question.shell.is_empty() && question.shell != question.command.as_bytes() {
            let shell = masked_bytes(&question.shell);
            let shell = serde_json::to_value(crate::bytes::Text(&shell)).unwrap_or_default();
            params.insert("shell".to_owned(), shell);
        }
        let redacted = |value: Value| {
            let line = value.to_string();
            let line = self.redaction.line(line.as_bytes());
            serde_json::from_slice::<Value>(&line).unwrap_or_default()
        };
        json!({
            "id": id,
            "nonce": nonce,
            "timestamp": crate::audit::now(),
            "tool": question.tool,
            "params": redacted(Value::Object(params)),
            "agent": question.agent,
            "session": question.session,
            "policy": question.policy,
            "rule": question.rule,
            "effects": redacted(json!(question.effects)),
        })
        .to_string()
    }

    fn once(&self, to: &Address, body: &str, bound: &Bound<'_>, deadline: Instant) -> Tried {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Tried::Failed("it has not answered in time".to_owned());
        }
        let time = (now() / 1000).to_string();
        let local = to.url.strip_prefix(super::unix::SCHEME).map(super::unix::agent);
        let (agent, url) = match &local {
            // Where it leads is in the connection; HTTP wants a host all the same.
            Some(agent) => (agent, "http://localhost/"),
            None => (&self.agent, to.url.as_str()),
        };
        let request = agent.post(url).config().timeout_global(Some(left)).build();
        let mut request = request
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .header("X-Rampart-Id", bound.id)
            .header("X-Rampart-Timestamp", &time);
        if let Some(key) = &self.key {
            request = request.header("X-Rampart-Signature", signature(key, &time, body));
        }
        let mut got = match request.send(body.as_bytes()) {
            Ok(got) => got,
            Err(error) => return failed(&error),
        };
        let status = got.status().as_u16();
        let media = got.headers().get("content-type").and_then(|value| value.to_str().ok());
        let media = media.unwrap_or_default().to_owned();
        // One byte more than it may have, so that a longer one shows.
        let limited = got.body_mut().with_config().limit(reply::LONGEST as u64 + 1).read_to_vec();
        let found = match limited {
            Ok(found) => found,
            Err(ureq::Error::BodyExceedsLimit(_)) => vec![b' '; reply::LONGEST + 1],
            Err(error) => return failed(&error),
        };
        match reply::read(status, &media, &found, bound) {
            Ok(answer) => Tried::Answered(answer),
            Err(why) if status >= 500 || status == 429 => Tried::Again(why),
            Err(why) => Tried::Failed(why),
        }
    }
}

fn failed(error: &ureq::Error) -> Tried {
    let why = match error {
        ureq::Error::Timeout(_) => {
            return Tried::Failed("it has not answered in time".to_owned());
        }
        error => crate::bytes::visible(format!("it cannot be asked: {error}").as_bytes()),
    };
    match error {
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed => Tried::Again(why),
        _ => Tried::Failed(why),
    }
}

/// `v1=` and the HMAC-SHA256 of the time, a dot and the body, in hexadecimal.
fn signature(key: &[u8], time: &str, body: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    for part in [time, ".", body] {
        mac.update(part.as_bytes());
    }
    let bytes = mac.finalize().into_bytes();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}

fn masked(text: &str) -> String {
    String::from_utf8_lossy(&masked_bytes(text.as_bytes())).into_owned()
}

fn masked_bytes(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    evaluator::redact::masked(text, &mut |piece| out.extend_from_slice(piece));
    out
}

/// 128 random bits in hexadecimal.
fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    // It only has to differ from every other; without randomness the id does that.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Between half and one and a half times `pause`, so that many who wait do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [128_u8];
    let _ = getrandom(&mut byte, GetRandomFlags::empty());
    let [byte] = byte;
    pause / 2 + pause * u32::from(byte) / 255
}

fn certificates(path: &std::path::Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let failed = |what: &str| Failure::usage(format!("cannot use `{}`: {what}", path.display()));
    let text = std::fs::read(path).map_err(|error| failed(&reason(&error)))?;
    let mut all = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => all.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(failed(&error.to_string())),
        }
    }
    if all.is_empty() {
        return Err(failed("there is no certificate in it"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        // printf '%s' '1.{}' | openssl dgst -sha256 -hmac key
        let expected = "v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224";
        assert_eq!(signature(b"key", "1", "{}"), expected);
    }

    #[test]
    fn a_pause_is_never_the_same_and_never_far_off() {
        for _ in 0..100 {
            let found = jittered(PAUSE);
            assert!(found >= PAUSE / 2 && found <= PAUSE * 3 / 2, "{found:?}");
        }
    }
}
