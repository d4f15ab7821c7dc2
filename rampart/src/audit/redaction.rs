//! What an organisation wants taken out of events beyond the credentials that the library masks:
//! regular expressions, looked for in every text of an event when it is merged and when it is sent.

use regex::Regex;
use serde_json::Value;
use std::borrow::Cow;

/// What stands in place of a match, as the library writes it.
const MASK: &str = "[masked]";

/// The expressions.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    all: Vec<Regex>,
}

impl Redaction {
    /// # Errors
    /// Which expression is none, and why.
    pub fn new(expressions: &[String]) -> Result<Self, String> {
        let one = |text: &String| {
            let limited = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
            limited.map_err(|error| format!("redact: `{text}` is no regular expression: {error}"))
        };
        Ok(Self { all: expressions.iter().map(one).collect::<Result<_, _>>()? })
    }

    /// The event on `line` with every match masked. What is no JSON object stays as it is.
    pub fn line<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        if self.all.is_empty() {
            return Cow::Borrowed(line);
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(line) else {
            return Cow::Borrowed(line);
        };
        match self.mask(&mut value) {
            true => Cow::Owned(value.to_string().into_bytes()),
            false => Cow::Borrowed(line),
        }
    }

    /// `event` with every match masked.
    pub fn event(&self, mut event: Value) -> Value {
        self.mask(&mut event);
        event
    }

    /// Masks in every text of `value`; whether there was anything.
    fn mask(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let mut found = false;
                for one in &self.all {
                    if let Cow::Owned(masked) = one.replace_all(text, MASK) {
                        *text = masked;
                        found = true;
                    }
                }
                found
            }
            Value::Array(items) => {
                items.iter_mut().fold(false, |found, item| self.mask(item) | found)
            }
            Value::Object(members) => {
                // What the log's own order and search go by is no text of anybody's.
                let fixed = ["id", "time", "outcome", "action", "hash", "prev"];
                let texts = members.iter_mut().filter(|(name, _)| !fixed.contains(&name.as_str()));
                texts.fold(false, |found, (_, value)| self.mask(value) | found)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked() {
        let expressions = ["ACME-[0-9]{4}", "(?i)customer=[^ &]+", "^secret$"].map(String::from);
        let redaction = Redaction::new(&expressions).unwrap();
        let cases = [
            (r#"{"argv":["x","ACME-1234"]}"#, r#"{"argv":["x","[masked]"]}"#),
            (r#"{"argv":["a=ACME-12345 ACME-0000"]}"#, r#"{"argv":["a=[masked]5 [masked]"]}"#),
            (r#"{"url":"https://h/?Customer=me&x=1"}"#, r#"{"url":"https://h/?[masked]&x=1"}"#),
            (
                r#"{"a":{"len":9,"head":"ACME-9999"},"b":"secret"}"#,
                r#"{"a":{"len":9,"head":"[masked]"},"b":"[masked]"}"#,
            ),
            (
                r#"{"id":"ACME-1234","argv":["ACME-123","secrets"]}"#,
                r#"{"id":"ACME-1234","argv":["ACME-123","secrets"]}"#,
            ),
            (r#"{"v": 1,  "x":"\u0041CME-1234"}"#, r#"{"v":1,"x":"[masked]"}"#),
            (r#"{"v": 1 }"#, r#"{"v": 1 }"#),
            ("no JSON ACME-1234", "no JSON ACME-1234"),
        ];
        for (line, expected) in cases {
            let found = redaction.line(line.as_bytes()).into_owned();
            assert_eq!(String::from_utf8(found).unwrap(), expected);
        }
        assert!(Redaction::new(&["(".to_owned()]).is_err());
        assert!(Redaction::new(&["(a{1000}){1000}".to_owned()]).is_err());
    }
}
