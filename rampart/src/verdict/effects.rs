//! The effects of a call, for those who decide about it: people, services, and models.

use crate::bytes;
use crate::code::{Found, Reader};
use evaluator::World;
use evaluator::command::Tree;
use evaluator::effects::{Around, Kind};
use serde::Serialize;

/// How many things of one kind are named.
const NAMED: usize = 12;

/// How much of one is shown, in characters.
const WIDTH: usize = 120;

/// One kind of effect, and what it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    #[serde(skip)]
    kind: Kind,
    /// Its name.
    effect: &'static str,
    /// What it is on, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    on: Vec<String>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The effects of all commands of `tree`, and of the Python and JavaScript that they are given, one entry for
/// each kind, in the order of their kinds. Scripts are read if there is a `world` to read them from. What is
/// secret by its look is masked.
pub fn told(tree: &Tree<'_>, around: &Around<'_>, world: Option<&dyn World>) -> Vec<Told> {
    let mut reader = Reader::new(around.home, world);
    reader.tree(tree, around);
    of_found(&reader.found)
}

/// The same of effects that were found before.
pub fn of_found(found: &[Found]) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    for effect in found {
        let at = match all.iter().position(|told| told.kind == effect.kind) {
            Some(at) => at,
            None => {
                let name = effect.kind.name();
                all.push(Told { kind: effect.kind, effect: name, on: Vec::new(), more: 0 });
                all.len() - 1
            }
        };
        let Some(told) = all.get_mut(at).filter(|_| !effect.subject.is_empty()) else {
            continue;
        };
        let subject = shown(&effect.subject);
        if told.on.contains(&subject) {
            continue;
        }
        match told.on.len() < NAMED {
            true => told.on.push(subject),
            false => told.more += 1,
        }
    }
    all.sort_by_key(|told| told.kind);
    all
}

/// A line for each kind, for people.
pub fn lines(tree: &Tree<'_>, around: &Around<'_>, world: Option<&dyn World>) -> Vec<String> {
    let line = |told: &Told| {
        let more = match told.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let on = told.on.join(", ");
        let colon = if on.is_empty() { "" } else { ": " };
        format!("{}{colon}{on}{more}", told.kind.phrase())
    };
    told(tree, around, world).iter().map(line).collect()
}

/// A subject, with `…` for what of it is not known.
fn shown(subject: &[u8]) -> String {
    let mut masked = Vec::new();
    evaluator::redact::masked(subject, &mut |piece| masked.extend_from_slice(piece));
    let pieces = masked.split(|byte| *byte == evaluator::command::UNKNOWN);
    let text = pieces.map(bytes::visible).collect::<Vec<_>>().join("…");
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evaluator::Cwd;
    use evaluator::command::{Command, Run, Span, Word};

    #[test]
    fn many_subjects_are_counted_and_unknown_parts_marked() {
        let mut text = b"rm".to_vec();
        let mut words = vec![Word { text: Span { start: 0, len: 2 }, ..Word::default() }];
        for number in 10..30 {
            let start = u32::try_from(text.len()).unwrap();
            text.extend_from_slice(format!("/x/\0{number}").as_bytes());
            words.push(Word { text: Span { start, len: 6 }, ..Word::default() });
        }
        let commands = [Command { words: Run { first: 0, count: 21 }, ..Command::default() }];
        let tree = Tree {
            text: &text,
            words: &words,
            commands: &commands,
            redirects: &[],
            outcome: evaluator::command::Outcome::Complete,
            is_cut: false,
            work: 0,
        };
        let around = Around { cwd: Cwd::Known(b"/w"), home: b"" };
        let lines = lines(&tree, &around, None);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines.iter().all(|line| line.contains("/x/…10, ") && line.ends_with(" and 8 more"))
        );
    }
}
