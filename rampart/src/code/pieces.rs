//! Which code a command runs: what stands in its words, flows into it, or lies in the file that it names.

use super::reader::{LONGEST, Language, Reader};
use evaluator::command::{Command, CommandFlags, RedirectOp, Tree, UNKNOWN};
use evaluator::effects::Around;
use evaluator::path::{clean, file_name};
use evaluator::{Answer, Cwd};

/// How much of a script is read at first, which is all of most, and at a time then, in bytes.
const FIRST: usize = 16 * 1024;
const MORE: usize = 64 * 1024;

/// A piece of code that a command runs.
pub struct Piece {
    /// Index of the command.
    pub command: usize,
    pub language: Language,
    /// Where it is from; empty for text that was given.
    pub script: Vec<u8>,
    /// The text; `None` if there is none to be had.
    pub text: Option<Vec<u8>>,
    pub cwd: Option<Vec<u8>>,
}

impl Reader<'_> {
    /// The code that a command runs, if it is an interpreter whose language is parsed here.
    pub(super) fn piece(
        &self,
        tree: &Tree<'_>,
        around: &Around<'_>,
        (index, command): (usize, &Command),
    ) -> Option<Piece> {
        let words: Vec<&[u8]> =
            tree.words(command.words).iter().map(|word| tree.bytes(word.text)).collect();
        let (program, rest) = words.split_first()?;
        let moved = command.flags.has(CommandFlags::CWD_CHANGED);
        let cwd = match (moved, around.cwd) {
            (true, _) => Some(tree.bytes(command.cwd)).filter(|cwd| !cwd.is_empty()),
            (false, Cwd::Known(cwd)) => Some(cwd),
            (false, Cwd::Unknown | Cwd::OnDemand) => None,
        };
        let cwd = cwd.map(<[u8]>::to_vec);
        let make = |language, script, text| Piece {
            command: index,
            language,
            script,
            text,
            cwd: cwd.clone(),
        };
        let Some(language) = Language::of(file_name(program)) else {
            let path = absolute(program, cwd.as_deref()).filter(|_| program.contains(&b'/'))?;
            let text = self.read(&path)?;
            let language = of_first_line(&text)?;
            return Some(make(language, path, Some(text)));
        };
        match source(language, rest) {
            Source::Given(text) if text.contains(&UNKNOWN) => None,
            Source::Given(text) => Some(make(language, Vec::new(), Some(text.to_vec()))),
            // It stays a script that was not read.
            Source::File(_) if self.world.is_none() => None,
            Source::File(name) => {
                let path = absolute(name, cwd.as_deref());
                let text = path.as_ref().and_then(|path| self.read(path));
                Some(make(language, path.unwrap_or_else(|| name.to_vec()), text))
            }
            Source::Input => {
                let text = input(tree, command).filter(|text| !text.contains(&UNKNOWN))?;
                Some(make(language, Vec::new(), Some(text.to_vec())))
            }
            Source::Elsewhere => None,
        }
    }

    fn read(&self, path: &[u8]) -> Option<Vec<u8>> {
        let world = self.world?;
        let mut all = Vec::new();
        loop {
            let (begin, length) = (all.len(), if all.is_empty() { FIRST } else { MORE });
            all.resize(begin + length, 0);
            let room = all.get_mut(begin..)?;
            let Answer::Value(piece) = world.read_at(path, begin as u64, room) else {
                return None;
            };
            let count = piece.len();
            all.truncate(begin + count);
            if count < length || all.len() > LONGEST {
                return Some(all);
            }
        }
    }
}

/// Where an interpreter's code is.
enum Source<'t> {
    Given(&'t [u8]),
    File(&'t [u8]),
    /// What flows into it.
    Input,
    /// A module, or nothing that is code.
    Elsewhere,
}

fn source<'t>(language: Language, words: &[&'t [u8]]) -> Source<'t> {
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let is_cluster =
            word.len() > 1 && word.first() == Some(&b'-') && word.get(1) != Some(&b'-');
        match language {
            Language::Python if word == b"-W" || word == b"-X" => {
                words.next();
            }
            Language::Python if is_cluster && word.contains(&b'm') && !word.contains(&b'c') => {
                return Source::Elsewhere;
            }
            Language::Python if is_cluster && word.contains(&b'c') => {
                let at = word.iter().position(|byte| *byte == b'c').unwrap_or(0);
                let rest = word.get(at + 1..).unwrap_or_default();
                let code = if rest.is_empty() { words.next() } else { Some(rest) };
                return code.map_or(Source::Elsewhere, Source::Given);
            }
            Language::JavaScript
                if matches!(
                    word,
                    b"-e" | b"--eval" | b"-p" | b"--print" | b"-pe" | b"-ep" | b"eval"
                ) =>
            {
                return words.next().map_or(Source::Elsewhere, Source::Given);
            }
            Language::JavaScript
                if word.starts_with(b"--eval=") || word.starts_with(b"--print=") =>
            {
                let at = word.iter().position(|byte| *byte == b'=').unwrap_or(0);
                return Source::Given(word.get(at + 1..).unwrap_or_default());
            }
            Language::JavaScript
                if matches!(
                    word,
                    b"-r"
                        | b"--require"
                        | b"--import"
                        | b"--loader"
                        | b"--tsconfig"
                        | b"-P"
                        | b"--project"
                        | b"-O"
                        | b"--compiler-options"
                ) =>
            {
                words.next();
            }
            Language::JavaScript if matches!(word, b"run" | b"watch") => {}
            Language::JavaScript
                if matches!(
                    word,
                    b"test" | b"install" | b"x" | b"add" | b"--test" | b"task" | b"build"
                ) =>
            {
                return Source::Elsewhere;
            }
            _ if word == b"-" => return Source::Input,
            _ if matches!(word, b"--version" | b"-V" | b"-v" | b"--help" | b"-h") => {
                return Source::Elsewhere;
            }
            _ if word.first() == Some(&b'-') => {}
            _ if word.contains(&UNKNOWN) => return Source::Elsewhere,
            // `bun why` is no script.
            Language::JavaScript if !word.contains(&b'.') && !word.contains(&b'/') => {
                return Source::Elsewhere;
            }
            _ => return Source::File(word),
        }
    }
    Source::Input
}

/// What is known to flow into a command.
fn input<'t>(tree: &Tree<'t>, command: &Command) -> Option<&'t [u8]> {
    let given = tree.bytes(command.stdin);
    let here = tree.redirects(command).iter().rev().find(|redirect| {
        redirect.fd == 0 && matches!(redirect.op, RedirectOp::HereDoc | RedirectOp::HereString)
    });
    let here = here.map(|redirect| tree.bytes(redirect.target.text));
    here.or(Some(given)).filter(|text| !text.is_empty())
}

fn absolute(path: &[u8], cwd: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut room = [0; 4096];
    clean(cwd.unwrap_or_default(), path, &mut room).map(<[u8]>::to_vec)
}

/// The language that a script's first line names.
fn of_first_line(text: &[u8]) -> Option<Language> {
    let line = text.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let words = line.split(u8::is_ascii_whitespace);
    words.map(file_name).find_map(Language::of)
}
