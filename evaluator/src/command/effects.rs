//! What calls of other languages come to: commands that do the same, and values.

use super::calls::{Effect, holds};
use super::code::Code;
use super::decode::Coding;
use super::flow::{Data, Taint};
use super::follow::rest;
use super::limits::Step;
use super::shell::{Place, Shell};
use super::word::Mode;
use super::{Command, Redirect, RedirectOp, Run, Span, Word, WordFlags};

impl Shell<'_, '_> {
    /// Follows shell text that was found in code.
    pub fn run_found(&mut self, index: usize, word: Word) -> Step {
        let place = self.place;
        let via = place.via;
        let on = core::mem::take(&mut self.capture.on);
        let done = self.run_value(index, word, via);
        self.capture.on = on;
        done
    }

    /// Adds a command that stands for a call.
    fn found_command(&mut self, index: usize, words: Run) -> Step {
        let Place { via, .. } = self.place;
        let on = core::mem::take(&mut self.capture.on);
        let done = self.child(index, words, via);
        self.capture.on = on;
        done
    }

    /// Follows a call with these arguments and adds its value to the word that is put together.
    pub fn effect(
        &mut self,
        index: usize,
        code: Code,
        effect: Effect,
        args: Run,
        name: Span,
    ) -> Step {
        let first = self.arg(args, 0).unwrap_or_default();
        let spawns = matches!(effect, Effect::Text | Effect::Spawn);
        if spawns && self.place.stdin.taint == Taint::default() && self.feeds(code)? {
            return self.fed(|shell| shell.effect(index, code, effect, args, name));
        }
        match effect {
            Effect::Text => self.spawn(index, code, Run { count: args.count.min(1), ..args }),
            Effect::Spawn => self.spawn(index, code, args),
            Effect::Argv => self.spawn_words(index, code, rest(args, 1)),
            Effect::Mode => self.spawn_words(index, code, rest(args, 2)),
            Effect::Cp => self.stands_for(index, &[b"cp"], args),
            Effect::Mv => self.stands_for(index, &[b"mv"], args),
            Effect::Chmod => self.stands_for(index, &[b"chmod"], args),
            Effect::Chown => self.stands_for(index, &[b"chown"], args),
            Effect::Tree => self.stands_for(index, &[b"rm", b"-rf"], args),
            Effect::File => {
                let walked = self.find(super::vars::kind::CODE, b"\x01walk");
                match walked {
                    Some(entry) if self.bytes(first.text).first() == Some(&super::UNKNOWN) => {
                        let top = self.words.top();
                        self.words.stack(entry.value)?;
                        let args = self.keep_words(top)?;
                        self.stands_for(index, &[b"rm", b"-r"], args)
                    }
                    _ => self.stands_for(index, &[b"rm"], args),
                }
            }
            Effect::Read => {
                let args = Run { count: args.count.min(1), ..args };
                if holds(self.bytes(first.text), b"://") {
                    return self.effect(index, code, Effect::Fetch, args, name);
                }
                self.stands_for(index, &[b"cat"], args)
            }
            Effect::Write => self.writes(index, name, first, RedirectOp::Write),
            Effect::Open => self.opens(index, code, args, name),
            Effect::Fetch => {
                let args = Run { count: args.count.min(1), ..args };
                self.add_flags(WordFlags::FETCHED);
                self.stands_for(index, &[b"curl"], args)
            }
            Effect::Code => {
                if first.text.len > 0 {
                    self.run_foreign(index, code.family, first)?;
                }
                self.put_unknown(false)
            }
            _ => self.value_of_call(effect, args),
        }
    }

    /// Whether the code writes to what it starts (`input=`, `stdin=PIPE`, `communicate`).
    fn feeds(&mut self, code: Code) -> Step<bool> {
        const WORDS: [&[u8]; 3] = [b"input", b"stdin", b"communicate"];
        for word in WORDS {
            if self.mentions(code, word)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A call that only computes.
    fn value_of_call(&mut self, effect: Effect, args: Run) -> Step {
        let first = self.arg(args, 0).unwrap_or_default();
        match effect {
            Effect::Print => self.prints(args),
            Effect::Decode => self.decodes(args, Coding::Base64),
            Effect::Hex => self.decodes(args, Coding::Hex),
            Effect::Chars => self.characters(args),
            Effect::Same => self.gives_back(args, b""),
            Effect::Path => self.gives_back(args, b"/"),
            Effect::Home => self.put_home(),
            Effect::Walk => {
                if first.text.len > 0 {
                    let top = self.text.top();
                    self.stack_bytes(b"\x01walk")?;
                    let key = self.keep_text(top)?;
                    self.set(super::vars::kind::CODE, key, first)?;
                }
                self.unknown_result(args)
            }
            _ => self.unknown_result(args),
        }
    }

    /// One argument is shell text, or a program alone; several are a command.
    fn spawn(&mut self, index: usize, code: Code, args: Run) -> Step {
        if args.count > 1 {
            return self.spawn_words(index, code, args);
        }
        if let Some(word) = self.arg(args, 0) {
            self.run_found(index, word)?;
        }
        self.put_unknown(false)
    }

    fn spawn_words(&mut self, index: usize, code: Code, args: Run) -> Step {
        // In JavaScript options come last and are no known text.
        let mut args = args;
        while args.count > 1 && code.family == super::calls::Family::Script {
            let last = self.arg(args, args.count.saturating_sub(1)).unwrap_or_default();
            if !last.flags.has(WordFlags::DYNAMIC) {
                break;
            }
            args.count = args.count.saturating_sub(1);
        }
        self.found_command(index, args)?;
        self.put_unknown(false)
    }

    /// The call is said as the command `start` with its arguments.
    fn stands_for(&mut self, index: usize, start: &[&[u8]], args: Run) -> Step {
        if args.count > 0 {
            let top = self.words.top();
            for text in start {
                let text = self.keep_bytes(text)?;
                let flags = WordFlags::default();
                self.words.stack(Word { text, flags })?;
            }
            for nth in 0..args.count {
                let word = self.arg(args, nth).unwrap_or_default();
                let word = self.home_in(word)?;
                self.words.stack(word)?;
            }
            let words = self.keep_words(top)?;
            self.found_command(index, words)?;
        }
        self.put_unknown(false)
    }

    /// `~/…` in a path that some function expanded.
    fn home_in(&mut self, word: Word) -> Step<Word> {
        if self.bytes(word.text).first() != Some(&b'~') {
            return Ok(word);
        }
        let Some(home) = self.home()? else {
            return Ok(word);
        };
        let top = self.text.top();
        self.stack_span(home.text)?;
        self.stack_span(super::rules::tail(word, 1).text)?;
        let text = self.keep_text(top)?;
        Ok(Word { text, ..word })
    }

    /// A call that writes a file: said as itself, with a redirection.
    fn writes(&mut self, index: usize, name: Span, file: Word, op: RedirectOp) -> Step {
        let target = self.home_in(file)?;
        let first = self.redirects.push(Redirect { fd: 1, op, target })?;
        let top = self.words.top();
        let flags = WordFlags::default();
        self.words.stack(Word { text: name, flags })?;
        let words = self.keep_words(top)?;
        let at = self.commands.get(index).unwrap_or_default().at;
        let child = self.commands.push(Command {
            words,
            redirects: Run { first: first as u32, count: 1 },
            parent: (index as u32).saturating_add(1),
            via: self.place.via,
            at,
            ..Command::default()
        })?;
        self.note_surroundings(child)?;
        self.put_unknown(false)
    }

    /// `open(FILE, MODE)`, perl's `open(HANDLE, MODE, FILE)`, and pipes.
    fn opens(&mut self, index: usize, code: Code, args: Run, name: Span) -> Step {
        let mut args = args;
        let handle = self.arg(args, 0).unwrap_or_default();
        if handle.flags.has(WordFlags::DYNAMIC) && args.count > 1 {
            args = rest(args, 1);
        }
        let first = self.arg(args, 0).unwrap_or_default();
        let second = self.arg(args, 1).unwrap_or_default();
        let text = self.bytes(first.text);
        if holds(text, b"://") {
            self.add_flags(WordFlags::FETCHED);
            return self.stands_for(index, &[b"curl"], Run { count: 1, ..args });
        }
        if text == b"-|" {
            return self.spawn(index, code, rest(args, 1));
        }
        if text == b"|-" {
            return self.fed(|shell| shell.spawn(index, code, rest(args, 1)));
        }
        if text.first() == Some(&b'|') && text.len() > 1 {
            let command = super::rules::tail(first, 1);
            self.fed(|shell| shell.run_found(index, command))?;
            return self.put_unknown(false);
        }
        if text.last() == Some(&b'|') {
            let mut word = first;
            word.text.len = word.text.len.saturating_sub(1);
            return self.spawn_one(index, word);
        }
        let arrows = text.iter().take_while(|byte| matches!(byte, b'<' | b'>' | b'+')).count();
        if arrows > 0 {
            let writes = text.contains(&b'>');
            let bare = text.iter().all(|b| !matches!(b, b'/' | b'.') && !b.is_ascii_digit());
            let file = if bare && second.text.len > 0 {
                second
            } else {
                super::rules::tail(first, arrows)
            };
            return self.opened(index, name, file, writes);
        }
        let mode = self.bytes(second.text);
        let writes = mode.len() <= 4 && mode.iter().any(|b| matches!(b, b'w' | b'a' | b'x' | b'+'));
        self.opened(index, name, first, writes)
    }

    /// Runs `body` for a program that reads what the code writes, which is not known.
    fn fed(&mut self, body: impl FnOnce(&mut Self) -> Step) -> Step {
        let stdin = self.place.stdin;
        self.place.stdin.taint = Taint::SOME.with(Taint::UNKNOWN);
        self.place.stdin.text.len = 0;
        let done = body(self);
        self.place.stdin = stdin;
        done
    }

    fn spawn_one(&mut self, index: usize, word: Word) -> Step {
        self.run_found(index, word)?;
        self.put_unknown(false)
    }

    fn opened(&mut self, index: usize, name: Span, file: Word, writes: bool) -> Step {
        if file.text.len == 0 {
            return self.put_unknown(false);
        }
        if writes {
            return self.writes(index, name, file, RedirectOp::Write);
        }
        let top = self.words.top();
        self.words.stack(file)?;
        let args = self.keep_words(top)?;
        self.stands_for(index, &[b"cat"], args)
    }

    /// What the code prints may be code for a shell.
    fn prints(&mut self, args: Run) -> Step {
        if !self.capture.on {
            return Ok(());
        }
        let word = self.joined(args)?;
        let taint = Taint::of(word.flags);
        // The word that is put together lies on the stack: it is done with.
        self.text.unstack(self.build.start);
        self.emit(Data { text: word.text, taint })?;
        self.text.stack(b'\n')?;
        self.begin_word();
        Ok(())
    }

    /// The last argument that is not the name of a coding is decoded.
    fn decodes(&mut self, args: Run, coding: Coding) -> Step {
        let mut coding = coding;
        let mut data = None;
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            match self.bytes(word.text) {
                b"hex" | b"H*" | b"h*" => coding = Coding::Hex,
                b"base64" | b"base64url" | b"m" | b"m0" | b"u" => {}
                b"utf8" | b"utf-8" | b"ascii" | b"latin1" | b"binary" => {}
                _ => data = data.or(Some(word)),
            }
        }
        let Some(word) = data.filter(|word| !word.flags.has(WordFlags::PARTIAL)) else {
            self.add_flags(WordFlags::FETCHED);
            return self.put_unknown(false);
        };
        let top = self.text.top();
        if self.decode(coding, word.text)? {
            self.build.some = true;
            self.add_flags(WordFlags::DECODED);
            return Ok(());
        }
        self.text.unstack(top);
        self.put_unknown(false)
    }

    /// Numbers of characters, as text.
    fn characters(&mut self, args: Run) -> Step {
        let top = self.text.top();
        let mut any = false;
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            let number = super::pattern::number(self.bytes(word.text));
            if let Some(byte) = number.and_then(|number| u8::try_from(number).ok()) {
                any = true;
                self.put(byte.max(1))?;
            }
        }
        if !any {
            self.text.unstack(top);
            return self.gives_back(args, b"");
        }
        Ok(())
    }

    fn gives_back(&mut self, args: Run, between: &[u8]) -> Step {
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            if nth > 0 {
                for byte in between {
                    self.put(*byte)?;
                }
            }
            self.append(word.text, word.flags, true, Mode::One)?;
        }
        Ok(())
    }
}
