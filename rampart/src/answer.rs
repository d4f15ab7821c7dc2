//! What an evaluator answered to an ask, for those who ask in the place of a program: the helper and
//! the supervisor.

use crate::channel::Packet;
use crate::serve::passed;
use crate::webhook;
use evaluator::Action;
use evaluator::settle::Settled;
use evaluator::wire::{Body, Kind, Tag};

/// What the evaluator said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go ahead: on whose word.
    Yes(&'static str),
    /// Do not: on whose word, and what they said about it.
    No(&'static str, String),
    /// Nobody can be asked, or nobody answered: the local policy says what that comes to.
    Nobody(&'static str),
}

impl Answer {
    /// What `packet` says.
    pub fn of(packet: &Packet) -> Self {
        let Ok(body) = Body::read(&packet.body) else {
            return Self::Nobody("on_no_approver");
        };
        let action = match (packet.kind, body.one(Tag::Action)) {
            (Kind::Answer, Some([code])) => Action::from_code(*code),
            _ => None,
        };
        let by = body.one(Tag::By).unwrap_or_default();
        let known = |word: &&&'static str| word.as_bytes() == by;
        let by = WORDS.iter().find(known).copied();
        match action {
            Some(Action::Allow) => Self::Yes(by.unwrap_or("approver")),
            Some(Action::Deny) => {
                let why = crate::bytes::visible(body.one(Tag::Message).unwrap_or_default());
                Self::No(by.unwrap_or("policy"), why)
            }
            _ if body.one(Tag::By) == Some(b"expired") => Self::Nobody("expired"),
            _ => Self::Nobody("on_no_approver"),
        }
    }

    /// What it comes to, where `alone` is what no answer comes to; and what was said about it.
    pub fn settled(self, alone: Settled) -> (Settled, String) {
        match self {
            Self::Yes(by) => (Settled { permitted: true, answered_by: by }, String::new()),
            Self::No(by, why) => (Settled { permitted: false, answered_by: by }, why),
            Self::Nobody(by) => {
                let by = if alone.permitted { alone.answered_by } else { by };
                (Settled { answered_by: by, ..alone }, String::new())
            }
        }
    }
}

/// The rule's message, and behind it what a service said.
pub fn with_reason(message: &[u8], reason: &str) -> Vec<u8> {
    match reason {
        "" => message.to_vec(),
        reason => [message, b" (the service: ", reason.as_bytes(), b")"].concat(),
    }
}

/// On whose word an evaluator answers.
const WORDS: [&str; 6] = [
    webhook::SERVICE,
    webhook::FAIL_OPEN,
    webhook::FAILED,
    "approver",
    "policy",
    passed::EVALUATOR,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Fields, body_of};

    #[test]
    fn only_an_answer_is_one() {
        let said = |kind, action: &[u8], by: &[u8]| Packet {
            kind,
            body: body_of(&Fields::default().with(Tag::Action, action).with(Tag::By, by)),
        };
        let allow = [Action::Allow as u8];
        let deny = [Action::Deny as u8];
        let cases = [
            (said(Kind::Answer, &allow, b"approver"), Answer::Yes("approver")),
            (said(Kind::Answer, &allow, b"policy"), Answer::Yes("policy")),
            (said(Kind::Answer, &deny, b"approver"), Answer::No("approver", String::new())),
            (said(Kind::Answer, &deny, b"policy"), Answer::No("policy", String::new())),
            (said(Kind::Answer, b"", b"expired"), Answer::Nobody("expired")),
            (said(Kind::Answer, &[200], b"approver"), Answer::Nobody("on_no_approver")),
            (said(Kind::Report, &allow, b"approver"), Answer::Nobody("on_no_approver")),
            (Packet { kind: Kind::Answer, body: vec![1] }, Answer::Nobody("on_no_approver")),
        ];
        for (packet, expected) in cases {
            assert_eq!(Answer::of(&packet), expected);
        }
    }
}
