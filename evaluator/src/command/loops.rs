//! Loops: read once for each known word, or twice where the body changes a variable.

use super::grammar::Mark;
use super::limits::{Step, Stop};
use super::shell::Shell;
use super::vars::kind;
use super::word::Mode;
use super::{Command, Run, Span, UNKNOWN, Var, Word, WordFlags};

impl Shell<'_, '_> {
    pub fn while_loop(&mut self) -> Step {
        let before = self.mark();
        let word: &[u8] = if self.peek() == Some(b'w') { b"while" } else { b"until" };
        self.take_keyword(word);
        let (start, here) = (self.pos, self.here);
        self.while_once()?;
        if self.was_changed(before.vars()) || self.state.args != before.state().args {
            // What the body sets is there in its next round.
            (self.pos, self.here) = (start, here);
            let again = self.mark();
            self.state.args_unknown |= self.state.args != before.state().args;
            self.while_once()?;
            if !self.is_settled(before, again) {
                // It changes with every round.
                (self.pos, self.here) = (start, here);
                self.widen(again)?;
                self.while_once()?;
            }
            self.forget_repeated(before, again);
        }
        self.join(before);
        Ok(())
    }

    /// Whether the round since `again` set the same values as the one from `before` to there.
    fn is_settled(&self, before: Mark, again: Mark) -> bool {
        let count = again.vars().saturating_sub(before.vars());
        let first = self.vars.run(before.vars(), count);
        let rest = self.vars.len().saturating_sub(again.vars());
        let second = self.vars.run(again.vars(), rest);
        let same = |(one, other): (&Var, &Var)| {
            self.bytes(one.name) == self.bytes(other.name)
                && one.scope & kind::MASK != kind::ARRAY
                && self.bytes(one.value.text) == self.bytes(other.value.text)
        };
        first.len() == second.len() && first.iter().zip(second).all(same)
    }

    /// Nothing is known any more of the variables that were set since `again`.
    fn widen(&mut self, again: Mark) -> Step {
        let value = self.unknown_word()?;
        for at in again.vars()..self.vars.len() {
            let entry = self.vars.get(at).unwrap_or_default();
            if matches!(entry.scope & kind::MASK, kind::VARIABLE | kind::ARRAY) {
                self.burn(4)?;
                let scope = kind::VARIABLE | (entry.scope & kind::EXPORTED);
                self.set(scope, entry.name, value)?;
            }
        }
        Ok(())
    }

    /// Forgets the commands found since `again` if they are those found from `before` to there.
    pub fn forget_repeated(&mut self, before: Mark, again: Mark) {
        let (first, second) = (before.commands(), again.commands());
        let count = second.saturating_sub(first);
        let same = self.commands.len().saturating_sub(second) == count
            && (0..count).all(|step| {
                let one = self.commands.get(first.saturating_add(step));
                let other = self.commands.get(second.saturating_add(step));
                match (one, other) {
                    (Some(one), Some(other)) => self.runs_the_same(&one, &other),
                    _ => false,
                }
            });
        if same {
            self.commands.truncate(second);
        }
    }

    pub fn runs_the_same(&self, one: &Command, other: &Command) -> bool {
        let (a, b) = (one.words, other.words);
        one.via == other.via
            && a.count == b.count
            && (0..a.count).all(|nth| {
                let a = self.arg(a, nth).unwrap_or_default();
                let b = self.arg(b, nth).unwrap_or_default();
                self.bytes(a.text) == self.bytes(b.text)
            })
    }

    pub fn while_once(&mut self) -> Step {
        self.some_list()?;
        if self.is_zsh() && self.braced_body()? {
            return Ok(());
        }
        self.expect_keyword(b"do")?;
        self.some_list()?;
        self.expect_keyword(b"done")
    }

    /// Whether a variable got a known value since there were `since` entries.
    pub fn was_changed(&self, since: usize) -> bool {
        let count = self.vars.len().saturating_sub(since);
        self.vars.run(since, count).iter().any(|entry| {
            entry.scope & kind::MASK == kind::VARIABLE && !entry.value.flags.has(WordFlags::DYNAMIC)
        })
    }

    /// `for` and `select`.
    pub fn for_loop(&mut self) -> Step {
        let foreach = self.take_keyword(b"foreach");
        if !foreach && !self.take_keyword(b"for") {
            self.take_keyword(b"select");
        }
        self.blanks()?;
        if self.looking_at(b"((") && self.is_bash() {
            return self.counting_loop();
        }
        let name = self.take_name();
        if name.len == 0 {
            return Err(self.unexpected());
        }
        self.newlines()?;
        let mut values = self.state.args;
        if self.is_zsh() && self.take(b"(") {
            values = self.bracketed_words()?;
        }
        if self.take_keyword(b"in") {
            let top = self.words.top();
            loop {
                self.blanks()?;
                if !self.word(Mode::Args)? {
                    break;
                }
            }
            if !matches!(self.peek(), Some(b';' | b'\n')) {
                return Err(self.unexpected());
            }
            let (first, count) = self.words.keep(top)?;
            values = Run { first: first as u32, count: count as u32 };
        }
        self.take(b";");
        self.newlines()?;
        let before = self.mark();
        self.each_value(name, values, foreach)?;
        self.join(before);
        Ok(())
    }

    fn each_value(&mut self, name: Span, values: Run, foreach: bool) -> Step {
        let (start, here) = (self.pos, self.here);
        let rounds = if self.dry { 1 } else { values.count };
        for round in 0..rounds.min(MAX_UNROLL) {
            let at = values.first.saturating_add(round) as usize;
            let value = self.words.get(at).unwrap_or_default();
            (self.pos, self.here) = (start, here);
            if round > 0 {
                self.take_round()?;
            }
            self.set(kind::VARIABLE, name, value)?;
            self.loop_body(foreach)?;
        }
        if rounds == 0 || rounds > MAX_UNROLL {
            (self.pos, self.here) = (start, here);
            let value = self.unknown_word()?;
            self.set(kind::VARIABLE, name, value)?;
            self.loop_body(foreach)?;
        }
        Ok(())
    }

    /// A word of which nothing is known.
    pub fn unknown_word(&mut self) -> Step<Word> {
        let text = self.keep_bytes(&[UNKNOWN])?;
        let flags = WordFlags::PARTIAL.with(WordFlags::DYNAMIC);
        Ok(Word { text, flags })
    }

    pub fn loop_body(&mut self, foreach: bool) -> Step {
        if self.is_zsh() && self.short_body(foreach)? {
            return Ok(());
        }
        if self.keyword(b"{").is_some() && self.is_bash() {
            self.advance(1);
            self.some_list()?;
            return self.expect_keyword(b"}");
        }
        self.expect_keyword(b"do")?;
        self.some_list()?;
        self.expect_keyword(b"done")
    }

    /// `for (( … ))`.
    pub fn counting_loop(&mut self) -> Step {
        let end = self.arithmetic_end(self.pos.saturating_add(2))?;
        let end = end.ok_or(Stop::Unterminated)?;
        self.advance(2);
        let before = self.mark();
        self.expression(end)?;
        self.forget_assigned(before.vars())?;
        self.pos = end.saturating_add(2).min(self.end);
        self.blanks()?;
        self.take(b";");
        self.newlines()?;
        self.loop_body(false)?;
        self.join(before);
        Ok(())
    }
}

/// A loop is read for so many values; all further ones together as one that is not known.
const MAX_UNROLL: u32 = 32;
