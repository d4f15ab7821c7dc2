//! Commands that a shell runs itself and that change what later commands mean: `cd`, `eval`,
//! `source`, `trap`, `alias`, `set`, `shift`, `read`, `unset`, `printf -v` (POSIX.1-2024 XCU 2.15,
//! bash manual "Shell Builtin Commands").

use super::flow::{Data, Taint};
use super::follow::rest;
use super::limits::Step;
use super::shell::Shell;
use super::vars::kind;
use super::{CommandFlags, Run, Span, UNKNOWN, Via, Word, WordFlags};

/// `read` gives its variable each of so many known lines in turn.
const MAX_LINES: usize = 12;

/// So many of its variables get a field of their own.
const MAX_FIELDS: usize = 16;

impl Shell<'_, '_> {
    /// Follows the built-in command `name`; whether it is one and that was all.
    pub fn builtin(&mut self, index: usize, name: Span, words: Run) -> Step<bool> {
        let args = rest(words, 1);
        match self.bytes(name) {
            b"cd" | b"chdir" | b"pushd" => self.change_directory(args)?,
            b"popd" => self.move_to(None),
            b"eval" => {
                let args = self.without_dashes(args);
                if args.count > 0 {
                    self.flag(index, CommandFlags::WRAPPER)?;
                    self.run_joined(index, args, Via::Eval)?;
                }
            }
            b"source" | b"." => self.source(index, args)?,
            b"trap" => self.trap(index, args)?,
            b"alias" => self.define_aliases(args)?,
            b"unset" => self.unset(args)?,
            b"set" => self.set_arguments(args),
            b"shift" => self.shift(args),
            b"read" => self.read_variables(args)?,
            b"mapfile" | b"readarray" | b"getopts" => self.forget_variables(args)?,
            b"printf" if self.arg_is(args, 0, b"-v") => self.printf_variable(args)?,
            b"local" | b"declare" | b"typeset" => self.declare(args)?,
            b"let" => self.let_builtin(args)?,
            b"export" => self.export(args),
            b"setopt" | b"emulate" if self.is_zsh() => self.set_zsh_options(args),
            b"readonly" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The word at position `nth` of `run`.
    pub fn arg(&self, run: Run, nth: u32) -> Option<Word> {
        if nth >= run.count {
            return None;
        }
        self.words.get(run.first.saturating_add(nth) as usize)
    }

    /// Whether the word at position `nth` of `run` is `text`.
    pub fn arg_is(&self, run: Run, nth: u32, text: &[u8]) -> bool {
        self.arg(run, nth).is_some_and(|word| self.bytes(word.text) == text)
    }

    /// `args` without a leading `--`.
    fn without_dashes(&self, args: Run) -> Run {
        if self.arg_is(args, 0, b"--") { rest(args, 1) } else { args }
    }

    fn change_directory(&mut self, args: Run) -> Step {
        let mut args = args;
        while let Some(word) = self.arg(args, 0) {
            let text = self.bytes(word.text);
            if text.len() < 2 || text.first() != Some(&b'-') {
                break;
            }
            args = rest(args, 1);
        }
        let target = match self.arg(args, 0) {
            Some(word) => Some(word),
            None => self.home()?,
        };
        let known = target.filter(|word| {
            !word.flags.has(WordFlags::PARTIAL.with(WordFlags::GLOB))
                && !matches!(self.bytes(word.text), b"-")
                && word.text.len > 0
        });
        let dir = match known {
            Some(word) => self.resolved(word.text)?,
            None => None,
        };
        self.move_to(dir);
        Ok(())
    }

    /// The directory is now `dir`, or not known.
    pub fn move_to(&mut self, dir: Option<Span>) {
        self.state.moved = true;
        self.state.dir = dir.unwrap_or_default();
    }

    /// `path` as an absolute path without `.`, `..` and doubled slashes, where the working
    /// directory is known. Lexical: symbolic links are not looked at.
    pub fn resolved(&mut self, path: Span) -> Step<Option<Span>> {
        let absolute = self.bytes(path).first() == Some(&b'/');
        let tilde = self.bytes(path).first() == Some(&b'~');
        let base = if absolute || tilde {
            None
        } else {
            match self.directory()? {
                Some(base) => Some(base),
                None => return Ok(None),
            }
        };
        if tilde {
            return Ok(Some(path));
        }
        let top = self.text.top();
        if let Some(base) = base {
            self.stack_components(top, base)?;
        }
        self.stack_components(top, path)?;
        if self.text.top() == top {
            self.text.stack(b'/')?;
        }
        Ok(Some(self.keep_text(top)?))
    }

    /// Adds the components of `path` to the path that is stacked from `top` on.
    fn stack_components(&mut self, top: usize, path: Span) -> Step {
        if self.text.top() == top && crate::path::is_clean(self.bytes(path)) {
            return self.stack_span(path);
        }
        self.burn(path.len as usize)?;
        let mut at = 0_u32;
        while at < path.len {
            let bytes = self.bytes(Span {
                start: path.start.saturating_add(at),
                len: path.len.saturating_sub(at),
            });
            let len = bytes.iter().position(|byte| *byte == b'/').unwrap_or(bytes.len()) as u32;
            let component = Span { start: path.start.saturating_add(at), len };
            match self.bytes(component) {
                b"" | b"." => {}
                b".." => {
                    let stacked = self.text.top().saturating_sub(top);
                    let slash = self.text.run(top, stacked).iter().rposition(|b| *b == b'/');
                    self.text.unstack(top.saturating_add(slash.unwrap_or(0)));
                }
                _ => {
                    self.text.stack(b'/')?;
                    self.stack_span(component)?;
                }
            }
            at = at.saturating_add(len).saturating_add(1);
        }
        Ok(())
    }

    /// `source FILE`: what is known to be in it runs here.
    fn source(&mut self, index: usize, args: Run) -> Step {
        let args = self.without_dashes(args);
        let Some(file) = self.arg(args, 0) else {
            return Ok(());
        };
        let outer = self.state.args;
        if args.count > 1 {
            self.state.args = rest(args, 1);
        }
        let done = self.run_file(index, file, Via::Eval);
        self.state.args = outer;
        done
    }

    /// `trap CODE SIGNAL…`.
    fn trap(&mut self, index: usize, args: Run) -> Step {
        let args = self.without_dashes(args);
        let Some(code) = self.arg(args, 0) else {
            return Ok(());
        };
        let text = self.bytes(code.text);
        if args.count < 2 || text.first() == Some(&b'-') || text.is_empty() {
            return Ok(());
        }
        self.run_word(index, args.first, Via::Eval)
    }

    fn define_aliases(&mut self, args: Run) -> Step {
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            if let Some((name, value)) = self.assignment_parts(word) {
                self.set(kind::ALIAS, name, value)?;
            }
        }
        Ok(())
    }

    /// Name and value of a `NAME=value` word.
    pub fn assignment_parts(&self, word: Word) -> Option<(Span, Word)> {
        let bytes = self.bytes(word.text);
        let equals = bytes.iter().position(|byte| *byte == b'=')? as u32;
        let name = Span { start: word.text.start, len: equals };
        let from = equals.saturating_add(1);
        let value = Word {
            text: Span {
                start: word.text.start.saturating_add(from),
                len: word.text.len.saturating_sub(from),
            },
            flags: word.flags,
        };
        Some((name, value))
    }

    fn unset(&mut self, args: Run) -> Step {
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            self.set(kind::UNSET, word.text, Word::default())?;
        }
        Ok(())
    }

    /// `set -- a b`: the positional parameters.
    fn set_arguments(&mut self, args: Run) {
        let mut at = 0_u32;
        while let Some(word) = self.arg(args, at) {
            let text = self.bytes(word.text);
            at = at.saturating_add(1);
            if text == b"--" {
                (self.state.args, self.state.args_unknown) = (rest(args, at), false);
                return;
            }
            let option = matches!(text.first(), Some(b'-' | b'+')) && text.len() > 1;
            let valued = text.last() == Some(&b'o');
            let all =
                (option && text.contains(&b'a') && !valued).then(|| text.first() == Some(&b'-'));
            if !option {
                self.state.args = rest(args, at.saturating_sub(1));
                self.state.args_unknown = false;
                return;
            }
            self.state.exports_all = all.unwrap_or(self.state.exports_all);
            if valued {
                at = at.saturating_add(1);
            }
        }
    }

    fn shift(&mut self, args: Run) {
        let count = match self.arg(args, 0) {
            None => Some(1),
            Some(word) => super::pattern::number(self.bytes(word.text)),
        };
        let count = count.and_then(|count| u32::try_from(count).ok());
        self.state.args = rest(self.state.args, count.unwrap_or(1));
    }

    /// `read [options] NAME…`: lines that are known are possible values.
    fn read_variables(&mut self, args: Run) -> Step {
        let mut names = args;
        while let Some(word) = self.arg(names, 0) {
            let text = self.bytes(word.text);
            if text.first() != Some(&b'-') {
                break;
            }
            let valued = text.len() == 2
                && matches!(
                    text.last(),
                    Some(b'd' | b'i' | b'n' | b'N' | b'p' | b't' | b'u' | b'a')
                );
            names = rest(names, if valued { 2 } else { 1 });
        }
        let data = self.place.stdin;
        let known = data.taint.has(Taint::SOME) && names.count > 0 && data.text.len > 0;
        if !known {
            return self.forget_variables(names);
        }
        let mut from = 0_u32;
        for line in 0..MAX_LINES {
            let bytes = self.bytes(Span {
                start: data.text.start.saturating_add(from),
                len: data.text.len.saturating_sub(from),
            });
            if bytes.is_empty() {
                break;
            }
            let len = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len()) as u32;
            let text = Span { start: data.text.start.saturating_add(from), len };
            self.read_line(names, Data { text, ..data }, line > 0)?;
            from = from.saturating_add(len).saturating_add(1);
        }
        Ok(())
    }

    /// Splits a line into as many fields as there are names; the last gets the rest.
    fn read_line(&mut self, names: Run, line: Data, maybe: bool) -> Step {
        let mut left = line.text;
        let separators = self.separators();
        let blank = |byte: &u8| byte.is_ascii_whitespace() && self.separates(*byte, separators);
        let mut fields = [Span::default(); MAX_FIELDS];
        for (nth, field) in (1_u32..).zip(fields.iter_mut().take(names.count as usize)) {
            let bytes = self.bytes(left);
            let skip = bytes.iter().take_while(|byte| blank(byte)).count() as u32;
            left.start = left.start.saturating_add(skip);
            left.len = left.len.saturating_sub(skip);
            let bytes = self.bytes(left);
            let end = bytes.iter().position(|byte| self.separates(*byte, separators));
            let kept =
                bytes.len().saturating_sub(bytes.iter().rev().take_while(|b| blank(b)).count());
            let len = end.filter(|_| nth < names.count).unwrap_or(kept) as u32;
            *field = Span { len, ..left };
            let apart = u32::from(end.is_some() && nth < names.count);
            left.start = left.start.saturating_add(len).saturating_add(apart);
            left.len = left.len.saturating_sub(len).saturating_sub(apart);
        }
        for (nth, text) in (0..names.count).zip(fields) {
            let mut flags = line.taint.word_flags();
            if self.bytes(text).contains(&UNKNOWN) {
                flags = flags.with(WordFlags::PARTIAL);
            }
            let name = self.arg(names, nth).unwrap_or_default();
            let maybe = if maybe { kind::MAYBE } else { 0 };
            self.set(kind::VARIABLE | maybe, name.text, Word { text, flags })?;
        }
        Ok(())
    }

    /// Nothing is known of the variables named by `args` any more.
    fn forget_variables(&mut self, args: Run) -> Step {
        for nth in 0..args.count {
            let name = self.arg(args, nth).unwrap_or_default();
            let value = self.unknown_word()?;
            self.set(kind::VARIABLE, name.text, value)?;
        }
        Ok(())
    }

    /// `printf -v NAME format …`.
    fn printf_variable(&mut self, args: Run) -> Step {
        let name = self.arg(args, 1).unwrap_or_default();
        let top = self.text.top();
        let taint = self.printf(rest(args, 2))?;
        let text = self.keep_text(top)?;
        let value = self.data_word(Data { text, taint });
        self.set(kind::VARIABLE, name.text, value)
    }
}
