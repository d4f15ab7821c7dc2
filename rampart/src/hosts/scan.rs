//! What a tool put out, before the model sees it: held against the rules with `response_matches`.
//!
//! A secret in it is taken out and the rest stands; what gives orders is held back whole, since the
//! words that a rule finds are only its beginning. Whatever is left is judged once more.

use super::answer::Answer;
use super::decide::{Desk, Mode};
use super::payload::{Event, Payload};
use super::{calls, denials};
use crate::audit::record::{self, Told};
use crate::cases::Case;
use evaluator::Action;
use evaluator::event::Outcome;
use serde_json::{Map, Value};
use std::time::Instant;

/// What stands for a part that was taken out.
const TAKEN_OUT: &str = "[taken out by rampart]";
/// What stands for a text that was held back.
const HELD_BACK: &str = "[held back by rampart]";

/// What the rules say of an output.
struct Found {
    /// What is to be said of it; `None` if it may be seen.
    why: Option<String>,
    /// Whether taking out what was found is enough.
    in_parts: bool,
}

impl Desk<'_> {
    /// Decides about what a call put out, and tells what the library stopped meanwhile.
    pub fn after(&mut self, payload: &Payload) -> Answer {
        let answer = self.seen(payload);
        let output = payload.output.as_ref().map(text_of).unwrap_or_default();
        let denied = denials::during(self.environment(), payload, &output);
        let written = match payload.event {
            Event::After => self.written(payload, false),
            _ => None,
        };
        let more: Vec<String> = denied.into_iter().chain(written).collect();
        match (answer, (!more.is_empty()).then(|| more.join("\n"))) {
            (Answer::Nothing, Some(more)) => Answer::Add(more),
            (Answer::HoldBack(why, shown), Some(more)) => {
                Answer::HoldBack(format!("{why}\n{more}"), shown)
            }
            (answer, _) => answer,
        }
    }

    /// Whether the output may be seen.
    pub fn seen(&mut self, payload: &Payload) -> Answer {
        let Some(output) = payload.output.as_ref().filter(|_| payload.event == Event::After) else {
            return Answer::Nothing;
        };
        let cases = match calls::cases(self.host, payload) {
            Ok(cases) => self.named(cases),
            // It was denied, and has run all the same.
            Err(refused) => {
                return match self.refuse(payload, "input", &refused.0) {
                    Answer::Deny(reason) => Answer::HoldBack(reason, held_back(output)),
                    other => other,
                };
            }
        };
        let text = text_of(output);
        let outputs = cases.iter().map(|case| self.output(case, Some(payload), text.as_bytes()));
        let Some(found) = outputs.into_iter().find(|found| found.why.is_some()) else {
            return Answer::Nothing;
        };
        let reason = found.why.unwrap_or_default();
        self.is_notable = true;
        if self.mode != Mode::Enforce {
            return Answer::Nothing;
        }
        if found.in_parts {
            let patterns = self.judge.patterns.in_text(text.as_bytes());
            let clean = changed(output, &|text| {
                let mut text = text.to_owned();
                for pattern in &patterns {
                    let left = pattern.replace_all(text.as_bytes(), TAKEN_OUT.as_bytes());
                    text = String::from_utf8_lossy(&left).into_owned();
                }
                text
            });
            let rest = text_of(&clean);
            if cases.iter().all(|case| self.output(case, None, rest.as_bytes()).why.is_none()) {
                return Answer::HoldBack(reason, clean);
            }
        }
        Answer::HoldBack(reason, held_back(output))
    }

    /// Judges an output of `case`, and records what a rule is about if it is the call's own.
    fn output(&mut self, case: &Case, payload: Option<&Payload>, text: &[u8]) -> Found {
        let (is_enforced, host) = (self.mode == Mode::Enforce, self.host);
        let environment = self.environment().clone();
        let started = Instant::now();
        let (judge, files) = (&mut self.judge, &self.files);
        self.surroundings.ask(case, |request| {
            judge.judge_output((request, text), files, |verdict, _| {
                let is_denied = verdict.action == Action::Deny;
                if !is_denied && verdict.action != Action::Watch {
                    return Found { why: None, in_parts: false };
                }
                let outcome = match (is_denied, is_enforced) {
                    (false, _) => Outcome::Allowed,
                    (true, true) => Outcome::Denied,
                    (true, false) => Outcome::NotEnforced,
                };
                let id = payload.map(|payload| {
                    let took = started.elapsed();
                    let told = Told { hook: host.entrance().1, outcome, answered_by: "", took };
                    record::of_call(request, verdict, &environment, &told, (&payload.call, None))
                });
                let only_denies = verdict.matched.iter().all(|found| {
                    let action = u8::try_from(found.action).ok().and_then(Action::from_code);
                    !matches!(action, Some(Action::Ask | Action::Webhook) | None)
                });
                let id = id.unwrap_or([b'0'; 26]);
                let why = format!(
                    "rampart: held back: [{}] {} (id {})",
                    crate::serve::weigh::rule(verdict),
                    crate::bytes::visible(verdict.message),
                    String::from_utf8_lossy(id.get(22..).unwrap_or_default())
                );
                Found { why: is_denied.then_some(why), in_parts: only_denies }
            })
        })
    }
}

/// Every text in `output`, names of members too, one a line.
fn text_of(output: &Value) -> String {
    match output {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join("\n"),
        Value::Object(members) => {
            let each = |(name, value): (&String, &Value)| format!("{name}\n{}", text_of(value));
            members.iter().map(each).collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The same shape with other texts.
fn changed(output: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match output {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.iter().map(|item| changed(item, change)).collect(),
        Value::Object(members) => {
            let each = |(name, value): (&String, &Value)| (name.clone(), changed(value, change));
            Value::Object(members.iter().map(each).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// The same shape with nothing in it.
pub fn held_back(output: &Value) -> Value {
    changed(output, &|text| if text.is_empty() { String::new() } else { HELD_BACK.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shapes_are_kept() {
        let output = json!({"stdout": "a", "lines": ["b", {"c": ""}], "code": 0, "x": null});
        assert_eq!(text_of(&output), "stdout\na\nlines\nb\nc\n\ncode\n0\nx\n");
        let held =
            json!({"stdout": HELD_BACK, "lines": [HELD_BACK, {"c": ""}], "code": 0, "x": null});
        assert_eq!(held_back(&output), held);
    }
}
