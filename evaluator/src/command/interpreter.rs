//! Interpreters of other languages: where their code comes from (`python -c`, `node -e`, a pipe, a
//! file that was written just now). What it does is `code`'s part.

use super::calls::Family;
use super::flow::{Data, Taint};
use super::follow::{basename, rest};
use super::limits::Step;
use super::shell::Shell;
use super::{CommandFlags, Run, Span, Via, Word, WordFlags};

/// Where an interpreter takes code from.
struct Options {
    /// Letters of options whose value is code.
    code: &'static [u8],
    /// Long names of such options.
    long: &'static [&'static [u8]],
    /// Letters of other options with a value in the next word.
    valued: &'static [u8],
}

fn options(family: Family) -> Options {
    let (code, long, valued): (&[u8], &[&[u8]], &[u8]) = match family {
        Family::Python => (b"c", &[], b"WXQ"),
        Family::Script => (b"ep", &[b"--eval", b"--print", b"-eval"], b"rCS"),
        Family::Perl => (b"eE", &[], b"I"),
        Family::Ruby => (b"e", &[], b"rICEW"),
        Family::Php => (b"rBRE", &[b"--run"], b"dcfzt"),
        Family::Lua => (b"e", &[], b"l"),
        Family::R => (b"e", &[], b"gf"),
        Family::Julia => (b"eE", &[b"--eval", b"--print"], b"LptC"),
        Family::Groovy => (b"e", &[], b"cp"),
        Family::Lisp => (b"ce", &[b"--eval", b"-eval", b"--execute", b"-execute"], b"lLfu"),
        Family::Erlang => (b"", &[b"-eval", b"--eval"], b""),
        Family::Tcl => (b"c", &[], b""),
        Family::Awk => (b"", &[b"--source"], b"Fvf"),
    };
    Options { code, long, valued }
}

impl Shell<'_, '_> {
    /// Follows the code that the interpreter at `index` runs; whether `name` is one, and all that
    /// it prints was said.
    pub fn interpret(&mut self, index: usize, name: Span) -> Step<bool> {
        let Some(family) = Family::of(basename(self.bytes(name))) else {
            return Ok(false);
        };
        let words = self.commands.get(index).unwrap_or_default().words;
        let top = self.text.top();
        let taint = self.capture.taint;
        let operands = self.code_options(index, family, words)?;
        match operands {
            None => {}
            Some(operands) => self.code_operand(index, family, operands)?,
        }
        if self.text.top() == top && self.capture.taint == taint {
            self.emit_unknown(Taint::default())?;
        }
        Ok(true)
    }

    /// Walks over options; follows those that hold code. Operands, if there was none of these.
    fn code_options(&mut self, index: usize, family: Family, words: Run) -> Step<Option<Run>> {
        let options = options(family);
        let mut args = rest(words, 1);
        let mut found = false;
        while let Some(word) = self.arg(args, 0) {
            let text = self.bytes(word.text);
            if text.first() != Some(&b'-') || text.len() < 2 {
                break;
            }
            if text == b"--" {
                args = rest(args, 1);
                break;
            }
            if let Some(code) = self.long_code(&options, args, word) {
                found = true;
                args = rest(args, if code.1 { 2 } else { 1 });
                self.run_foreign(index, family, code.0)?;
                continue;
            }
            let module = family == Family::Python && text.get(1) == Some(&b'm');
            if module {
                return Ok(None);
            }
            let (code, used) = self.cluster(&options, args, word);
            args = rest(args, used);
            if let Some(code) = code {
                found = true;
                self.run_foreign(index, family, code)?;
                if family == Family::Python {
                    return Ok(None);
                }
            }
        }
        Ok((!found).then_some(args))
    }

    /// The code of a long option, and whether it is in the next word.
    fn long_code(&self, options: &Options, args: Run, word: Word) -> Option<(Word, bool)> {
        let text = self.bytes(word.text);
        for name in options.long {
            if text == *name {
                return Some((self.arg(args, 1)?, true));
            }
            let attached = text.strip_prefix(*name).is_some_and(|v| v.first() == Some(&b'='));
            if attached {
                return Some((super::rules::tail(word, name.len().saturating_add(1)), false));
            }
        }
        None
    }

    /// The code of a cluster of letters, and how many words were used.
    fn cluster(&self, options: &Options, args: Run, word: Word) -> (Option<Word>, u32) {
        let text = self.bytes(word.text);
        if text.starts_with(b"--") {
            return (None, 1);
        }
        for (at, letter) in text.iter().enumerate().skip(1) {
            let behind = text.get(at.saturating_add(1)..).unwrap_or(&[]);
            if options.code.contains(letter) {
                // `-pe`: more letters of the same kind.
                if behind.is_empty() {
                    return (self.arg(args, 1), 2);
                }
                if behind.iter().all(|letter| options.code.contains(letter)) {
                    continue;
                }
                return (Some(super::rules::tail(word, at.saturating_add(1))), 1);
            }
            if options.valued.contains(letter) {
                return (None, if behind.is_empty() { 2 } else { 1 });
            }
            // `-MList::Util`, `-i.bak`, `-0777`: the rest of the word is a value.
            if matches!(letter, b'M' | b'm' | b'i' | b'x' | b'F' | b'd') && behind.len() > 2 {
                return (None, 1);
            }
        }
        (None, 1)
    }

    /// A script, standard input, or for `awk` the program itself.
    fn code_operand(&mut self, index: usize, family: Family, operands: Run) -> Step {
        let mut first = self.arg(operands, 0);
        if family == Family::Awk {
            return match first {
                Some(word) => self.run_foreign(index, family, word),
                None => Ok(()),
            };
        }
        if let Some(word) = first {
            let evaluates = family == Family::Script && self.bytes(word.text) == b"eval";
            if evaluates {
                let code = (1..operands.count)
                    .filter_map(|nth| self.arg(operands, nth))
                    .find(|word| self.bytes(word.text).first() != Some(&b'-'));
                return match code {
                    Some(code) => self.run_foreign(index, family, code),
                    None => Ok(()),
                };
            }
        }
        let stdin = |text: &[u8]| matches!(text, b"-" | b"/dev/stdin" | b"/dev/fd/0");
        if first.is_some_and(|word| stdin(self.bytes(word.text))) {
            first = None;
        }
        let data = match first {
            None => self.place.stdin,
            Some(word) => match self.file_content(word) {
                Some(data) => data,
                None => return Ok(()),
            },
        };
        if !data.taint.has(Taint::SOME) {
            return Ok(());
        }
        let word = self.data_word(data);
        self.run_foreign(index, family, word)
    }

    /// Follows code of another language.
    pub fn run_foreign(&mut self, index: usize, family: Family, code: Word) -> Step {
        let data = Data { text: code.text, taint: Taint::of(code.flags) };
        let known = self.bytes(data.text).iter().any(|byte| *byte != super::UNKNOWN);
        let fetched = data.taint.has(Taint::FETCHED);
        if (!known && data.taint.has(Taint::UNKNOWN)) || fetched {
            self.flag(index, CommandFlags::UNKNOWN_CODE)?;
            if fetched {
                self.flag(index, CommandFlags::FETCHED_CODE)?;
            }
        }
        if !known {
            return Ok(());
        }
        let outer = self.place;
        let outcome = self.outcome;
        self.place.parent = (index as u32).saturating_add(1);
        self.place.via =
            if code.flags.has(WordFlags::DECODED) { Via::Decoded } else { Via::Interpreter };
        let done = self.nested(|shell| shell.read_code(index, family, data.text));
        self.place = outer;
        // Whether text that a call runs parses is the interpreter's affair.
        self.outcome = outcome;
        done
    }
}
