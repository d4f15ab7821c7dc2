//! Cases that say what code would do and what that should come to, and how many of them are right. Nothing in
//! them is executed, and no file is looked at.

use super::config::Config;
use super::weigh::{Decision, Place, weigh};
use crate::code::{Found, Language, Reader};
use evaluator::effects::Kind;
use evaluator::world::NoWorld;
use std::collections::BTreeSet;

/// Where everything happens.
pub const CWD: &[u8] = b"/home/dev/project";
/// Whose home it is.
pub const HOME: &[u8] = b"/home/dev";

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The line that it begins on.
    pub line: usize,
    /// Whether it is an attack.
    pub is_attack: bool,
    /// What it should come to.
    pub decision: Decision,
    /// What it should do.
    pub effects: BTreeSet<&'static str>,
    /// Of what it is.
    pub form: Form,
    /// The text.
    pub text: String,
}

/// Of what a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text for a shell, a script of a shell among it.
    Shell,
    /// A script of this name.
    Script(Language, &'static str),
}

/// The cases of a text; each begins with `=== KIND DECISION FORM: EFFECTS`.
///
/// # Errors
/// Which line is none.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut all: Vec<Case> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("=== "), all.last_mut()) {
            (Some(head), _) => {
                let wrong = || format!("line {}: `{line}` begins no case", at + 1);
                all.push(Case { line: at + 1, ..head_of(head).ok_or_else(wrong)? });
            }
            (None, Some(case)) => {
                case.text.push_str(line);
                case.text.push('\n');
            }
            (None, None) => return Err(format!("line {}: it belongs to no case", at + 1)),
        }
    }
    Ok(all)
}

fn head_of(head: &str) -> Option<Case> {
    let (what, effects) = head.split_once(':')?;
    let mut words = what.split(' ');
    let is_attack = match words.next()? {
        "attack" => true,
        "benign" => false,
        _ => return None,
    };
    let all = [Decision::Allow, Decision::Ask, Decision::Deny];
    let decision = words.next()?;
    let decision = all.into_iter().find(|one| one.name() == decision)?;
    let form = match words.next()? {
        "sh" | "bash" => Form::Shell,
        "py" => Form::Script(Language::Python, "script.py"),
        "js" => Form::Script(Language::JavaScript, "script.js"),
        "ts" => Form::Script(Language::JavaScript, "script.ts"),
        "tsx" => Form::Script(Language::JavaScript, "script.tsx"),
        _ => return None,
    };
    let kind = |name: &str| Kind::ALL.into_iter().find(|kind| kind.name() == name).map(Kind::name);
    let effects = effects.split_whitespace().map(kind).collect::<Option<_>>()?;
    Some(Case { line: 0, is_attack, decision, effects, form, text: String::new() })
}

/// What a text does.
pub fn effects(form: Form, text: &str) -> Vec<Found> {
    let mut reader = Reader::new(HOME, Some(&NoWorld));
    match form {
        Form::Shell => reader.shell(text.trim_end().as_bytes(), Some(CWD)),
        Form::Script(language, name) => {
            let path = [CWD, b"/", name.as_bytes()].concat();
            reader.script(language, path, text.as_bytes().to_vec(), Some(CWD));
        }
    }
    reader.found
}

/// What became of some cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// How many there are.
    pub all: usize,
    /// How many have exactly the effects that they should.
    pub right: usize,
    /// How many state effects.
    pub stated: usize,
    /// How many came to what they should.
    pub agreed: usize,
    /// Attacks.
    pub attacks: usize,
    /// Attacks that were denied.
    pub denied: usize,
    /// Attacks that were asked about.
    pub asked: usize,
    /// Benign ones.
    pub benign: usize,
    /// Benign ones that were denied.
    pub falsely_denied: usize,
    /// Benign ones that were asked about.
    pub falsely_asked: usize,
}

impl Score {
    /// Counts one case more; what it was, where that is not what it should be.
    pub fn count(
        &mut self,
        (is_attack, expected): (bool, Option<(Decision, &BTreeSet<&'static str>)>),
        found: &[Found],
        config: &Config,
    ) -> Option<String> {
        let weighed = weigh(found, config, Place { cwd: Some(CWD) });
        let effects: BTreeSet<&'static str> = found.iter().map(|one| one.kind.name()).collect();
        self.all += 1;
        match (is_attack, weighed.decision) {
            (true, Decision::Deny) => self.denied += 1,
            (true, Decision::Ask) => self.asked += 1,
            (false, Decision::Deny) => self.falsely_denied += 1,
            (false, Decision::Ask) => self.falsely_asked += 1,
            (_, Decision::Allow) => {}
        }
        self.attacks += usize::from(is_attack);
        self.benign += usize::from(!is_attack);
        let listed =
            |all: &BTreeSet<&'static str>| all.iter().copied().collect::<Vec<_>>().join(" ");
        let Some((decision, wanted)) = expected else {
            let is_wrong = is_attack == (weighed.decision == Decision::Allow)
                || !is_attack && weighed.decision == Decision::Deny;
            return is_wrong.then(|| format!("{} [{}]", weighed.decision.name(), listed(&effects)));
        };
        self.stated += 1;
        let is_right = effects == *wanted;
        let agrees = weighed.decision == decision;
        self.right += usize::from(is_right);
        self.agreed += usize::from(agrees);
        (!is_right || !agrees).then(|| {
            format!(
                "{} [{}], not {} [{}]",
                weighed.decision.name(),
                listed(&effects),
                decision.name(),
                listed(wanted)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verdict has to be there in a millisecond: what it costs is counted, as time is nothing that a test
    /// can rely on. An expression takes some 100 ns.
    #[test]
    fn a_script_of_200_lines_is_little_work() {
        let text = include_str!("../../tests/verify/cases/benign_long.txt");
        let case = parse(text).unwrap().pop().unwrap();
        assert!(case.text.lines().count() >= 200);
        let mut reader = Reader::new(HOME, Some(&NoWorld));
        let before = reader.fuel;
        let text = case.text.as_bytes().to_vec();
        reader.script(Language::Python, b"/home/dev/project/a.py".to_vec(), text, Some(CWD));
        let used = before - reader.fuel;
        assert!((500..3000).contains(&used), "{used} expressions");
    }

    #[test]
    fn what_begins_no_case_is_an_error() {
        for text in [
            "x",
            "=== x",
            "=== benign allow py: flies",
            "=== benign perhaps py:",
            "=== good allow py:",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
