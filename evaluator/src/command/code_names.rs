//! Names in code of other languages: calls, variables, methods and subscripts.

use super::calls::{Effect, Family};
use super::code::{Code, Until};
use super::lexer::{is_name, is_name_start};
use super::limits::Step;
use super::shell::Shell;
use super::vars::kind;
use super::{Run, Span, Word, WordFlags};

impl Shell<'_, '_> {
    /// A name: a call, an assignment, a variable, a quoting operator or a keyword. Whether a value
    /// stands there now.
    pub fn name(&mut self, index: usize, code: Code, primary: usize, until: Until) -> Step<bool> {
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
        let effect = self.call_effect(code, name)?;
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
    pub fn dotted_name(&mut self) -> (Span, Span) {
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
        let span =
            |from: usize| Span { start: from as u32, len: self.pos.saturating_sub(from) as u32 };
        (span(start), span(last))
    }

    /// Whether an argument starts at the cursor, so that a name before it is a call.
    pub fn starts_value(&self) -> bool {
        match self.peek() {
            Some(b'"' | b'\'' | b'`' | b'[' | b'$' | b'@') => true,
            Some(byte) => is_name_start(byte),
            None => false,
        }
    }

    /// `name as other`: the other name means the same.
    pub fn alias_of(&mut self, code: Code, name: Span) -> Step<bool> {
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
    pub fn original(&self, name: Span) -> Span {
        match self.find(kind::NAME, self.bytes(name)) {
            Some(entry) => entry.value.text,
            None => name,
        }
    }

    /// Behind `name =`: the value, which the name stands for from here on.
    pub fn assign_name(&mut self, index: usize, code: Code, name: Span, until: Until) -> Step {
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
    pub fn known_name(
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
        let keyword = is_keyword(self.bytes(whole));
        if keyword {
            return Ok(false);
        }
        if effect == Some(Effect::Code) && self.mentions(code, b"://")? {
            self.build.flags = self.build.flags.with(WordFlags::FETCHED);
            let index = (self.place.parent as usize).saturating_sub(1);
            let flags = super::CommandFlags::UNKNOWN_CODE.with(super::CommandFlags::FETCHED_CODE);
            self.flag(index, flags)?;
        }
        self.put_unknown(false)?;
        Ok(true)
    }

    /// Adds the home directory.
    pub fn put_home(&mut self) -> Step {
        match self.home()? {
            Some(home) => self.append(home.text, home.flags, true, super::word::Mode::One),
            None => self.put(b'~'),
        }
    }

    /// A call of `name`, from its opening bracket on. Adds its value.
    pub fn called(&mut self, index: usize, code: Code, name: Span, primary: usize) -> Step {
        self.advance(1);
        let args = self.arguments(index, code, Until::Close(b')'))?;
        self.advance(1);
        self.text.unstack(primary);
        let effect = self.call_effect(code, name)?;
        match effect {
            Some(Effect::Attribute) => {
                let wanted = self.arg(args, args.count.saturating_sub(1)).unwrap_or_default();
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
    pub fn chain(&mut self, index: usize, code: Code, primary: usize) -> Step {
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
    pub fn subscript_value(&mut self, args: Run, primary: usize) -> Step {
        let name = self.arg(args, 0).unwrap_or_default();
        self.text.unstack(primary);
        if self.bytes(name.text) == b"HOME" {
            return self.put_home();
        }
        self.put_unknown(false)
    }

    /// A method of the value that starts at `primary`: that is its operand, if it has no others.
    pub fn method(
        &mut self,
        index: usize,
        code: Code,
        name: Span,
        args: Run,
        primary: usize,
    ) -> Step {
        let effect = self.call_effect(code, name)?;
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
    pub fn receiver(&mut self, primary: usize) -> Step<Word> {
        let from = primary.max(self.build.start).min(self.text.top());
        let text = self.keep_text(from)?;
        let mut word = self.span_word(text);
        let carried = self.build.flags.0 & (WordFlags::FETCHED.0 | WordFlags::DECODED.0);
        word.flags = word.flags.with(WordFlags(carried));
        Ok(word)
    }
}

/// Words of any of the languages that are no values.
fn is_keyword(name: &[u8]) -> bool {
    matches!(
        name,
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
    )
}
