//! Redirections and here-documents (POSIX.1-2024 XCU 2.7), and what they make flow.
//!
//! A here-document's body stands behind the line that opens it, but what it is given to is followed
//! before that line ends. So the body is looked up at once, and skipped at the line's end.

use super::flow::{Data, Taint};
use super::lexer::{is_meta, is_name};
use super::limits::{Step, Stop};
use super::shell::Shell;
use super::vars::kind;
use super::word::{Building, Mode};
use super::{Redirect, RedirectOp, Span, Word, WordFlags};

/// Every operator with the descriptor it changes, longer spellings before their prefixes.
const OPERATORS: [(&[u8], RedirectOp, i32); 12] = [
    (b"&>>", RedirectOp::Append, -1),
    (b"&>", RedirectOp::Write, -1),
    (b"<<<", RedirectOp::HereString, 0),
    (b"<<-", RedirectOp::HereDoc, 0),
    (b"<<", RedirectOp::HereDoc, 0),
    (b"<>", RedirectOp::ReadWrite, 0),
    (b"<&", RedirectOp::Duplicate, 0),
    (b">>", RedirectOp::Append, 1),
    (b">&", RedirectOp::Duplicate, 1),
    (b">|", RedirectOp::Write, 1),
    (b"<", RedirectOp::Read, 0),
    (b">", RedirectOp::Write, 1),
];

/// The descriptor that `{name}>` stands for: some number from 10 on.
const NAMED_DESCRIPTOR: i32 = 10;

impl Shell<'_, '_> {
    /// Whether a redirection stands at the cursor.
    pub fn at_redirect(&self) -> bool {
        self.operator_at().is_some()
    }

    /// The redirection at the cursor: length of its descriptor, that, and the operator's index.
    fn operator_at(&self) -> Option<(usize, Option<i32>, usize)> {
        let mut len = 0_usize;
        let mut fd = None;
        match self.peek()? {
            b'0'..=b'9' => {
                let mut value = 0_i32;
                while let Some(digit @ b'0'..=b'9') = self.peek_at(len) {
                    value = value
                        .saturating_mul(10)
                        .saturating_add(i32::from(digit.wrapping_sub(b'0')));
                    len = len.saturating_add(1);
                }
                fd = Some(value);
            }
            b'{' if self.is_bash() => {
                len = 1;
                while self.peek_at(len).is_some_and(is_name) {
                    len = len.saturating_add(1);
                }
                if len == 1 || self.peek_at(len) != Some(b'}') {
                    return None;
                }
                len = len.saturating_add(1);
                fd = Some(NAMED_DESCRIPTOR);
            }
            b'<' | b'>' | b'&' => {}
            _ => return None,
        }
        let index = OPERATORS.iter().position(|(token, ..)| {
            token
                .iter()
                .enumerate()
                .all(|(ahead, byte)| self.peek_at(len.saturating_add(ahead)) == Some(*byte))
        })?;
        let (token, op, _) = OPERATORS.get(index)?;
        let both = token.first() == Some(&b'&');
        if both && (fd.is_some() || !self.is_bash()) {
            return None;
        }
        if *op == RedirectOp::HereString && !self.is_bash() {
            return None;
        }
        let process = token.len() == 1 && self.peek_at(len.saturating_add(1)) == Some(b'(');
        if process && fd.is_none() && self.is_bash() {
            return None;
        }
        Some((len, fd, index))
    }

    /// Reads the redirection at the cursor, if there is one, and stacks it. Whether there was.
    #[inline]
    pub fn redirect(&mut self) -> Step<bool> {
        match self.peek() {
            Some(b'0'..=b'9' | b'{' | b'<' | b'>' | b'&') => self.redirect_here(),
            _ => Ok(false),
        }
    }

    fn redirect_here(&mut self) -> Step<bool> {
        let Some((len, fd, index)) = self.operator_at() else {
            return Ok(false);
        };
        let Some((token, op, default)) = OPERATORS.get(index) else {
            return Ok(false);
        };
        self.take_steps(6)?;
        self.advance(len.saturating_add(token.len()));
        self.blanks()?;
        let mut redirect =
            Redirect { fd: fd.unwrap_or(*default), op: *op, target: Word::default() };
        redirect.target = match op {
            RedirectOp::HereDoc => self.here_document(*token == b"<<-")?,
            _ => self.one_word(Mode::One)?,
        };
        if *op == RedirectOp::Duplicate && *token == b">&" && fd.is_none() {
            let target = self.bytes(redirect.target.text);
            if !target.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
                redirect.op = RedirectOp::Write;
                redirect.fd = -1;
            }
        }
        self.redirects.stack(redirect)?;
        Ok(true)
    }

    /// Behind `<<` or `<<-`: the delimiter, and the value of the body.
    fn here_document(&mut self, strip: bool) -> Step<Word> {
        let (delimiter, quoted) = self.delimiter()?;
        let line = match self.here > self.pos {
            true => self.here,
            false => match self.scan(self.pos, |byte| byte == b'\n')? {
                Some(end) => end.saturating_add(1),
                None => self.end,
            },
        };
        let (end, next) = self.body_end(line, delimiter, strip)?;
        self.here = next;
        let mut body = Span { start: line as u32, len: end.saturating_sub(line) as u32 };
        if strip {
            body = self.without_tabs(body)?;
        }
        if quoted {
            let flags = if self.bytes(body).contains(&super::UNKNOWN) {
                WordFlags::PARTIAL.with(WordFlags::QUOTED)
            } else {
                WordFlags::QUOTED
            };
            return Ok(Word { text: body, flags });
        }
        self.expand_body(body)
    }

    /// The word behind `<<` with its quotes removed, and whether there were any.
    fn delimiter(&mut self) -> Step<(Span, bool)> {
        let start = self.text.top();
        let begin = self.pos;
        let mut quoted = false;
        while let Some(byte) = self.peek() {
            if is_meta(byte) {
                break;
            }
            self.advance(1);
            match byte {
                b'\\' => {
                    quoted = true;
                    if let Some(next) = self.peek() {
                        self.advance(1);
                        self.text.stack(next)?;
                    }
                }
                b'\'' | b'"' => {
                    quoted = true;
                    loop {
                        let next = self.peek().ok_or(Stop::Unterminated)?;
                        self.advance(1);
                        if next == byte {
                            break;
                        }
                        self.text.stack(next)?;
                    }
                }
                b'$' if matches!(self.peek(), Some(b'\'' | b'"')) => {}
                _ => self.text.stack(byte)?,
            }
        }
        if self.pos == begin {
            return Err(self.unexpected());
        }
        Ok((self.keep_text(start)?, quoted))
    }

    /// Where the body that starts at `from` ends, and where the text goes on.
    fn body_end(&mut self, from: usize, delimiter: Span, strip: bool) -> Step<(usize, usize)> {
        let mut line = from;
        let mut closed = None;
        while line < self.end {
            let rest = self.text.run(line, self.end.saturating_sub(line));
            let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let text = rest.get(..len).unwrap_or(&[]);
            let tabs = text.iter().take_while(|b| strip && **b == b'\t').count();
            let stripped = text.get(tabs..).unwrap_or(&[]);
            let wanted = self.bytes(delimiter);
            let found = stripped == wanted;
            // `EOF)` ends the body of a substitution's here-document, if nothing else does.
            let bracket = stripped.strip_prefix(wanted).and_then(<[u8]>::first) == Some(&b')');
            if bracket && closed.is_none() {
                let next = line.saturating_add(tabs).saturating_add(wanted.len());
                closed = Some((line, next));
            }
            let next = line.saturating_add(len).saturating_add(1).min(self.end);
            self.burn(len / 8)?;
            self.burn(1)?;
            if found {
                return Ok((line, next));
            }
            line = next;
        }
        Ok(closed.unwrap_or((self.end, self.end)))
    }

    /// A copy of `body` without tabs at the starts of its lines.
    fn without_tabs(&mut self, body: Span) -> Step<Span> {
        let start = self.text.top();
        let mut fresh = true;
        for at in 0..body.len {
            let byte = self.text.get(body.start.saturating_add(at) as usize);
            let byte = byte.unwrap_or(super::UNKNOWN);
            if fresh && byte == b'\t' {
                continue;
            }
            fresh = byte == b'\n';
            self.text.stack(byte)?;
        }
        self.burn(body.len as usize)?;
        self.keep_text(start)
    }

    /// The value of an unquoted here-document's body.
    fn expand_body(&mut self, body: Span) -> Step<Word> {
        let special = |byte: &u8| matches!(*byte, b'$' | b'`' | b'\\' | super::UNKNOWN);
        if !self.bytes(body).iter().any(special) {
            self.burn(body.len as usize / 8)?;
            return Ok(Word { text: body, flags: WordFlags::default() });
        }
        let cursor = self.enter(body);
        let build = core::mem::take(&mut self.build);
        self.begin_word();
        let done = self.nested(|shell| shell.quoted_parts(Mode::One, None));
        self.leave(cursor);
        let word = match done {
            Ok(()) => self.finish_word(),
            Err(stop) => Err(stop),
        };
        self.build = Building { ..build };
        word
    }

    /// What the redirections of the command at `index` give it to read, if they do.
    pub fn stdin_redirect(&mut self, index: usize) -> Step<Option<Data>> {
        let Some(command) = self.commands.get(index) else {
            return Ok(None);
        };
        let run = command.redirects;
        let mut data = None;
        for step in 0..run.count {
            let at = run.first.saturating_add(step) as usize;
            let Some(redirect) = self.redirects.get(at) else {
                break;
            };
            if redirect.fd != 0 {
                continue;
            }
            let word = redirect.target;
            let unknown = Data { text: Span::default(), taint: Taint::SOME.with(Taint::UNKNOWN) };
            data = Some(match redirect.op {
                RedirectOp::HereDoc | RedirectOp::HereString => {
                    Data { text: word.text, taint: Taint::of(word.flags) }
                }
                RedirectOp::Read | RedirectOp::ReadWrite => {
                    self.file_content(word).unwrap_or(unknown)
                }
                _ => unknown,
            });
        }
        Ok(data)
    }

    /// What the text is known to have written to the file that `name` names.
    pub fn file_content(&self, name: Word) -> Option<Data> {
        if name.flags.has(WordFlags::PARTIAL) {
            return None;
        }
        let entry = self.find(kind::FILE, clean_name(self.bytes(name.text)))?;
        Some(Data { text: entry.value.text, taint: Taint::of(entry.value.flags) })
    }

    /// Where the standard output of the command at `index` goes, if it is redirected: the file's
    /// name, or an empty word for what is lost or goes elsewhere; and whether it is appended.
    pub fn stdout_redirect(&self, index: usize) -> Option<(Word, bool)> {
        let command = self.commands.get(index)?;
        let first = command.redirects.first as usize;
        let run = self.redirects.run(first, command.redirects.count as usize);
        let redirect = run.iter().rev().find(|redirect| matches!(redirect.fd, 1 | -1))?;
        Some(match redirect.op {
            RedirectOp::Write => (redirect.target, false),
            RedirectOp::Append => (redirect.target, true),
            _ => (Word::default(), false),
        })
    }

    /// Takes what is stacked from `output` on out of the captured output if the command at `index`
    /// redirects it, and remembers it as the content of the file.
    pub fn divert_output(&mut self, index: usize, output: usize) -> Step {
        let Some((name, append)) = self.stdout_redirect(index) else {
            return Ok(());
        };
        let taint = core::mem::take(&mut self.capture.taint).with(Taint::SOME);
        let known = name.text.len > 0 && !name.flags.has(WordFlags::PARTIAL);
        if !known || self.text.top() == output {
            self.text.unstack(output);
            return Ok(());
        }
        let mut text = self.keep_text(output)?;
        let mut taint = taint;
        if append && let Some(before) = self.file_content(name) {
            let start = self.text.top();
            self.stack_span(before.text)?;
            self.stack_span(text)?;
            text = self.keep_text(start)?;
            taint = taint.with(before.taint);
        }
        self.remember_file(name.text, Data { text, taint })
    }

    /// Remembers `data` as the content of the file `name`.
    pub fn remember_file(&mut self, name: Span, data: Data) -> Step {
        let bytes = self.bytes(name);
        let skip = bytes.len().saturating_sub(clean_name(bytes).len()) as u32;
        let name =
            Span { start: name.start.saturating_add(skip), len: name.len.saturating_sub(skip) };
        let value = self.data_word(data);
        self.set(kind::FILE, name, value)
    }
}

/// `./x` and `x` are the same file.
fn clean_name(name: &[u8]) -> &[u8] {
    let mut name = name;
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    name
}
