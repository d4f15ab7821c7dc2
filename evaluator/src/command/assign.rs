//! Assignments: `NAME=value`, `NAME+=value`, `NAME[…]=value`, `NAME=( … )`.

use super::lexer::{is_name, is_name_start};
use super::limits::Step;
use super::shell::Shell;
use super::vars::kind;
use super::word::Mode;
use super::{Run, Span, Word, WordFlags};

impl Shell<'_, '_> {
    /// Reads `NAME=value`, `NAME+=value`, `NAME[…]=value` or `NAME=( … )` at the cursor, if there
    /// is one: stacks it as a word and sets the variable.
    pub fn assignment(&mut self) -> Step<bool> {
        let start = self.pos;
        if !self.peek().is_some_and(is_name_start) {
            return Ok(false);
        }
        let mut len = 1_usize;
        while self.peek_at(len).is_some_and(is_name) {
            len = len.saturating_add(1);
        }
        let name = Span { start: start as u32, len: len as u32 };
        let mut indexed = false;
        if self.peek_at(len) == Some(b'[') && self.is_bash() {
            let from = start.saturating_add(len).saturating_add(1);
            let Some(end) = self.scan(from, |byte| matches!(byte, b']' | b'\n'))? else {
                return Ok(false);
            };
            let end = end.saturating_add(1);
            let sets = self.byte(end) == Some(b'=')
                || (self.byte(end) == Some(b'+') && self.byte(end.saturating_add(1)) == Some(b'='));
            if !sets {
                return Ok(false);
            }
            indexed = true;
            self.pos = from;
            self.expression(end.saturating_sub(1))?;
            len = end.saturating_sub(start);
            self.pos = start;
        }
        let append = self.peek_at(len) == Some(b'+') && self.is_bash();
        if append {
            len = len.saturating_add(1);
        }
        if self.peek_at(len) != Some(b'=') {
            return Ok(false);
        }
        self.advance(len.saturating_add(1));
        self.assign(name, append, indexed)?;
        Ok(true)
    }

    /// Behind the `=` of an assignment to `name`.
    pub fn assign(&mut self, name: Span, append: bool, indexed: bool) -> Step {
        let value = if self.peek() == Some(b'(') && self.is_bash() {
            self.array(name, append)?
        } else {
            let mut value = self.assigned_value()?;
            if append {
                value = self.appended(name, value)?;
            }
            let whole = if indexed { self.unknown_word()? } else { value };
            self.set(kind::VARIABLE, name, whole)?;
            value
        };
        let top = self.text.top();
        self.stack_span(name)?;
        self.text.stack(b'=')?;
        self.stack_span(value.text)?;
        let text = self.keep_text(top)?;
        let flags = WordFlags(value.flags.0 & !WordFlags::DYNAMIC.0);
        self.words.stack(Word { text, flags })
    }

    pub fn assigned_value(&mut self) -> Step<Word> {
        let top = self.words.top();
        if !self.word(Mode::Assign)? {
            return Ok(Word::default());
        }
        let mut value = self.words.get(top).unwrap_or_default();
        self.words.unstack(top);
        value.flags = WordFlags(value.flags.0 & !WordFlags::GLOB.0);
        Ok(value)
    }

    /// What `name` holds, with `value` behind it.
    pub fn appended(&mut self, name: Span, value: Word) -> Step<Word> {
        let before = match self.value(name)? {
            super::vars::Value::Text(word) => word,
            super::vars::Value::Unset => Word::default(),
            _ => self.unknown_word()?,
        };
        let top = self.text.top();
        self.stack_span(before.text)?;
        self.stack_span(value.text)?;
        Ok(Word { text: self.keep_text(top)?, flags: before.flags.with(value.flags) })
    }

    /// `( … )` behind `NAME=`: sets the array; its words joined by blanks.
    pub fn array(&mut self, name: Span, append: bool) -> Step<Word> {
        self.advance(1);
        let top = self.words.top();
        if append && let super::vars::Value::List(list) = self.value(name)? {
            for step in 0..list.count {
                let at = list.first.saturating_add(step) as usize;
                self.words.stack(self.words.get(at).unwrap_or_default())?;
            }
        }
        loop {
            self.newlines()?;
            if self.take(b")") {
                break;
            }
            if !self.word(Mode::Args)? {
                return Err(self.unexpected());
            }
        }
        let (first, count) = self.words.keep(top)?;
        let list = Run { first: first as u32, count: count as u32 };
        let value =
            Word { text: Span { start: list.first, len: list.count }, flags: WordFlags::default() };
        self.set(kind::ARRAY, name, value)?;
        self.joined(list)
    }

    /// The words of `list` joined by blanks.
    pub fn joined(&mut self, list: Run) -> Step<Word> {
        let top = self.text.top();
        let mut flags = WordFlags::default();
        for step in 0..list.count {
            let at = list.first.saturating_add(step) as usize;
            let word = self.words.get(at).unwrap_or_default();
            if step > 0 {
                self.text.stack(b' ')?;
            }
            self.stack_span(word.text)?;
            let kept = WordFlags::PARTIAL.0 | WordFlags::FETCHED.0 | WordFlags::DECODED.0;
            flags = flags.with(WordFlags(word.flags.0 & kept));
        }
        let text = self.keep_text(top)?;
        let unknown = |byte: &u8| matches!(*byte, super::UNKNOWN | b' ');
        if flags.has(WordFlags::PARTIAL) && self.bytes(text).iter().all(unknown) {
            flags = flags.with(WordFlags::DYNAMIC);
        }
        Ok(Word { text, flags })
    }
}
