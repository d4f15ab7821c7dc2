//! Commands that code runs: put together as a shell would read them, and read as shell text.

use super::table::Does;
use super::value::{FETCHED, SECRET, Value, What};
use super::walk::{Given, Walker};
use evaluator::command::UNKNOWN;
use evaluator::effects::Kind;

impl<'t> Walker<'_, '_, 't> {
    /// Runs a command; what it puts out.
    pub fn runs(&mut self, name: &str, does: Does, given: &[Given<'t>]) -> Value<'t> {
        let unnamed = given.iter().filter(|one| one.name.is_none()).map(|one| one.value);
        let values = self.arena.all(unnamed);
        let named = given.iter().find(|one| matches!(one.name, Some("args" | "cmd")));
        let first = named.map(|one| one.value).or(values.first().copied()).unwrap_or_default();
        let line = |words: &[Value<'t>]| {
            let words: Vec<Vec<u8>> = words.iter().map(quoted).collect();
            words.join(&b' ')
        };
        let rest = values.iter().skip(1).find(|value| !value.elements().is_empty());
        let text = match does {
            Does::Words => {
                // The second is what the program is told that it is called.
                let skip = usize::from(name.starts_with("os."));
                let words = [
                    values.get(..1).unwrap_or_default(),
                    values.get(1 + skip..).unwrap_or_default(),
                ];
                line(&words.concat())
            }
            Does::Argv => {
                let program = if name.contains("spawnv") { values.get(1) } else { values.first() };
                let words = rest.map(|rest| rest.elements()).unwrap_or_default();
                let program = program.copied().unwrap_or_default();
                line(&[&[program], words.get(1..).unwrap_or_default()].concat())
            }
            _ if !first.elements().is_empty() => line(first.elements()),
            _ if rest.is_some() => line(
                &[
                    std::slice::from_ref(&first),
                    rest.map(|rest| rest.elements()).unwrap_or_default(),
                ]
                .concat(),
            ),
            _ => substituted(first),
        };
        self.run_text(&text, name, first, given)
    }

    fn run_text(
        &mut self,
        text: &[u8],
        name: &str,
        first: Value<'t>,
        given: &[Given<'t>],
    ) -> Value<'t> {
        let in_words = given.iter().filter(|one| {
            one.name.is_none_or(|name| matches!(name, "args" | "cmd" | "input" | "stdin"))
                && !matches!(one.value.what, What::Map(_))
        });
        let taint = in_words.fold(0, |taint, one| taint | one.value.whole_taint());
        let was_fetched = self
            .fetched
            .iter()
            .any(|path| !path.is_empty() && text.windows(path.len()).any(|window| window == *path));
        if first.whole_taint() & FETCHED != 0 || was_fetched {
            self.say(Kind::RunsFetchedCode, &[], false);
        }
        let cwd = match cwd_option(given) {
            Some(path) => self.absolute(path),
            None => self.cwd,
        };
        let before = self.reader.found.len();
        if first.known().is_some_and(<[u8]>::is_empty) || text == b"\"$_unknown\"" {
            if first.whole_taint() & FETCHED == 0 {
                self.say(Kind::RunsUnknownCode, &[], false);
            }
        } else {
            self.reader.shell(text, cwd);
        }
        if taint & SECRET != 0 {
            for one in self.reader.found.iter_mut().skip(before) {
                one.leaks |= matches!(one.kind, Kind::Sends | Kind::Fetches);
            }
        }
        self.result(name).with(taint & SECRET)
    }
}

/// The directory that a command is run in, by its options.
fn cwd_option<'t>(given: &[Given<'t>]) -> Option<Value<'t>> {
    given.iter().find_map(|one| match (one.name, one.value.what) {
        (Some("cwd"), _) => Some(one.value),
        (None, What::Map(all)) => {
            all.iter().find(|(key, _)| *key == b"cwd").map(|(_, value)| *value)
        }
        _ => None,
    })
}

/// Shell text whose unknown parts are variables.
fn substituted(text: Value<'_>) -> Vec<u8> {
    let text = text.bytes();
    if *text == [UNKNOWN] {
        return b"\"$_unknown\"".to_vec();
    }
    let parts: Vec<&[u8]> = text.split(|byte| *byte == UNKNOWN).collect();
    parts.join(&b"$_unknown "[..])
}

/// A word as a shell reads it, what of it is not known as a variable.
fn quoted(value: &Value<'_>) -> Vec<u8> {
    let text = value.bytes();
    let parts: Vec<Vec<u8>> = text
        .split(|byte| *byte == UNKNOWN)
        .map(|part| crate::bytes::shell_line([part]))
        .map(|part| if part == b"''" { Vec::new() } else { part })
        .collect();
    let joined = parts.join(&b"\"$_unknown\""[..]);
    if joined.is_empty() { b"''".to_vec() } else { joined }
}
