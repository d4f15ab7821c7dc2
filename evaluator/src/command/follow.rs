//! What a command comes to: the function it calls, the text it evaluates, the command it runs for
//! somebody else, and what it prints.

use super::flow::{Capture, Data, Taint};
use super::limits::Step;
use super::shell::{Place, Shell};
use super::vars::kind;
use super::{CommandFlags, Run, Span, UNKNOWN, Var, Via, WordFlags};
use crate::request::{Target, TargetKinds};

/// A function is followed into itself so often.
const MAX_RECURSION: usize = 2;

/// So many possible bodies of one function are followed.
const MAX_BODIES: usize = 4;

/// Who looks up what a command's name means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A shell: functions, aliases, its own commands, then programs.
    Shell,
    /// A shell that was told not to look for functions (`command`, `builtin`).
    Builtins,
    /// Only programs count.
    Kernel,
}

impl Shell<'_, '_> {
    /// Follows the call itself: `file` is what the kernel would run, whatever `argv[0]` says.
    pub fn follow_call(&mut self, index: usize, file: Span, target: Target<'_>) -> Step {
        let Some(command) = self.commands.get(index) else {
            return Ok(());
        };
        let script = target.kinds.intersects(TargetKinds::SCRIPT);
        if let (true, Some(interpreter)) = (script, target.interpreter) {
            return self.run_script_target(index, interpreter, target.interpreter_arg, file);
        }
        let argv0 = self.arg(command.words, 0).unwrap_or_default().text;
        let name = basename(self.bytes(file));
        let same = basename(self.bytes(argv0)) == name;
        // A program with many names goes by the one that it was called by.
        let multi = matches!(name, b"busybox" | b"toybox" | b"coreutils" | b"claude");
        if !same && multi {
            return self.peel(index, argv0).map(|_| ());
        }
        if !self.peel(index, file)? && !same {
            self.peel(index, argv0)?;
        }
        Ok(())
    }

    /// Follows the command at `index`, whose name `reader` looks up.
    pub fn follow(&mut self, index: usize, reader: Reader) -> Step {
        let Some(command) = self.commands.get(index) else {
            return Ok(());
        };
        let Some(program) = self.words.get(command.words.first as usize) else {
            return Ok(());
        };
        if command.words.count == 0 {
            // `$(< file)` prints the file.
            if self.capture.on
                && let Some(data) = self.stdin_redirect(index)?
            {
                self.emit(data)?;
            }
            return Ok(());
        }
        if program.flags.has(WordFlags::PARTIAL) {
            return self.follow_unknown(index, command.words);
        }
        if reader == Reader::Shell {
            if self.call_functions(index, program.text, command.words)? {
                return Ok(());
            }
            if !program.flags.has(WordFlags::QUOTED) {
                self.expand_alias(index, program.text, command.words)?;
            }
        }
        if reader != Reader::Kernel && self.builtin(index, program.text, command.words)? {
            return Ok(());
        }
        if self.peel(index, program.text)? {
            return Ok(());
        }
        if let Some(data) = self.file_content(program) {
            return self.run_code(index, data, Via::Script);
        }
        self.print(index, program.text, command.words)
    }

    /// A command whose program is not known. If that may turn out to be nothing (`$SUDO rm x`), the
    /// next word is the program.
    fn follow_unknown(&mut self, index: usize, words: Run) -> Step {
        let program = self.words.get(words.first as usize).unwrap_or_default();
        if program.flags.has(WordFlags::FETCHED) {
            let flags = CommandFlags::UNKNOWN_CODE.with(CommandFlags::FETCHED_CODE);
            self.flag(index, flags)?;
        }
        let vanishes =
            program.flags.has(WordFlags::DYNAMIC) && program.flags.has(WordFlags::SPLITS);
        let next = self.words.get(words.first.saturating_add(1) as usize);
        let next = next.filter(|_| words.count > 1 && vanishes);
        let named = next.is_some_and(|word| {
            let first = self.bytes(word.text).first().copied().unwrap_or(b'-');
            !word.flags.has(WordFlags::PARTIAL)
                && (first.is_ascii_alphabetic() || matches!(first, b'/' | b'.' | b'_'))
        });
        if named {
            let flags = self.commands.get(index).unwrap_or_default().flags;
            self.child(index, rest(words, 1), Via::Wrapper)?;
            // Unlike a wrapper, it may well be a program of its own.
            self.command_mut(index)?.flags = flags;
            return Ok(());
        }
        self.emit_unknown(Taint::default())
    }

    /// Follows the functions that `name` may be; whether there is one.
    fn call_functions(&mut self, index: usize, name: Span, words: Run) -> Step<bool> {
        if !self.vars.has(kind::FUNCTION) {
            return Ok(false);
        }
        let mut bodies = [Var::default(); MAX_BODIES];
        let mut count = 0_usize;
        for (entry, slot) in self.entries(kind::FUNCTION, self.bytes(name)).zip(bodies.iter_mut()) {
            *slot = entry;
            count = count.saturating_add(1);
            if entry.scope & kind::MAYBE == 0 {
                break;
            }
        }
        for body in bodies.iter().take(count) {
            self.call_function(index, *body, words)?;
        }
        Ok(count > 0)
    }

    pub fn call_function(&mut self, index: usize, body: Var, words: Run) -> Step {
        let key = body.value.text.start;
        let active = self.active.iter().take(self.active_len);
        let same = active.filter(|start| **start == key).count();
        if same > 0 {
            self.flag(index, CommandFlags::RECURSES)?;
        }
        let room = self.active.len();
        if same >= MAX_RECURSION || self.active_len >= room {
            return self.emit_unknown(Taint::default());
        }
        self.flag(index, CommandFlags::WRAPPER)?;
        if let Some(slot) = self.active.get_mut(self.active_len) {
            *slot = key;
        }
        self.active_len = self.active_len.saturating_add(1);
        let (place, capture, args) = (self.place, self.capture, self.state.args);
        self.place.parent = (index as u32).saturating_add(1);
        self.place.via = Via::Function;
        self.place.dialect = match body.scope & (kind::POSIX | kind::ZSH) {
            kind::POSIX => super::shell::Dialect::Posix,
            kind::ZSH => super::shell::Dialect::Zsh,
            _ => super::shell::Dialect::Bash,
        };
        let (arg0, args_unknown) = (self.state.arg0, self.state.args_unknown);
        self.state.args = rest(words, 1);
        self.state.args_unknown = false;
        if self.is_zsh() {
            self.state.arg0 = self.arg(words, 0).unwrap_or_default().text;
        }
        let cursor = self.enter(body.value.text);
        let done = self.command();
        self.leave(cursor);
        (self.state.args, self.state.arg0) = (args, arg0);
        self.state.args_unknown = args_unknown;
        self.place = place;
        self.capture = Capture { taint: self.capture.taint, ..capture };
        self.active_len = self.active_len.saturating_sub(1);
        done
    }

    /// Reads what the alias `name` stands for, with the arguments behind it. Whether aliases are
    /// expanded depends on the shell, so the command stays as well.
    fn expand_alias(&mut self, index: usize, name: Span, words: Run) -> Step {
        let Some(alias) = self.find(kind::ALIAS, self.bytes(name)) else {
            return Ok(());
        };
        let key = alias.value.text.start;
        let busy = self.active.iter().take(self.active_len).any(|k| *k == key);
        if busy || self.active_len >= self.active.len() {
            return Ok(());
        }
        let top = self.text.top();
        self.stack_span(alias.value.text)?;
        self.stack_quoted(rest(words, 1))?;
        let text = self.keep_text(top)?;
        if let Some(slot) = self.active.get_mut(self.active_len) {
            *slot = key;
        }
        self.active_len = self.active_len.saturating_add(1);
        let done = self.run_code(index, Data { text, taint: Taint::SOME }, Via::Eval);
        self.active_len = self.active_len.saturating_sub(1);
        done
    }

    /// Stacks words so that a shell reads them as they are, a blank before each.
    pub fn stack_quoted(&mut self, words: Run) -> Step {
        for step in 0..words.count {
            let at = words.first.saturating_add(step) as usize;
            let word = self.words.get(at).unwrap_or_default();
            self.stack_bytes(b" '")?;
            for at in 0..word.text.len {
                let byte = self.text.get(word.text.start.saturating_add(at) as usize);
                match byte.unwrap_or(UNKNOWN) {
                    b'\'' => self.stack_bytes(b"'\\''")?,
                    byte => self.text.stack(byte)?,
                }
            }
            self.text.stack(b'\'')?;
            self.burn(word.text.len as usize)?;
        }
        Ok(())
    }

    /// Follows shell text that the command at `index` runs.
    pub fn run_code(&mut self, index: usize, code: Data, via: Via) -> Step {
        let taint = code.taint;
        let bytes = self.bytes(code.text);
        let known = bytes.iter().any(|b| *b != UNKNOWN && !b.is_ascii_whitespace());
        let missing = taint.has(Taint::UNKNOWN) && !known;
        // A line of which nothing is known is what some program printed.
        let line = || bytes.split(|byte| *byte == b'\n').any(|line| line == [UNKNOWN]);
        let unknown = missing || taint.has(Taint::FETCHED) || (via == Via::Stdin && line());
        let decoded = taint.has(Taint::DECODED) && via != Via::Script;
        if unknown {
            self.flag(index, CommandFlags::UNKNOWN_CODE)?;
            if taint.has(Taint::FETCHED) {
                self.flag(index, CommandFlags::FETCHED_CODE)?;
            }
            if !known {
                return self.emit_unknown(Taint::default());
            }
        }
        self.take_steps(32)?;
        let place = Place {
            parent: (index as u32).saturating_add(1),
            via: if decoded { Via::Decoded } else { via },
            ..self.place
        };
        let tentative = core::mem::take(&mut self.capture.tentative);
        let own_vars = self.state.own_vars;
        if via != Via::Eval {
            self.state.own_vars = self.vars.len() as u32;
        }
        let done = self.read_text(code.text, place);
        self.state.own_vars = own_vars;
        self.capture.tentative = tentative;
        done
    }

    /// Follows the word at `at` as shell text.
    pub fn run_word(&mut self, index: usize, at: u32, via: Via) -> Step {
        let word = self.words.get(at as usize).unwrap_or_default();
        let code = Data { text: word.text, taint: Taint::of(word.flags) };
        self.run_code(index, code, via)
    }

    /// Follows the words of `run`, joined by blanks, as shell text.
    pub fn run_joined(&mut self, index: usize, run: Run, via: Via) -> Step {
        if run.count == 1 {
            return self.run_word(index, run.first, via);
        }
        let word = self.joined(run)?;
        let code = Data { text: word.text, taint: Taint::of(word.flags) };
        self.run_code(index, code, via)
    }
}

/// `run` without its first `count` elements.
pub(super) fn rest(run: Run, count: u32) -> Run {
    Run {
        first: run.first.saturating_add(count.min(run.count)),
        count: run.count.saturating_sub(count),
    }
}

/// What stands behind the last `/`.
pub(super) fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
