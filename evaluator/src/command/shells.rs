//! Shells: what `sh -c TEXT`, `sh SCRIPT` and `… | sh` run.

use super::flow::{Data, Taint};
use super::follow::rest;
use super::limits::Step;
use super::shell::{Dialect, Shell, State};
use super::vars::kind;
use super::{CommandFlags, Outcome, Run, Span, UNKNOWN, Via, Word, WordFlags};
use crate::world::Answer;

/// A script is followed for so many units of work. Whatever is left then is judged when it runs:
/// a long script is no reason to ask.
const SCRIPT_FUEL: u32 = 60_000;

/// Where programs lie that the system brings. A script there is one of them: as of a binary, what it
/// does by itself is known by its name, and what it starts is judged then.
const SYSTEM: [&[u8]; 9] = [
    b"/bin/",
    b"/sbin/",
    b"/lib/",
    b"/usr/bin/",
    b"/usr/sbin/",
    b"/usr/lib/",
    b"/usr/libexec/",
    b"/usr/share/",
    b"/nix/store/",
];

/// What a shell was told on its command line.
#[derive(Default)]
struct Options {
    /// `-c`: the first operand is text.
    text: bool,
    /// `-s`: the text is on standard input, operands are its arguments.
    stdin: bool,
    operands: Run,
}

/// Texts that bash and a POSIX shell read differently hold one of these.
const BASHISMS: [&[u8]; 12] =
    [b"$'", b"$\"", b"<(", b">(", b"&>", b"<<<", b"|&", b"((", b"[[", b"function ", b"+=", b"{"];

impl Shell<'_, '_> {
    /// Follows what the shell at `index` runs; whether it is known to run anything.
    pub fn run_shell(&mut self, index: usize, words: Run) -> Step<bool> {
        let program = self.arg(words, 0).unwrap_or_default();
        let name = super::follow::basename(self.bytes(program.text));
        let dialect = Dialect::of(name);
        let either = name == b"sh";
        let options = self.shell_options(words);
        let operands = options.operands;
        let first = self.arg(operands, 0);
        let outer = self.place;
        self.place.dialect = dialect;
        self.run_startup_file(index)?;
        let done = match first {
            Some(word) if options.text => {
                let state = State {
                    args: rest(operands, 2),
                    arg0: self.arg(operands, 1).unwrap_or(program).text,
                    args_unknown: false,
                    ..self.state
                };
                self.run_shell_text(index, word, state, either)
            }
            Some(word) if !options.stdin => {
                self.state.args = rest(operands, 1);
                self.state.args_unknown = false;
                self.state.arg0 = word.text;
                self.run_file(index, word, Via::Script)
            }
            _ if options.text => Ok(()),
            _ => {
                if options.stdin {
                    self.state.args_unknown = false;
                    self.state.args = operands;
                }
                self.run_stdin(index, Via::Stdin).map(|_| ())
            }
        };
        self.place = outer;
        done?;
        Ok(true)
    }

    /// The file that `BASH_ENV` or `ENV` names is read before anything else.
    fn run_startup_file(&mut self, index: usize) -> Step {
        for name in [&b"BASH_ENV"[..], b"ENV"] {
            if let Some(entry) = self.find(kind::VARIABLE, name)
                && entry.value.text.len > 0
            {
                self.subshell(|shell| shell.run_file(index, entry.value, Via::Script))?;
            }
        }
        Ok(())
    }

    fn shell_options(&self, words: Run) -> Options {
        let mut options = Options { operands: rest(words, 1), ..Options::default() };
        while let Some(word) = self.arg(options.operands, 0) {
            let text = self.bytes(word.text);
            let dynamic = word.flags.has(WordFlags::DYNAMIC) && word.flags.has(WordFlags::SPLITS);
            if dynamic && options.operands.count > 1 {
                options.operands = rest(options.operands, 1);
                continue;
            }
            let (Some(sign @ (b'-' | b'+')), true) = (text.first(), text.len() > 1) else {
                if text == b"-" {
                    options.operands = rest(options.operands, 1);
                }
                return options;
            };
            let mut used = 1;
            if text == b"--" {
                options.operands = rest(options.operands, 1);
                return options;
            }
            if let Some(name) = text.strip_prefix(b"--") {
                if matches!(name, b"rcfile" | b"init-file") {
                    used = 2;
                }
                if matches!(name, b"command" | b"Command") {
                    options.text = true;
                }
            } else {
                for letter in text.iter().skip(1) {
                    options.text |= *letter == b'c' && *sign == b'-';
                    options.stdin |= *letter == b's' && *sign == b'-';
                    if matches!(letter, b'o' | b'O') {
                        used = 2;
                    }
                }
                // PowerShell writes its options in full.
                options.text |= text.eq_ignore_ascii_case(b"-Command");
            }
            options.operands = rest(options.operands, used);
        }
        options
    }

    /// `sh -c TEXT`. Where the shell may be bash or a POSIX one, both readings count.
    fn run_shell_text(&mut self, index: usize, word: Word, state: State, either: bool) -> Step {
        self.flag(index, CommandFlags::WRAPPER)?;
        let code = Data { text: word.text, taint: Taint::of(word.flags) };
        self.subshell(|shell| {
            shell.state = state;
            shell.run_code(index, code, Via::Shell)
        })?;
        let bytes = self.bytes(word.text);
        let differs = BASHISMS.iter().any(|part| crate::glob::find(bytes, part, false).is_some());
        if !either || !differs {
            return Ok(());
        }
        self.burn(bytes.len())?;
        let outcome = self.outcome;
        let capture = self.capture;
        self.capture.on = false;
        let done = self.subshell(|shell| {
            shell.state = state;
            shell.place.dialect = Dialect::Posix;
            shell.run_code(index, code, Via::Shell)
        });
        self.capture = capture;
        if self.outcome == Outcome::Unparseable {
            self.outcome = outcome;
        }
        done
    }

    /// Follows what is on standard input as code; whether anything is known to be.
    pub fn run_stdin(&mut self, index: usize, via: Via) -> Step<bool> {
        let data = self.place.stdin;
        if !data.taint.has(Taint::SOME) {
            return Ok(false);
        }
        let empty = data.text.len == 0 && !data.taint.has(Taint::UNKNOWN);
        if empty {
            return Ok(true);
        }
        if data.taint.has(Taint::UNKNOWN) && data.text.len == 0 {
            self.flag(index, CommandFlags::UNKNOWN_CODE)?;
            return Ok(true);
        }
        // What runs does not read itself.
        let stdin = core::mem::take(&mut self.place.stdin);
        if !data.taint.has(Taint::UNKNOWN) {
            self.flag(index, CommandFlags::WRAPPER)?;
        }
        let done = self.run_code(index, data, via);
        self.place.stdin = stdin;
        done?;
        Ok(true)
    }

    /// Follows the content of the file `word` as shell text, as far as it is known.
    pub fn run_file(&mut self, index: usize, word: Word, via: Via) -> Step {
        if word.flags.has(WordFlags::DYNAMIC) {
            self.flag(index, CommandFlags::UNKNOWN_CODE)?;
            if word.flags.has(WordFlags::FETCHED) {
                self.flag(index, CommandFlags::FETCHED_CODE)?;
            }
            return Ok(());
        }
        if word.flags.has(WordFlags::PARTIAL) {
            return Ok(());
        }
        let name = self.bytes(word.text);
        if matches!(name, b"/dev/stdin" | b"-" | b"/dev/fd/0" | b"/proc/self/fd/0") {
            return self.run_stdin(index, Via::Stdin).map(|_| ());
        }
        if let Some(data) = self.file_content(word) {
            return self.run_code(index, data, via);
        }
        self.run_script(index, word.text, via)
    }

    /// Reads a script that is there and none of the system's, and follows it as far as the fuel for scripts goes.
    fn run_script(&mut self, index: usize, name: Span, via: Via) -> Step {
        let Some(path) = self.resolved(name)? else {
            return Ok(());
        };
        let system = SYSTEM.iter().any(|directory| self.bytes(path).starts_with(directory));
        if system && via == Via::Script {
            return Ok(());
        }
        let Some(text) = self.read_file(path)? else {
            return Ok(());
        };
        let binary = self.bytes(text).contains(&UNKNOWN);
        if binary {
            return Ok(());
        }
        let fuel = self.fuel;
        self.fuel = SCRIPT_FUEL.min(fuel);
        let spent = self.fuel;
        let (outcome, place) = (self.outcome, self.place);
        let (depth, capture, mark) = (self.depth, self.capture, self.text.top());
        let (words, redirects) = (self.words.top(), self.redirects.top());
        let code = Data { text, taint: Taint::SOME };
        let pos = self.cursor();
        let done = self.run_code(index, code, via);
        if done.is_err() {
            self.is_cut = true;
            self.leave(pos);
            (self.depth, self.capture, self.place) = (depth, capture, place);
            self.text.unstack(mark);
            self.words.unstack(words);
            self.redirects.unstack(redirects);
        }
        self.outcome = outcome;
        self.fuel = fuel.saturating_sub(spent.saturating_sub(self.fuel));
        Ok(())
    }

    /// The content of the file at `path`, where the world gives it.
    pub fn read_file(&mut self, path: Span) -> Step<Option<Span>> {
        let mut name = [0_u8; 512];
        let bytes = self.bytes(path);
        let len = bytes.len();
        let Some(target) = name.get_mut(..len) else {
            return Ok(None);
        };
        for (to, from) in target.iter_mut().zip(bytes) {
            *to = *from;
        }
        let name: &[u8] = target;
        let world = self.world;
        let read = match world.read(name, self.text.spare()) {
            Answer::Value(content) => content.len(),
            Answer::Absent | Answer::Unavailable => return Ok(None),
        };
        let start = self.text.adopt(read)?;
        Ok(Some(Span { start: start as u32, len: read as u32 }))
    }

    /// A script that the kernel starts by its `#!` line: what runs is the interpreter, with its
    /// argument, the script and the script's arguments (`execve(2)`).
    pub fn run_script_target(
        &mut self,
        index: usize,
        interpreter: &[u8],
        argument: Option<&[u8]>,
        file: Span,
    ) -> Step {
        let given = rest(self.commands.get(index).unwrap_or_default().words, 1);
        let first = self.words.len() as u32;
        for part in [Some(interpreter), argument].into_iter().flatten() {
            let text = self.keep_bytes(part)?;
            self.words.push(Word { text, flags: WordFlags::default() })?;
        }
        self.words.push(Word { text: file, flags: WordFlags::default() })?;
        for nth in 0..given.count {
            self.words.push(self.arg(given, nth).unwrap_or_default())?;
        }
        let count = (self.words.len() as u32).saturating_sub(first);
        self.child(index, Run { first, count }, Via::Script)
    }
}
