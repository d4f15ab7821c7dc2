//! `$(( … ))`, `(( … ))` and subscripts: substitutions in them run; the value is known only where
//! it is constant. An assignment or `++` that is a whole expression sets its variable; of what is
//! set in the middle of one, nothing is known any more.

use super::lexer::{is_name, is_name_start};
use super::limits::Step;
use super::pattern;
use super::shell::Shell;
use super::vars::kind;
use super::word::Building;
use super::{Run, Span, UNKNOWN, WordFlags};

/// How deep parentheses and operators of an expression may nest.
const MAX_NESTING: u32 = 24;

/// Binary operators, loosest first; longer spellings before their prefixes.
const OPERATORS: [&[&[u8]]; 10] = [
    &[b"||"],
    &[b"&&"],
    &[b"|"],
    &[b"^"],
    &[b"&"],
    &[b"==", b"!="],
    &[b"<=", b">=", b"<", b">"],
    &[b"<<", b">>"],
    &[b"+", b"-"],
    &[b"*", b"/", b"%"],
];

impl Shell<'_, '_> {
    /// Where the `))` stands that closes an arithmetic expression which begins at `from`; `None`
    /// if it is none (then `$((` is a subshell in a substitution).
    pub fn arithmetic_end(&mut self, from: usize) -> Step<Option<usize>> {
        let end = self.scan(from, |byte| byte == b')')?;
        Ok(end.filter(|end| self.byte(end.saturating_add(1)) == Some(b')')))
    }

    /// Adds the value of the expression that begins `skip` bytes on and ends at `end`; goes
    /// `close` bytes behind that.
    pub fn arithmetic(&mut self, skip: usize, end: usize, close: usize) -> Step {
        self.advance(skip);
        let value = self.expression(end)?;
        self.pos = end.saturating_add(close).min(self.end);
        match value {
            Some(value) => {
                if value < 0 {
                    self.put(b'-')?;
                }
                self.build.some = true;
                self.stack_number(value.unsigned_abs())
            }
            None => self.put_unknown(false),
        }
    }

    /// Reads the expression from the cursor to `end`; its value where that is constant.
    pub fn expression(&mut self, end: usize) -> Step<Option<i64>> {
        self.take_steps(48)?;
        let build = core::mem::take(&mut self.build);
        self.begin_word();
        let end = end.min(self.end);
        let outer = core::mem::replace(&mut self.end, end);
        let done = self.nested(|shell| shell.quoted_parts(super::word::Mode::One, None));
        self.end = outer;
        let word = match done {
            Ok(()) => self.finish_word(),
            Err(stop) => Err(stop),
        };
        self.build = Building { ..build };
        let word = word?;
        self.arithmetic_assignments(word.text)?;
        if word.flags.has(WordFlags::PARTIAL) {
            return Ok(None);
        }
        self.constant(word.text)
    }

    /// `let EXPRESSION …`.
    pub fn let_builtin(&mut self, args: Run) -> Step {
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            self.arithmetic_assignments(word.text)?;
        }
        Ok(())
    }

    /// Sets what the expressions of `text`, separated by `,` or `;`, assign.
    fn arithmetic_assignments(&mut self, text: Span) -> Step {
        self.burn(text.len as usize / 4)?;
        let bytes = self.bytes(text);
        if self.dry || !bytes.iter().any(|byte| matches!(byte, b'=' | b'+' | b'-')) {
            return Ok(());
        }
        let mut from = 0_u32;
        while from < text.len {
            let start = text.start.saturating_add(from);
            let left = Span { start, len: text.len.saturating_sub(from) };
            let end = self.bytes(left).iter().position(|byte| matches!(byte, b',' | b';'));
            let len = end.map_or(left.len, |end| end as u32);
            self.arithmetic_assignment(Span { start, len })?;
            from = from.saturating_add(len).saturating_add(1);
        }
        Ok(())
    }

    /// One expression. Every name in it that something is assigned to gets a value.
    fn arithmetic_assignment(&mut self, text: Span) -> Step {
        let mut at = 0_usize;
        while let Some(found) = assigned(self.bytes(text), &mut at) {
            let Assigned { from, len, operator, rest } = found;
            let name = Span { start: text.start.saturating_add(from as u32), len: len as u32 };
            let alone = self.bytes(text).get(..from).unwrap_or(&[]).trim_ascii().is_empty();
            let right = super::rules::tail(self.span_word(text), rest).text;
            let value = match operator {
                _ if !alone => None,
                b'=' => self.constant(right)?,
                b'i' | b'd' if self.bytes(right).trim_ascii().is_empty() => {
                    let step = if operator == b'i' { b"+" } else { b"-" };
                    self.constant(name)?.and_then(|old| apply(step, old, 1))
                }
                b'i' | b'd' => None,
                operator => {
                    let right = self.constant(right)?;
                    let old = self.constant(name)?;
                    old.zip(right).and_then(|(old, right)| apply(&[operator], old, right))
                }
            };
            let value = match value.map(u64::try_from) {
                Some(Ok(value)) => self.number(value)?,
                _ => self.unknown_word()?,
            };
            self.set(kind::VARIABLE, name, value)?;
        }
        Ok(())
    }

    /// Nothing is known of what the expressions of a loop's head set.
    pub fn forget_assigned(&mut self, since: usize) -> Step {
        for at in since..self.vars.len() {
            let value = self.unknown_word()?;
            if let Some(entry) = self.vars.get_mut(at) {
                entry.value = value;
            }
        }
        Ok(())
    }

    /// The value of an expression whose substitutions are done, where it is constant.
    pub fn constant(&mut self, text: Span) -> Step<Option<i64>> {
        self.burn((text.len as usize).saturating_mul(2))?;
        let bytes = self.bytes(text);
        if bytes.len() > 256 || bytes.contains(&UNKNOWN) {
            return Ok(None);
        }
        let mut reader = Reader { shell: self, rest: bytes, depth: 0 };
        reader.blanks();
        if reader.rest.is_empty() {
            return Ok(Some(0));
        }
        let value = reader.binary(0);
        reader.blanks();
        Ok(value.filter(|_| reader.rest.is_empty()))
    }
}

/// Reads one expression.
struct Reader<'a, 'r, 's> {
    shell: &'a Shell<'r, 's>,
    rest: &'a [u8],
    depth: u32,
}

impl Reader<'_, '_, '_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, token: &[u8]) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn binary(&mut self, level: usize) -> Option<i64> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_NESTING {
            return None;
        }
        let value = match OPERATORS.get(level) {
            None => self.power(),
            Some(operators) => self.chain(level, operators),
        };
        self.depth = self.depth.saturating_sub(1);
        value
    }

    fn chain(&mut self, level: usize, operators: &[&[u8]]) -> Option<i64> {
        let next = level.saturating_add(1);
        let mut left = self.binary(next)?;
        loop {
            self.blanks();
            let rest = self.rest;
            let Some(operator) = operators.iter().find(|op| rest.starts_with(op)) else {
                return Some(left);
            };
            let behind = rest.get(operator.len()..).unwrap_or(&[]);
            let longer = match operator {
                [b'|'] => behind.first() == Some(&b'|'),
                [b'&'] => behind.first() == Some(&b'&'),
                [b'<'] => behind.first() == Some(&b'<'),
                [b'>'] => behind.first() == Some(&b'>'),
                [b'*'] => behind.first() == Some(&b'*'),
                _ => false,
            };
            if longer {
                return Some(left);
            }
            self.rest = behind;
            let right = self.binary(next)?;
            left = apply(operator, left, right)?;
        }
    }

    fn power(&mut self) -> Option<i64> {
        let base = self.unary()?;
        self.blanks();
        if !self.take(b"**") {
            return Some(base);
        }
        let exponent = self.unary()?;
        base.checked_pow(u32::try_from(exponent).ok()?)
    }

    fn unary(&mut self) -> Option<i64> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_NESTING {
            return None;
        }
        self.blanks();
        let value = match self.rest.first().copied()? {
            b'-' => {
                self.take(b"-");
                self.unary()?.checked_neg()
            }
            b'+' => {
                self.take(b"+");
                self.unary()
            }
            b'!' => {
                self.take(b"!");
                Some(i64::from(self.unary()? == 0))
            }
            b'~' => {
                self.take(b"~");
                Some(!self.unary()?)
            }
            b'(' => {
                self.take(b"(");
                let value = self.binary(0)?;
                self.blanks();
                self.take(b")").then_some(value)
            }
            _ => self.operand(),
        };
        self.depth = self.depth.saturating_sub(1);
        value
    }

    fn operand(&mut self) -> Option<i64> {
        let len = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'#'))
            .count();
        let (token, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        let first = token.first()?;
        if first.is_ascii_digit() {
            return literal(token);
        }
        let entry = self.shell.find(kind::VARIABLE, token)?;
        if entry.scope != kind::VARIABLE {
            return None;
        }
        pattern::number(self.shell.bytes(entry.value.text))
    }
}

/// A name that something is assigned to.
struct Assigned {
    /// Where the name stands.
    from: usize,
    len: usize,
    /// `=`, the operator before a `=`, or `i` and `d` for `++` and `--`.
    operator: u8,
    /// What stands behind the operator.
    rest: usize,
}

/// The next name in `text`, from `at` on, that something is assigned to; goes behind it.
fn assigned(text: &[u8], at: &mut usize) -> Option<Assigned> {
    loop {
        let start = *at;
        let byte = *text.get(start)?;
        if !is_name_start(byte) {
            *at = start.saturating_add(1);
            // Digits of a number are no name.
            while byte.is_ascii_digit() && text.get(*at).is_some_and(|byte| is_name(*byte)) {
                *at = at.saturating_add(1);
            }
            continue;
        }
        let count = |from: usize, accept: &dyn Fn(u8) -> bool| {
            let rest = text.get(from..).unwrap_or(&[]);
            rest.iter().take_while(|byte| accept(**byte)).count()
        };
        let len = count(start, &is_name);
        *at = start.saturating_add(len);
        let blank = at.saturating_add(count(*at, &|byte| matches!(byte, b' ' | b'\t' | b'\n')));
        let before = text.get(..start).unwrap_or(&[]).trim_ascii_end();
        let signs = count(blank, &|byte| b"=+-*/%<>&|^".contains(&byte));
        let behind = blank.saturating_add(signs);
        let operator = match text.get(blank..behind).unwrap_or(&[]) {
            [b'+', b'+', ..] => (b'i', blank.saturating_add(2)),
            [b'-', b'-', ..] => (b'd', blank.saturating_add(2)),
            [b'=', next, ..] if *next != b'=' => (b'=', blank.saturating_add(1)),
            [b'='] => (b'=', behind),
            [sign @ (b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^'), b'=', ..] => {
                (*sign, blank.saturating_add(2))
            }
            [b'<', b'<', b'=', ..] | [b'>', b'>', b'=', ..] => (b'?', blank.saturating_add(3)),
            _ if before.ends_with(b"++") || before.ends_with(b"--") => (b'?', text.len()),
            _ => continue,
        };
        return Some(Assigned { from: start, len, operator: operator.0, rest: operator.1 });
    }
}

/// A number as C and bash write it: `10`, `0x1f`, `017`, `2#101`.
fn literal(token: &[u8]) -> Option<i64> {
    let (radix, digits) = match token {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', digits @ ..] if !digits.is_empty() => (8, digits),
        _ => match token.iter().position(|byte| *byte == b'#') {
            Some(at) => (pattern::number(token.get(..at)?)?, token.get(at.saturating_add(1)..)?),
            None => (10, token),
        },
    };
    let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix))?;
    let mut value = 0_i64;
    for digit in digits {
        let digit = char::from(*digit).to_digit(radix)?;
        value = value.checked_mul(i64::from(radix))?.checked_add(i64::from(digit))?;
    }
    Some(value)
}

fn apply(operator: &[u8], left: i64, right: i64) -> Option<i64> {
    match operator {
        b"||" => Some(i64::from(left != 0 || right != 0)),
        b"&&" => Some(i64::from(left != 0 && right != 0)),
        b"|" => Some(left | right),
        b"^" => Some(left ^ right),
        b"&" => Some(left & right),
        b"==" => Some(i64::from(left == right)),
        b"!=" => Some(i64::from(left != right)),
        b"<=" => Some(i64::from(left <= right)),
        b">=" => Some(i64::from(left >= right)),
        b"<" => Some(i64::from(left < right)),
        b">" => Some(i64::from(left > right)),
        b"<<" => left.checked_shl(u32::try_from(right).ok()?),
        b">>" => left.checked_shr(u32::try_from(right).ok()?),
        b"+" => left.checked_add(right),
        b"-" => left.checked_sub(right),
        b"*" => left.checked_mul(right),
        b"/" => left.checked_div(right),
        b"%" => left.checked_rem(right),
        _ => None,
    }
}
