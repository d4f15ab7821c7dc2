//! How models are spoken to: what is sent to each kind of endpoint, and what of its reply is an answer. What
//! is not exactly that is none.

use super::config::{Model, Provider};
use super::weigh::Decision;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most tokens of an answer: a decision and a sentence.
pub const ANSWER: u64 = 300;

/// What a model said, and what that used.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// Tokens of the question and of the answer, where it says them.
    pub used: Option<(u64, u64)>,
}

/// The answer that a model has to give: this object, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// What it comes to.
    pub decision: Decision,
    /// Why.
    pub reason: String,
}

impl Said {
    /// The answer in a model's text.
    ///
    /// # Errors
    /// If the text is anything but one such object.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|_| {
            "the model did not answer with the one object that it was asked for".to_owned()
        })
    }
}

/// The schema of [`Said`], for endpoints that hold a model to one.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "decision": {"type": "string", "enum": ["allow", "ask", "deny"]},
            "reason": {"type": "string"},
        },
        "required": ["decision", "reason"],
        "additionalProperties": false,
    })
}

impl Provider {
    /// Where a question goes.
    pub fn address(self, url: Option<&str>) -> String {
        let (default, path) = match self {
            Self::OpenAi => ("https://api.openai.com/v1", "/chat/completions"),
            Self::Anthropic => ("https://api.anthropic.com", "/v1/messages"),
            Self::Ollama => ("http://127.0.0.1:11434", "/api/chat"),
        };
        format!("{}{path}", url.unwrap_or(default).trim_end_matches('/'))
    }

    /// The header lines that a key goes in.
    pub fn headers(self, key: Option<&str>) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        match (self, key) {
            (Self::Anthropic, key) => {
                all.push(("anthropic-version", "2023-06-01".to_owned()));
                all.extend(key.map(|key| ("x-api-key", key.to_owned())));
            }
            (_, Some(key)) => all.push(("authorization", format!("Bearer {key}"))),
            (_, None) => {}
        }
        all
    }

    /// The body of a question.
    pub fn body(self, model: &Model, system: &str, user: &str) -> Value {
        let both =
            json!([{"role": "system", "content": system}, {"role": "user", "content": user}]);
        match self {
            Self::OpenAi => json!({
                "model": model.name,
                "messages": both,
                "max_completion_tokens": ANSWER,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "decision", "strict": true, "schema": schema()},
                },
            }),
            Self::Anthropic => json!({
                "model": model.name,
                "max_tokens": ANSWER,
                "system": system,
                "messages": [{"role": "user", "content": user}],
            }),
            Self::Ollama => json!({
                "model": model.name,
                "messages": both,
                "stream": false,
                "format": schema(),
                "options": {"temperature": 0, "num_predict": ANSWER},
            }),
        }
    }

    /// The reply in a body of status 200.
    ///
    /// # Errors
    /// If it is none of this protocol, or was cut short.
    pub fn read(self, body: &[u8]) -> Result<Reply, String> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|_| "the model's endpoint did not answer with JSON".to_owned())?;
        let at = |path: &str| value.pointer(path);
        // Of several answers none is the answer.
        let is_one =
            |path: &str| at(path).and_then(Value::as_array).is_some_and(|all| all.len() == 1);
        let (is_one, text, end, whole, used) = match self {
            Self::OpenAi => (
                is_one("/choices"),
                at("/choices/0/message/content"),
                at("/choices/0/finish_reason"),
                "stop",
                (at("/usage/prompt_tokens"), at("/usage/completion_tokens")),
            ),
            Self::Anthropic => (
                is_one("/content"),
                at("/content/0/text"),
                at("/stop_reason"),
                "end_turn",
                (at("/usage/input_tokens"), at("/usage/output_tokens")),
            ),
            Self::Ollama => (
                true,
                at("/message/content"),
                at("/done_reason"),
                "stop",
                (at("/prompt_eval_count"), at("/eval_count")),
            ),
        };
        if end.and_then(Value::as_str) != Some(whole) {
            return Err("the model's answer was cut short".to_owned());
        }
        let text = text.and_then(Value::as_str).filter(|_| is_one);
        let text = text.ok_or("the model's endpoint does not speak this protocol")?;
        let used = used.0.and_then(Value::as_u64).zip(used.1.and_then(Value::as_u64));
        Ok(Reply { text: text.to_owned(), used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_object_and_nothing_else() {
        let good = r#" {"reason": "tests", "decision": "allow"} "#;
        let expected = Said { decision: Decision::Allow, reason: "tests".to_owned() };
        assert_eq!(Said::read(good), Ok(expected));
        for text in [
            "",
            "ALLOW",
            "allow",
            r#"{"decision": "allow"}"#,
            r#"{"decision": "ALLOW", "reason": ""}"#,
            r#"{"decision": "not deny", "reason": ""}"#,
            r#"{"decision": "allow", "reason": "", "note": 1}"#,
            r#"{"decision": "deny", "decision": "allow", "reason": ""}"#,
            r#"{"decision": "allow", "reason": ""} {"decision": "deny", "reason": ""}"#,
            r#"[{"decision": "allow", "reason": ""}]"#,
            "```json\n{\"decision\": \"allow\", \"reason\": \"\"}\n```",
            r#"Sure! {"decision": "allow", "reason": ""}"#,
            r#"{"decision": "allow", "reason": ""} I hope this helps."#,
            r#"{"decision": true, "reason": ""}"#,
            r#"{"decision": "allow", "reason": null}"#,
        ] {
            assert!(Said::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_reply_is_whole_and_of_its_protocol() {
        let of = |provider: Provider, text: &str| provider.read(text.as_bytes());
        let said = |text: &str, used| Ok(Reply { text: text.to_owned(), used });
        let (open, claude, local) = (Provider::OpenAi, Provider::Anthropic, Provider::Ollama);
        let good = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
        assert_eq!(of(open, good), said("x", Some((1, 2))));
        let good = r#"{"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#;
        assert_eq!(of(claude, good), said("x", Some((1, 2))));
        let good = r#"{"message":{"content":"x"},"done":true,"done_reason":"stop"}"#;
        assert_eq!(of(local, good), said("x", None));
        for (provider, text) in [
            (open, r#"{"choices":[{"message":{"content":"x"},"finish_reason":"length"}]}"#),
            (open, r#"{"choices":[]}"#),
            (open, r#"{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}"#),
            (
                open,
                r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"},{"message":{"content":"y"},"finish_reason":"stop"}]}"#,
            ),
            (claude, r#"{"content":[{"type":"text","text":"x"}],"stop_reason":"max_tokens"}"#),
            (claude, r#"{"content":[{"type":"tool_use"}],"stop_reason":"end_turn"}"#),
            (
                claude,
                r#"{"content":[{"type":"text","text":"x"},{"type":"text","text":"y"}],"stop_reason":"end_turn"}"#,
            ),
            (local, r#"{"message":{"content":"x"},"done_reason":"length"}"#),
            (local, good.get(..20).unwrap()),
            (local, "[]"),
        ] {
            assert!(of(provider, text).is_err(), "{provider:?} {text}");
        }
    }
}
