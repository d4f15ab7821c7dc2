//! What a script is understood to run, and whether that covers what really ran.

use evaluator::command::{CommandFlags, Outcome, Parts, Tree, Word, WordFlags, understand};
use evaluator::request::{Call, Caller, Cwd, NoParams, Request, Target};
use evaluator::world::{Answer, World};
use policy_schema::OwnedScratch;

use super::jail::Executed;

/// A file that is there before the scripts run, and that the evaluator can read.
pub const FIXTURE: &str = "fixture_function() { rm -rf \"$1\" from-fixture; }\n";

/// The world of the throw-away root.
struct Files;

impl World for Files {
    fn resolve<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let Some(room) = out.get_mut(..FIXTURE.len()) else {
            return Answer::Unavailable;
        };
        if path != b"/work/fixture.sh" {
            return Answer::Absent;
        }
        room.copy_from_slice(FIXTURE.as_bytes());
        Answer::Value(room)
    }
}

/// How an argument vector was found among the predicted ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Word by word.
    Exactly,
    /// With parts that are not known, the program among the known.
    Partly,
    /// Not at all, but the prediction says that something unknown runs.
    Dynamic,
    /// Not at all.
    Not,
}

/// The commands predicted for one script.
pub struct Prediction {
    /// The words of each command; NUL stands for what is not known.
    commands: Vec<Vec<Vec<u8>>>,
    dynamic: bool,
    /// For people.
    pub lines: Vec<String>,
}

impl Prediction {
    /// Understands `shell -c text`.
    pub fn of(shell: &str, text: &str) -> Self {
        let argv: Vec<&[u8]> = match shell {
            "busybox" => vec![b"busybox", b"sh", b"-c", text.as_bytes()],
            _ => vec![shell.as_bytes(), b"-c", text.as_bytes()],
        };
        let argv = argv.as_slice();
        let env: &[(&[u8], &[u8])] =
            &[(b"HOME", b"/home/u"), (b"PATH", b"/programs:/usr/bin:/bin")];
        let request = Request {
            tool: b"exec",
            call: Call::Exec { file: argv[0], argv: &argv },
            cwd: Cwd::Known(b"/work"),
            env: &env,
            target: Target::default(),
            caller: Caller::default(),
            path: None,
            url: None,
            params: &NoParams,
        };
        let mut memory = OwnedScratch::default();
        memory.fit(&request, 1);
        let scratch = memory.borrow();
        let parts = Parts {
            text: scratch.text,
            words: scratch.words,
            commands: scratch.commands,
            redirects: scratch.redirects,
            vars: scratch.vars,
        };
        Self::from_tree(&understand(&request, &Files, parts).0)
    }

    fn from_tree(tree: &Tree<'_>) -> Self {
        let commands: Vec<Vec<Vec<u8>>> = tree
            .commands
            .iter()
            .map(|command| tree.words(command.words).iter().map(|w| pattern(tree, w)).collect())
            .collect();
        let unknown = |words: &Vec<Vec<u8>>| words.first().is_some_and(|word| word.contains(&0));
        let code = tree.commands.iter().any(|c| c.flags.has(CommandFlags::UNKNOWN_CODE));
        let complex = tree.outcome == Outcome::TooComplex;
        let lines = commands
            .iter()
            .map(|words| String::from_utf8_lossy(&words.join(&b' ')).replace('\0', "□"));
        Self {
            dynamic: code || complex || commands.iter().any(unknown),
            lines: lines.collect(),
            commands,
        }
    }

    /// Whether `executed` was predicted.
    pub fn find(&self, executed: &Executed) -> Found {
        let found = self.find_argv(&executed.argv, &executed.exe);
        // The shell that a program starts for its text stands in the tree as the text's commands.
        let text = match executed.argv.as_slice() {
            [shell, option, text] if base(shell) == b"sh" && option == b"-c" => text,
            _ => return found,
        };
        if matches!(found, Found::Exactly | Found::Partly) {
            return found;
        }
        let inner = Self::of("sh", &String::from_utf8_lossy(text));
        let commands = inner.commands.iter().skip(1).filter(|words| !words.is_empty());
        let all = commands.map(|words| self.find_argv(words, ""));
        all.max_by_key(|found| *found as u8).unwrap_or(found)
    }

    fn find_argv(&self, argv: &[Vec<u8>], exe: &str) -> Found {
        let mut found = if self.dynamic { Found::Dynamic } else { Found::Not };
        // The kernel puts the interpreter of a `#!` line before the script.
        let is_path = |word: &Vec<u8>| word.contains(&b'/');
        let script = argv.get(1..).filter(|rest| rest.first().is_some_and(is_path));
        for words in self.commands.iter().filter(|words| !words.is_empty()) {
            for argv in [Some(argv), script].into_iter().flatten() {
                if !fits(words, argv, exe) {
                    continue;
                }
                if !words.iter().any(|word| word.contains(&0)) {
                    return Found::Exactly;
                }
                if !words[0].contains(&0) {
                    found = Found::Partly;
                }
            }
        }
        found
    }
}

/// The text of a word; a glob may become any words.
fn pattern(tree: &Tree<'_>, word: &Word) -> Vec<u8> {
    let text = tree.bytes(word.text);
    let glob = word.flags.has(WordFlags::GLOB) && text != b"[";
    if glob { vec![0] } else { text.to_vec() }
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Whether `words`, in which NUL stands for anything, can be `argv` of the program `exe`.
fn fits(words: &[Vec<u8>], argv: &[Vec<u8>], exe: &str) -> bool {
    let (Some((program, words)), Some((name, args))) = (words.split_first(), argv.split_first())
    else {
        return false;
    };
    let named = glob(program, name) || base(program) == base(exe.as_bytes());
    named && glob(&joined(words), &joined(args))
}

/// Words behind separators. A word of which nothing is known may be none or several.
fn joined(words: &[Vec<u8>]) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        if word.is_empty() || word.iter().any(|byte| *byte != 0) {
            line.push(b'\x1f');
        }
        // Which descriptor a process substitution gets is the shell's affair.
        let starts = [&b"/proc/self/fd/"[..], b"/dev/fd/", b"/tmp/zsh"];
        match starts.iter().any(|start| word.starts_with(start)) {
            true => line.extend_from_slice(b"/dev/fd/"),
            false => line.extend_from_slice(word),
        }
    }
    line
}

/// Whether `pattern`, in which NUL stands for anything, fits the whole `text`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut retry = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(0) => {
                at += 1;
                retry = Some((at, from));
            }
            Some(byte) if *byte == text[from] => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((star, next)) = retry else {
                    return false;
                };
                retry = Some((star, next + 1));
                (at, from) = (star, next + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == 0)
}
