//! What a service said: taken for an answer only if every part of it is as it should be. It comes
//! over a network, and its words are shown to an agent.

use super::Answer;
use serde::Deserialize;

/// Longest reply, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// Longest reason that is passed on, in bytes before it is escaped.
const REASON: usize = 300;

/// The reply. Members that are not named here are the service's own.
#[derive(Deserialize)]
struct Reply {
    decision: String,
    #[serde(default)]
    reason: String,
    id: Option<String>,
    nonce: Option<String>,
}

/// What tells one question from every other.
pub struct Bound<'a> {
    /// Its id.
    pub id: &'a str,
    /// A number that was used once.
    pub nonce: &'a str,
    /// Whether the reply has to repeat both; if not, what it repeats must be right all the same.
    pub is_required: bool,
}

/// The answer in a reply with this status, media type and body.
///
/// # Errors
/// What is wrong with it.
pub fn read(status: u16, media: &str, body: &[u8], bound: &Bound<'_>) -> Result<Answer, String> {
    if !(200..300).contains(&status) {
        return Err(format!("it answers with HTTP status {status}"));
    }
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" {
        let shown = crate::bytes::visible(essence.get(..40).unwrap_or(&essence).as_bytes());
        return Err(format!("its answer is of type `{shown}`, not application/json"));
    }
    if body.len() > LONGEST {
        return Err("its answer is longer than 64 KiB".to_owned());
    }
    let reply: Reply = serde_json::from_slice(body)
        .map_err(|error| format!("its answer is not one JSON object as it should be: {error}"))?;
    for (name, found, sent) in [("id", &reply.id, bound.id), ("nonce", &reply.nonce, bound.nonce)] {
        match found {
            Some(found) if found == sent => {}
            Some(_) => return Err(format!("its answer is for another question (`{name}`)")),
            None if bound.is_required => return Err(format!("its answer lacks `{name}`")),
            None => {}
        }
    }
    let why = reason(&reply.reason);
    match reply.decision.trim().to_ascii_lowercase().as_str() {
        "allow" => Ok(Answer::Yes(why)),
        "deny" => Ok(Answer::No(why)),
        "ask" => Ok(Answer::Ask(why)),
        "none" => Ok(Answer::None(why)),
        _ => Err("its `decision` is none of `allow`, `deny`, `ask` and `none`".to_owned()),
    }
}

/// The reason as it may be shown: short, on one line, nothing in it that acts on the reader.
fn reason(text: &str) -> String {
    let text = text.trim();
    let end = (0..=REASON.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let head = text.get(..end.unwrap_or(0)).unwrap_or_default();
    let mut masked = Vec::new();
    evaluator::redact::masked(head.as_bytes(), &mut |piece| masked.extend_from_slice(piece));
    let mut shown = crate::bytes::visible(&masked);
    if head.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_answer_and_what_is_none() {
        let yes = |why: &str| Ok(Answer::Yes(why.to_owned()));
        let no = |why: &str| Ok(Answer::No(why.to_owned()));
        let none = |why: &str| Err::<Answer, _>(why.to_owned());
        let json = "application/json";
        let cases = [
            (200, json, r#"{"decision":"allow"}"#, yes("")),
            (204, json, r#"{"decision":"allow"}"#, yes("")),
            (200, "Application/JSON; charset=utf-8", r#"{"decision":" ALLOW ","x":[1]}"#, yes("")),
            (
                200,
                json,
                r#"{"decision":"deny","reason":"no\u001b[31m\nway"}"#,
                no(r"no\x1b[31m\nway"),
            ),
            (200, json, r#"{"decision":"allow","id":"I","nonce":"N"}"#, yes("")),
            (200, json, r#"{"decision":"allow","id":"J","nonce":"N"}"#, none("another question")),
            (200, json, r#"{"decision":"allow","nonce":"M"}"#, none("another question")),
            (200, json, r#"{"decision":"allow","decision":"deny"}"#, none("duplicate")),
            (200, json, r#"{"decision":"allow"}{"decision":"allow"}"#, none("one JSON object")),
            (200, json, r#"{"decision":"allow""#, none("one JSON object")),
            (200, json, r#"[{"decision":"allow"}]"#, none("one JSON object")),
            (200, json, r#"{"decision":true}"#, none("one JSON object")),
            (200, json, r#"{"decision":"not allowed"}"#, none("none of")),
            (200, json, r#"{"decision":"ask","reason":"x"}"#, Ok(Answer::Ask("x".to_owned()))),
            (200, json, r#"{"decision":"none"}"#, Ok(Answer::None(String::new()))),
            (500, json, r#"{"decision":"ask"}"#, none("500")),
            (200, json, r#"{"allow":true}"#, none("decision")),
            (200, json, "", none("one JSON object")),
            (200, "text/html", r#"{"decision":"allow"}"#, none("text/html")),
            (200, "", r#"{"decision":"allow"}"#, none("application/json")),
            (302, json, r#"{"decision":"allow"}"#, none("302")),
            (500, json, r#"{"decision":"allow"}"#, none("500")),
        ];
        let bound = Bound { id: "I", nonce: "N", is_required: false };
        for (status, media, body, expected) in cases {
            match (read(status, media, body.as_bytes(), &bound), expected) {
                (Err(found), Err(part)) => assert!(found.contains(&part), "{body}: {found}"),
                (found, expected) => assert_eq!(found, expected, "{status} {media} {body}"),
            }
        }
        let bound = Bound { is_required: true, ..bound };
        for (body, part) in [
            (r#"{"decision":"allow","id":"I"}"#, "lacks `nonce`"),
            (r#"{"decision":"deny"}"#, "lacks `id`"),
        ] {
            let found = read(200, json, body.as_bytes(), &bound).unwrap_err();
            assert!(found.contains(part), "{found}");
        }
        let whole = br#"{"nonce":"N","decision":"allow","id":"I"}"#;
        assert_eq!(read(200, json, whole, &bound), yes(""));
    }

    #[test]
    fn a_reason_is_short_and_holds_no_secret() {
        assert_eq!(reason(&"ä".repeat(1000)), format!("{}…", "ä".repeat(150)));
        assert_eq!(reason(" --token hunter2 "), "--token [masked]");
        let long = vec![b' '; LONGEST + 1];
        let bound = Bound { id: "", nonce: "", is_required: false };
        let found = read(200, "application/json", &long, &bound).unwrap_err();
        assert!(found.contains("64 KiB"), "{found}");
    }
}
