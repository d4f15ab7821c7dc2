//! What effects come to, without a model: rules of the configuration first, then a table of defaults. Work
//! inside of the working directory goes ahead; what leaves it, or others, is asked about; what hardly ever
//! is meant is denied.

use super::config::{Config, Rule};
use crate::code::Found;
use evaluator::command::UNKNOWN;
use evaluator::effects::{Kind, is_disk};
use serde::{Deserialize, Serialize};

/// What a call comes to, from the least strict to the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It may go ahead.
    #[default]
    Allow,
    /// A person is to say it.
    Ask,
    /// It may not.
    Deny,
}

impl Decision {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// What effects come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// The strictest of what each comes to.
    pub decision: Decision,
    /// Why, for whoever asks; empty where nothing speaks against it.
    pub reason: String,
    /// Whether everything that asks is what a model may allow.
    pub may_be_allowed: bool,
}

/// Where a call is made.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The working directory, if it is known.
    pub cwd: Option<&'a [u8]>,
}

/// How many reasons are told.
const TOLD: usize = 3;

/// Weighs effects by the rules of `config`, and the defaults.
pub fn weigh(found: &[Found], config: &Config, place: Place<'_>) -> Weighed {
    let mut weighed = Weighed { may_be_allowed: true, ..Weighed::default() };
    let mut reasons: Vec<(Decision, String)> = Vec::new();
    for one in found {
        let rule = config.rules.iter().find(|rule| fits(rule, one));
        let decision = match rule {
            // That secrets leave is not what a rule on sending was written for.
            Some(rule) if !(one.leaks && rule.decision == Decision::Allow) => rule.decision,
            _ => default(one, place),
        };
        if decision == Decision::Allow {
            continue;
        }
        let may_loosen = rule.is_some_and(|rule| rule.verifier_may_allow);
        weighed.may_be_allowed &= decision == Decision::Ask && may_loosen && !one.leaks;
        weighed.decision = weighed.decision.max(decision);
        let reason = (decision, told(one));
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    weighed.may_be_allowed &= weighed.decision == Decision::Ask;
    let strictest = reasons.iter().filter(|(decision, _)| *decision == weighed.decision);
    let all: Vec<&str> = strictest.map(|(_, text)| text.as_str()).collect();
    weighed.reason = all.iter().take(TOLD).copied().collect::<Vec<_>>().join("; ");
    if all.len() > TOLD {
        weighed.reason.push_str(&format!("; and {} more", all.len() - TOLD));
    }
    weighed
}

fn fits(rule: &Rule, found: &Found) -> bool {
    let is_on =
        |glob: &String| evaluator::glob::path(glob.as_bytes(), &found.subject, false) == Some(true);
    rule.effects.contains(&found.kind) && (rule.on.is_empty() || rule.on.iter().any(is_on))
}

/// What an effect comes to where no rule says it.
fn default(found: &Found, place: Place<'_>) -> Decision {
    let subject = found.subject.as_slice();
    if found.leaks {
        return Decision::Deny;
    }
    match found.kind {
        Kind::DeletesOutside => Decision::Deny,
        // A package's name is said by whoever wants it; what flows in from the network is not.
        Kind::RunsFetchedCode if subject.is_empty() => Decision::Deny,
        Kind::ChangesSystem if is_disk(subject) => Decision::Deny,
        Kind::ReadsSecret if is_inside(subject, place) => Decision::Allow,
        Kind::Sends if is_here(subject) => Decision::Allow,
        Kind::Installs if !subject.windows(3).any(|part| part == b"://") => Decision::Allow,
        Kind::Stops if subject != b"-1" => Decision::Allow,
        Kind::Deletes | Kind::Writes | Kind::Fetches | Kind::RunsScript => Decision::Allow,
        _ => Decision::Ask,
    }
}

/// Whether a path lies in the working directory.
fn is_inside(path: &[u8], place: Place<'_>) -> bool {
    let Some(cwd) = place.cwd else { return false };
    let mut room = [0; 4096];
    let clean = evaluator::path::clean(cwd, path, &mut room);
    !path.contains(&UNKNOWN)
        && path.first() != Some(&b'~')
        && clean
            .and_then(|path| path.strip_prefix(cwd))
            .is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Whether an address is this machine's own.
fn is_here(address: &[u8]) -> bool {
    let rest = address
        .iter()
        .position(|byte| *byte == b':')
        .filter(|at| address.get(*at..).is_some_and(|rest| rest.starts_with(b"://")));
    let rest = rest.and_then(|at| address.get(at + 3..)).unwrap_or(address);
    let end = rest.iter().position(|byte| b"/:?#".contains(byte)).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    matches!(host, b"localhost" | b"127.0.0.1") || rest.starts_with(b"[::1]")
}

/// An effect in words.
fn told(found: &Found) -> String {
    let verb = match found.leaks {
        true => "sends credentials over the network",
        false => found.kind.phrase(),
    };
    let mut masked = Vec::new();
    evaluator::redact::masked(&found.subject, &mut |piece| masked.extend_from_slice(piece));
    let on = crate::bytes::visible(&masked);
    let short: String = on.chars().take(80).collect();
    match short.is_empty() {
        true => format!("it {verb}"),
        false => format!("it {verb}: {short}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: Kind, subject: &str) -> Found {
        Found { kind, subject: subject.as_bytes().to_vec(), leaks: false }
    }

    #[test]
    fn rules_come_before_defaults_and_never_let_secrets_leave() {
        let rule = |kind, on: &str, decision, verifier_may_allow| Rule {
            effects: vec![kind],
            on: vec![on.to_owned()],
            decision,
            verifier_may_allow,
        };
        let config = Config {
            rules: vec![
                rule(Kind::Sends, "https://ci.example/**", Decision::Allow, false),
                rule(Kind::ChangesShared, "**", Decision::Ask, true),
                rule(Kind::Deletes, "keep/**", Decision::Deny, false),
            ],
            ..Config::default()
        };
        let place = Place { cwd: Some(b"/w") };
        let said = |found: &[Found]| {
            let weighed = weigh(found, &config, place);
            (weighed.decision, weighed.may_be_allowed)
        };
        let sends = one(Kind::Sends, "https://ci.example/a");
        assert_eq!(said(&[]), (Decision::Allow, false));
        assert_eq!(said(std::slice::from_ref(&sends)), (Decision::Allow, false));
        assert_eq!(said(&[Found { leaks: true, ..sends }]), (Decision::Deny, false));
        assert_eq!(said(&[one(Kind::Deletes, "keep/a")]), (Decision::Deny, false));
        let shared = one(Kind::ChangesShared, "x");
        assert_eq!(said(std::slice::from_ref(&shared)), (Decision::Ask, true));
        // One of two may not be loosened.
        assert_eq!(said(&[shared.clone(), one(Kind::Persists, "")]), (Decision::Ask, false));
        assert_eq!(said(&[shared, one(Kind::DeletesOutside, "/")]), (Decision::Deny, false));
    }

    #[test]
    fn addresses_of_this_machine() {
        for (address, here) in [
            ("http://localhost:80/x", true),
            ("127.0.0.1", true),
            ("http://[::1]/", true),
            ("http://localhost.evil.example/", false),
            ("http://evil.example/?http://localhost", false),
            ("", false),
        ] {
            assert_eq!(is_here(address.as_bytes()), here, "{address}");
        }
    }
}
