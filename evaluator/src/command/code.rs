//! Reading code of other languages: one lexer for all, which knows strings, comments, patterns and
//! calls, and evaluates what is constant. It is no parser: what it does not know, it goes over.

use super::calls::{Effect, Family};
use super::lexer::{is_name, is_name_start};
use super::limits::{Step, Stop};
use super::shell::{Shell, Taint};
use super::vars::kind;
use super::word::Building;
use super::{Run, Span, UNKNOWN, Word, WordFlags};

/// What ends a piece of code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The end of the text.
    End,
    /// This bracket.
    Close(u8),
    /// The end of a statement.
    Statement,
    /// The end of a statement or of an argument.
    Argument,
}

/// The code that is being read.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub family: Family,
    pub text: Span,
}

impl Shell<'_, '_> {
    /// Follows `text`, code of `family`.
    pub fn read_code(&mut self, index: usize, family: Family, text: Span) -> Step {
        let cursor = self.enter(text);
        let build = core::mem::take(&mut self.build);
        let vars = self.vars.len();
        let words = self.words.top();
        self.begin_word();
        let start = self.build.start;
        let code = Code { family, text };
        let done = if family == Family::Tcl {
            self.commands_of_lines(index, text)
        } else {
            self.terms(index, code, Until::End)
        };
        self.text.unstack(start.max(self.build.start));
        self.words.unstack(words);
        self.drop_vars(vars);
        self.build = build;
        self.leave(cursor);
        match done {
            Err(Stop::Limit) => Err(Stop::Limit),
            _ => Ok(()),
        }
    }

    /// `exec`, `spawn` and `system` at the start of a line run the rest of it.
    fn commands_of_lines(&mut self, index: usize, text: Span) -> Step {
        let mut from = 0_u32;
        while from < text.len {
            let left = Span {
                start: text.start.saturating_add(from),
                len: text.len.saturating_sub(from),
            };
            let bytes = self.bytes(left);
            let end = bytes.iter().position(|b| matches!(b, b'\n' | b';'));
            let len = end.unwrap_or(bytes.len());
            let line = bytes.get(..len).unwrap_or(&[]);
            let blank = line.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let line = line.get(blank..).unwrap_or(&[]);
            let skip = [&b"exec "[..], b"spawn ", b"system "]
                .iter()
                .find(|word| line.starts_with(word))
                .map(|word| word.len());
            if let Some(skip) = skip {
                let skip = skip.saturating_add(blank) as u32;
                let word = Word {
                    text: Span {
                        start: left.start.saturating_add(skip),
                        len: (len as u32).saturating_sub(skip),
                    },
                    flags: WordFlags::default(),
                };
                self.run_found(index, word)?;
            }
            from = from.saturating_add(len as u32).saturating_add(1);
        }
        Ok(())
    }

    /// Reads terms: their values go to the word that is put together, a comma ends it.
    fn terms(&mut self, index: usize, code: Code, until: Until) -> Step {
        // Whether a value stands right before the cursor: then `/` divides.
        let mut value = false;
        loop {
            self.burn(1)?;
            let Some(byte) = self.peek() else {
                return Ok(());
            };
            if self.ends(byte, until) {
                return Ok(());
            }
            if self.skip_comment(code.family, byte) {
                continue;
            }
            let primary = self.text.top();
            match byte {
                b' ' | b'\t' | b'\r' => self.advance(1),
                b'\n' | b';' => {
                    self.advance(1);
                    value = false;
                    if until == Until::End {
                        self.text.unstack(self.build.start);
                        self.begin_word();
                    }
                }
                b',' => {
                    self.advance(1);
                    self.end_word()?;
                    value = false;
                }
                b'"' | b'\'' => {
                    if code.family == Family::Lisp && byte == b'\'' {
                        self.advance(1);
                        continue;
                    }
                    self.string(code, byte)?;
                    self.chain(index, code, primary)?;
                    value = true;
                }
                b'`' => {
                    self.backtick_text(index, code)?;
                    value = true;
                }
                b'(' | b'[' | b'{' => {
                    self.bracket(index, code, byte)?;
                    self.chain(index, code, primary)?;
                    value = true;
                }
                b'/' if !value && code.family.has_patterns() => {
                    self.skip_pattern(b'/');
                    value = true;
                }
                b'%' if code.family == Family::Ruby && self.percent_text(index, code)? => {
                    value = true;
                }
                b'|' if code.family == Family::Awk => self.awk_pipe(index, code)?,
                b'$' | b'@' if self.peek_at(1).is_some_and(is_name_start) => {
                    self.advance(1);
                    self.name(index, code, primary, until)?;
                    value = true;
                }
                b'0'..=b'9' => {
                    self.number_text()?;
                    value = true;
                }
                _ if is_name_start(byte) => {
                    value = self.name(index, code, primary, until)?;
                }
                b'+' | b'.' | b'&' | b'~' | b':' | b'<' | b'>' | b'=' | b'!' | b'?' | b'|' => {
                    self.advance(1);
                    value = false;
                }
                _ => {
                    self.advance(1);
                    value = matches!(byte, b')' | b']' | b'}');
                    if self.build.some && !value {
                        self.put_unknown(false)?;
                    }
                }
            }
        }
    }

    fn ends(&self, byte: u8, until: Until) -> bool {
        match until {
            Until::End => false,
            Until::Close(close) => byte == close,
            Until::Statement => matches!(byte, b'\n' | b';' | b'}' | b')'),
            Until::Argument => matches!(byte, b'\n' | b';' | b',' | b')' | b']' | b'}'),
        }
    }

    /// Goes over a comment; whether one was there.
    fn skip_comment(&mut self, family: Family, byte: u8) -> bool {
        if byte == b'/' && family == Family::Script && self.peek_at(1) == Some(b'*') {
            while self.peek().is_some() && !self.looking_at(b"*/") {
                self.advance(1);
            }
            self.advance(2);
            return true;
        }
        let php = family == Family::Php && self.looking_at(b"//");
        if !php && !self.looking_at(family.comment()) {
            return false;
        }
        // `$#array` and `#{…}` are none.
        let before = self.text.get(self.pos.saturating_sub(1));
        if byte == b'#' && before == Some(b'$') {
            return false;
        }
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.advance(1);
        }
        true
    }

    /// A string from its quote on: its value, with escapes decoded.
    fn string(&mut self, code: Code, quote: u8) -> Step {
        self.build.some = true;
        let triple = [quote, quote, quote];
        if code.family == Family::Python && self.looking_at(&triple) {
            self.advance(3);
            return self.string_until(code, &triple, true);
        }
        self.advance(1);
        let escapes = quote == b'"' || matches!(code.family, Family::Python | Family::Script);
        self.string_until(code, &[quote], escapes)
    }

    fn string_until(&mut self, code: Code, close: &[u8], escapes: bool) -> Step {
        let interpolates = matches!(
            (code.family, close),
            (Family::Ruby | Family::Groovy | Family::Julia, [b'"']) | (Family::Script, [b'`'])
        );
        loop {
            let Some(byte) = self.peek() else {
                return Ok(());
            };
            if self.take(close) {
                return Ok(());
            }
            let opens = (byte == b'#' || byte == b'$') && self.peek_at(1) == Some(b'{');
            if byte == b'\\' && escapes {
                self.escape(super::escapes::Escapes::Quoted)?;
            } else if byte == b'\\' {
                self.advance(1);
                if let Some(next) = self.peek() {
                    if next != b'\'' && next != b'\\' {
                        self.put(b'\\')?;
                    }
                    self.advance(1);
                    self.put(next)?;
                }
            } else if interpolates && opens {
                while self.peek().is_some_and(|byte| byte != b'}') {
                    self.advance(1);
                }
                self.advance(1);
                self.put_unknown(false)?;
            } else if byte == UNKNOWN {
                self.advance(1);
                self.put_unknown(false)?;
            } else {
                self.advance(1);
                self.put(byte)?;
            }
        }
    }

    /// `` `…` ``: a shell's text in some languages, a string in others.
    fn backtick_text(&mut self, index: usize, code: Code) -> Step {
        self.advance(1);
        let primary = self.text.top();
        if code.family.backticks_run() {
            let word = self.text_until(code, b'`')?;
            self.run_found(index, word)?;
            return self.put_unknown(false);
        }
        self.build.some = true;
        self.string_until(code, b"`", true)?;
        self.chain(index, code, primary)
    }

    /// The text up to `close` as a word of its own.
    fn text_until(&mut self, code: Code, close: u8) -> Step<Word> {
        let build = core::mem::take(&mut self.build);
        self.begin_word();
        let done = self.string_until(code, &[close], true);
        let word = match done {
            Ok(()) => self.finish_word(),
            Err(stop) => Err(stop),
        };
        self.build = Building { ..build };
        word
    }

    /// Ruby's `%x( … )` and other `%` texts. Whether it was one.
    fn percent_text(&mut self, index: usize, code: Code) -> Step<bool> {
        let letter = self.peek_at(1).unwrap_or(b' ');
        let (kind, open) = if letter.is_ascii_alphabetic() {
            (letter, self.peek_at(2))
        } else {
            (b'Q', Some(letter))
        };
        let Some(close) = open.and_then(closing) else {
            return Ok(false);
        };
        self.advance(if letter.is_ascii_alphabetic() { 3 } else { 2 });
        let word = self.text_until(code, close)?;
        if kind == b'x' {
            self.run_found(index, word)?;
            self.put_unknown(false)?;
            return Ok(true);
        }
        self.append(word.text, word.flags, kind != b'w', super::word::Mode::Args)?;
        Ok(true)
    }

    /// A bracket: what is in it is flattened into the word list. Blocks give nothing.
    fn bracket(&mut self, index: usize, code: Code, open: u8) -> Step {
        self.advance(1);
        let close = closing(open).unwrap_or(b')');
        self.nested(|shell| {
            if open != b'{' {
                shell.lisp_call(index, code, open)?;
                shell.terms(index, code, Until::Close(close))?;
                shell.advance(1);
                return Ok(());
            }
            let build = core::mem::take(&mut shell.build);
            let words = shell.words.top();
            shell.begin_word();
            let start = shell.build.start;
            let block = shell.block(index, code, close);
            shell.words.unstack(words);
            shell.text.unstack(start);
            shell.build = build;
            block
        })
    }

    /// Statements up to `close`; the values of one do not reach the next.
    fn block(&mut self, index: usize, code: Code, close: u8) -> Step {
        let start = self.build.start;
        loop {
            self.terms(index, code, Until::Statement)?;
            self.text.unstack(start);
            self.begin_word();
            match self.peek() {
                None => return Ok(()),
                Some(byte) => {
                    self.advance(1);
                    if byte == close {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// In a Lisp the name of a call is the first thing in its brackets.
    fn lisp_call(&mut self, index: usize, code: Code, open: u8) -> Step {
        if code.family != Family::Lisp || open != b'(' {
            return Ok(());
        }
        let start = self.pos;
        while self
            .peek()
            .is_some_and(|byte| is_name(byte) || matches!(byte, b'-' | b'*' | b'!'))
        {
            self.advance(1);
        }
        let name = Span {
            start: start as u32,
            len: self.pos.saturating_sub(start) as u32,
        };
        let Some(effect) = code.family.effect(self.bytes(name), self.bytes(code.text)) else {
            return Ok(());
        };
        let args = self.arguments(index, code, Until::Close(b')'))?;
        self.effect(index, code, effect, args, name)?;
        Ok(())
    }

    /// Goes over a pattern from its opening delimiter on.
    fn skip_pattern(&mut self, close: u8) {
        self.advance(1);
        while let Some(byte) = self.peek() {
            self.advance(1);
            match byte {
                b'\\' => self.advance(1),
                b'\n' => return,
                _ if byte == close => return,
                _ => {}
            }
        }
    }

    fn number_text(&mut self) -> Step {
        while let Some(byte) = self.peek() {
            if !byte.is_ascii_alphanumeric() && byte != b'_' {
                break;
            }
            self.advance(1);
            self.put(byte)?;
        }
        Ok(())
    }

    /// A name: a call, an assignment, a variable, a quoting operator or a keyword. Whether a value
    /// stands there now.
    fn name(&mut self, index: usize, code: Code, primary: usize, until: Until) -> Step<bool> {
        let (whole, last) = self.dotted_name();
        if self.quote_operator(index, code, last, primary)? {
            return Ok(true);
        }
        if self.alias_of(code, last)? {
            return Ok(false);
        }
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.advance(1);
        }
        let name = self.original(last);
        if self.peek() == Some(b'(') {
            self.called(index, code, name, primary)?;
            self.chain(index, code, primary)?;
            return Ok(true);
        }
        let effect = code.family.effect(self.bytes(name), self.bytes(code.text));
        if let Some(effect) = effect.filter(|_| code.family.calls_bare() && self.starts_value()) {
            let args = self.arguments(index, code, Until::Statement)?;
            self.effect(index, code, effect, args, name)?;
            return Ok(true);
        }
        let assigns =
            self.peek() == Some(b'=') && !matches!(self.peek_at(1), Some(b'=' | b'~' | b'>'));
        if assigns {
            self.advance(1);
            self.assign_name(index, code, last, until)?;
            return Ok(false);
        }
        let value = self.known_name(code, whole, last, effect)?;
        if value {
            self.chain(index, code, primary)?;
        }
        Ok(value)
    }

    /// Goes over `a.b::c->d`; all of it, and its last part.
    fn dotted_name(&mut self) -> (Span, Span) {
        let start = self.pos;
        let mut last = start;
        loop {
            while self.peek().is_some_and(is_name) {
                self.advance(1);
            }
            let joint: usize = match (self.peek(), self.peek_at(1)) {
                (Some(b'.'), Some(next)) if is_name_start(next) => 1,
                (Some(b':'), Some(next)) if is_name_start(next) => 1,
                (Some(b':'), Some(b':')) | (Some(b'-'), Some(b'>')) => 2,
                (Some(b'?'), Some(b'.')) => 2,
                _ => break,
            };
            if !self.peek_at(joint).is_some_and(is_name_start) {
                break;
            }
            self.advance(joint);
            last = self.pos;
        }
        if matches!(self.peek(), Some(b'!' | b'*')) && self.peek_at(1) == Some(b'(') {
            self.advance(1);
        }
        let span = |from: usize| Span {
            start: from as u32,
            len: self.pos.saturating_sub(from) as u32,
        };
        (span(start), span(last))
    }

    /// Whether an argument starts at the cursor, so that a name before it is a call.
    fn starts_value(&self) -> bool {
        match self.peek() {
            Some(b'"' | b'\'' | b'`' | b'[' | b'$' | b'@') => true,
            Some(byte) => is_name_start(byte),
            None => false,
        }
    }

    /// `name as other`: the other name means the same.
    fn alias_of(&mut self, code: Code, name: Span) -> Step<bool> {
        let python = code.family == Family::Python || code.family == Family::Script;
        if !python || !self.looking_at(b" as ") {
            return Ok(false);
        }
        self.advance(4);
        let alias = self.take_name();
        let flags = WordFlags::default();
        self.set(kind::NAME, alias, Word { text: name, flags })?;
        Ok(true)
    }

    /// The name that `name` was given by.
    fn original(&self, name: Span) -> Span {
        match self.find(kind::NAME, self.bytes(name)) {
            Some(entry) => entry.value.text,
            None => name,
        }
    }

    /// Behind `name =`: the value, which the name stands for from here on.
    fn assign_name(&mut self, index: usize, code: Code, name: Span, until: Until) -> Step {
        let end = match until {
            Until::End | Until::Statement => Until::Statement,
            _ => Until::Argument,
        };
        let args = self.arguments(index, code, end)?;
        if args.count == 1 {
            let value = self.arg(args, 0).unwrap_or_default();
            self.set(kind::CODE, name, value)?;
        } else {
            let value = self.unknown_word()?;
            self.set(kind::CODE, name, value)?;
        }
        Ok(())
    }

    /// Adds the value of a name, where it has a known one. Whether it is a value at all.
    fn known_name(
        &mut self,
        code: Code,
        whole: Span,
        last: Span,
        effect: Option<Effect>,
    ) -> Step<bool> {
        if let Some(entry) = self.find(kind::CODE, self.bytes(last)) {
            let value = entry.value;
            self.append(value.text, value.flags, true, super::word::Mode::One)?;
            return Ok(true);
        }
        if self.bytes(last) == b"HOME" {
            return self.put_home().map(|()| true);
        }
        let keyword = matches!(
            self.bytes(whole),
            b"return"
                | b"and"
                | b"or"
                | b"not"
                | b"if"
                | b"unless"
                | b"while"
                | b"until"
                | b"in"
                | b"else"
                | b"elsif"
                | b"elif"
                | b"split"
                | b"grep"
                | b"map"
                | b"print"
                | b"await"
                | b"new"
                | b"const"
                | b"let"
                | b"var"
                | b"my"
                | b"our"
                | b"local"
                | b"import"
                | b"from"
                | b"do"
                | b"then"
                | b"BEGIN"
                | b"END"
                | b"when"
                | b"case"
                | b"puts"
        );
        if keyword {
            return Ok(false);
        }
        if effect == Some(Effect::Code) && self.code_fetches(code) {
            self.build.flags = self.build.flags.with(WordFlags::FETCHED);
            let index = (self.place.parent as usize).saturating_sub(1);
            let flags = super::CommandFlags::UNKNOWN_CODE.with(super::CommandFlags::FETCHED_CODE);
            self.flag(index, flags)?;
        }
        self.put_unknown(false)?;
        Ok(true)
    }

    /// Whether the code fetches anything.
    fn code_fetches(&self, code: Code) -> bool {
        super::calls::holds(self.bytes(code.text), b"://")
    }

    /// Adds the home directory.
    pub fn put_home(&mut self) -> Step {
        match self.home()? {
            Some(home) => self.append(home.text, home.flags, true, super::word::Mode::One),
            None => self.put(b'~'),
        }
    }

    /// `q(…)`, `qq{…}`, `qx!…!`, `m/…/`, `s/…/…/`, and prefixes of strings. Whether it was one.
    fn quote_operator(
        &mut self,
        index: usize,
        code: Code,
        name: Span,
        primary: usize,
    ) -> Step<bool> {
        let next = self.peek().unwrap_or(b' ');
        if matches!(next, b'"' | b'\'') && code.family == Family::Python && name.len <= 2 {
            let raw = self.bytes(name).iter().any(|b| matches!(b, b'r' | b'R'));
            if raw {
                self.build.some = true;
                self.advance(1);
                self.string_until(code, &[next], false)?;
            } else {
                self.string(code, next)?;
            }
            self.chain(index, code, primary)?;
            return Ok(true);
        }
        if code.family != Family::Perl || next.is_ascii_alphanumeric() {
            return Ok(false);
        }
        if matches!(next, b' ' | b',' | b';' | b')' | b'=' | b'-' | b'.' | b'\n') {
            return Ok(false);
        }
        let close = closing(next).unwrap_or(next);
        match self.bytes(name) {
            b"q" | b"qq" | b"qw" => {
                let splits = name.len == 2 && self.bytes(name) == b"qw";
                self.advance(1);
                let word = self.text_until(code, close)?;
                self.append(word.text, word.flags, !splits, super::word::Mode::Args)?;
            }
            b"qx" => {
                self.advance(1);
                let word = self.text_until(code, close)?;
                self.run_found(index, word)?;
                self.put_unknown(false)?;
            }
            b"m" | b"qr" => self.skip_pattern(close),
            b"s" | b"tr" | b"y" => {
                self.skip_pattern(close);
                if close == next {
                    self.pos = self.pos.saturating_sub(1);
                }
                self.skip_pattern(close);
                while self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    self.advance(1);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The arguments from the cursor to `until`, which stays unread.
    fn arguments(&mut self, index: usize, code: Code, until: Until) -> Step<Run> {
        let build = core::mem::take(&mut self.build);
        let top = self.words.top();
        self.begin_word();
        let start = self.build.start;
        let done = self.nested(|shell| {
            shell.terms(index, code, until)?;
            shell.end_word()
        });
        self.text.unstack(start);
        self.build = build;
        done?;
        self.keep_words(top)
    }

    /// A call of `name`, from its opening bracket on. Adds its value.
    fn called(&mut self, index: usize, code: Code, name: Span, primary: usize) -> Step {
        self.advance(1);
        let args = self.arguments(index, code, Until::Close(b')'))?;
        self.advance(1);
        self.text.unstack(primary);
        let effect = code.family.effect(self.bytes(name), self.bytes(code.text));
        match effect {
            Some(Effect::Attribute) => {
                let wanted = self
                    .arg(args, args.count.saturating_sub(1))
                    .unwrap_or_default();
                if self.peek() == Some(b'(') && !wanted.flags.has(WordFlags::PARTIAL) {
                    return self.nested(|shell| shell.called(index, code, wanted.text, primary));
                }
                self.put_unknown(false)
            }
            Some(effect) => self.effect(index, code, effect, args, name),
            None => self.unknown_result(args),
        }
    }

    /// The result of a call of which nothing is known but what went in.
    pub fn unknown_result(&mut self, args: Run) -> Step {
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            let fetched = WordFlags(word.flags.0 & WordFlags::FETCHED.0);
            self.add_flags(fetched);
        }
        self.put_unknown(false)
    }

    /// Methods and subscripts behind a value that starts at `primary` on the text stack.
    fn chain(&mut self, index: usize, code: Code, primary: usize) -> Step {
        loop {
            let joint: usize = match (self.peek(), self.peek_at(1)) {
                (Some(b'.'), Some(next)) if is_name_start(next) => 1,
                (Some(b'-'), Some(b'>')) | (Some(b'?'), Some(b'.')) => 2,
                (Some(b'['), _) => {
                    self.advance(1);
                    let args = self.arguments(index, code, Until::Close(b']'))?;
                    self.advance(1);
                    self.subscript_value(args, primary)?;
                    continue;
                }
                _ => return Ok(()),
            };
            if !self.peek_at(joint).is_some_and(is_name_start) {
                return Ok(());
            }
            self.advance(joint);
            let name = self.take_name();
            let called = self.peek() == Some(b'(');
            let args = if called {
                self.advance(1);
                let args = self.arguments(index, code, Until::Close(b')'))?;
                self.advance(1);
                args
            } else {
                Run::default()
            };
            self.method(index, code, name, args, primary)?;
        }
    }

    /// What `value[…]` stands for: `os.environ["HOME"]`, or nothing that is known.
    fn subscript_value(&mut self, args: Run, primary: usize) -> Step {
        let name = self.arg(args, 0).unwrap_or_default();
        self.text.unstack(primary);
        if self.bytes(name.text) == b"HOME" {
            return self.put_home();
        }
        self.put_unknown(false)
    }

    /// A method of the value that starts at `primary`: that is its operand, if it has no others.
    fn method(&mut self, index: usize, code: Code, name: Span, args: Run, primary: usize) -> Step {
        let effect = code.family.effect(self.bytes(name), self.bytes(code.text));
        let receiver = self.receiver(primary)?;
        let Some(effect) = effect else {
            let fetched = WordFlags(receiver.flags.0 & WordFlags::FETCHED.0);
            self.add_flags(fetched);
            return self.put_unknown(false);
        };
        let keeps = matches!(effect, Effect::Same)
            || (effect == Effect::Read && receiver.flags.has(WordFlags::PARTIAL));
        let own = matches!(
            effect,
            Effect::Decode | Effect::Tree | Effect::File | Effect::Read | Effect::Write
        ) || args.count == 0;
        let known = !receiver.flags.has(WordFlags::DYNAMIC) && receiver.text.len > 0;
        if keeps {
            return self.append(receiver.text, receiver.flags, true, super::word::Mode::One);
        }
        let separator = effect == Effect::Path
            && code.family == Family::Python
            && self.bytes(name) == b"join"
            && !receiver.flags.has(WordFlags::PARTIAL);
        if separator {
            for nth in 0..args.count {
                if nth > 0 {
                    self.append(receiver.text, receiver.flags, true, super::word::Mode::One)?;
                }
                let word = self.arg(args, nth).unwrap_or_default();
                self.append(word.text, word.flags, true, super::word::Mode::One)?;
            }
            return Ok(());
        }
        if effect == Effect::Path || (own && known) {
            let top = self.words.top();
            self.words.stack(receiver)?;
            for nth in 0..args.count {
                let word = self.arg(args, nth).unwrap_or_default();
                self.words.stack(word)?;
            }
            let args = self.keep_words(top)?;
            return self.effect(index, code, effect, args, name);
        }
        self.effect(index, code, effect, args, name)
    }

    /// Takes the value that starts at `primary` off the word that is put together.
    fn receiver(&mut self, primary: usize) -> Step<Word> {
        let from = primary.max(self.build.start).min(self.text.top());
        let text = self.keep_text(from)?;
        let mut word = self.span_word(text);
        let carried = self.build.flags.0 & (WordFlags::FETCHED.0 | WordFlags::DECODED.0);
        word.flags = word.flags.with(WordFlags(carried));
        Ok(word)
    }

    /// `"cmd" | getline`, `print … | "cmd"` in awk.
    fn awk_pipe(&mut self, index: usize, code: Code) -> Step {
        self.advance(1);
        while matches!(self.peek(), Some(b' ' | b'\t' | b'&' | b'|')) {
            self.advance(1);
        }
        if self.looking_at(b"getline") {
            let word = self.receiver(self.build.start)?;
            return self.run_found(index, word);
        }
        if self.peek() == Some(b'"') {
            self.advance(1);
            let word = self.text_until(code, b'"')?;
            let stdin = self.place.stdin;
            let printed = self.receiver(self.build.start)?;
            self.place.stdin = super::shell::Data {
                text: printed.text,
                taint: Taint::of(printed.flags),
            };
            let done = self.run_found(index, word);
            self.place.stdin = stdin;
            return done;
        }
        Ok(())
    }
}

/// The bracket that closes `open`.
fn closing(open: u8) -> Option<u8> {
    Some(match open {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        b'/' | b'!' | b'|' => open,
        _ => return None,
    })
}
