//! Taking a wrapper off: from the table to the command it runs.

use super::follow::{basename, rest};
use super::limits::Step;
use super::shell::Shell;
use super::table::Wrapper;
use super::vars::kind;
use super::{CommandFlags, Run, Span, Via, Word, WordFlags};

/// What the walk over a wrapper's options came to.
pub(super) struct Walk {
    /// The words behind options and skipped operands.
    pub rest: Run,
    /// Whether an option's value was followed as code.
    pub coded: bool,
}

/// An option as the table knows it.
struct Found {
    code: Option<bool>,
    valued: bool,
    attached: Option<u32>,
    dir: bool,
}

impl Shell<'_, '_> {
    /// Follows what the command at `index` runs, if the program `name` runs anything. Whether it
    /// does.
    pub fn peel(&mut self, index: usize, program: Span) -> Step<bool> {
        let Some(command) = self.commands.get(index) else {
            return Ok(false);
        };
        let name = basename(self.bytes(program));
        let Some(wrapper) = Wrapper::of(name) else {
            return self.interpret(index, program);
        };
        let runs = self.subshell(|shell| shell.peel_with(index, wrapper, command.words))?;
        if runs && wrapper.is_transparent() {
            self.flag(index, CommandFlags::WRAPPER)?;
        }
        if runs {
            return Ok(true);
        }
        self.interpret(index, program)
    }

    fn peel_with(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        if let Some(rule) = wrapper.payload.strip_prefix(b"@") {
            return self.peel_by_rule(index, rule, wrapper, words);
        }
        if wrapper.payload == b"sub" {
            return self.peel_subcommand(index, wrapper, words);
        }
        let walk = self.walk(index, wrapper, words)?;
        self.payload(index, wrapper, walk)
    }

    /// Follows what a walk over options left.
    pub fn payload(&mut self, index: usize, wrapper: Wrapper, walk: Walk) -> Step<bool> {
        if walk.rest.count > 0 {
            match wrapper.payload {
                b"argv" => {
                    self.child(index, walk.rest, wrapper.via)?;
                    return Ok(true);
                }
                b"text" => {
                    self.run_joined(index, walk.rest, wrapper.via)?;
                    return Ok(true);
                }
                _ => {}
            }
        } else if wrapper.is("stdin") && !walk.coded {
            return self.run_stdin(index, Via::Stdin);
        }
        Ok(walk.coded)
    }

    /// Walks over options, assignments and leading operands of `words`, the program first.
    pub fn walk(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<Walk> {
        let mut walk = Walk { rest: rest(words, 1), coded: false };
        let mut skip = wrapper.skipped();
        let passes = wrapper.is("late") || wrapper.is("--");
        let mut dashes = false;
        while let Some(word) = self.arg(walk.rest, 0) {
            let text = self.bytes(word.text);
            let vanishes = word.flags.has(WordFlags::DYNAMIC) && word.flags.has(WordFlags::SPLITS);
            if text == b"--" && !dashes {
                walk.rest = rest(walk.rest, 1);
                dashes = true;
                if skip == 0 || passes {
                    return Ok(walk);
                }
            } else if !dashes && text.first() == Some(&b'-') {
                self.option(index, wrapper, &mut walk)?;
            } else if wrapper.is("=") && self.is_assignment(word) {
                self.environment_word(word)?;
                walk.rest = rest(walk.rest, 1);
            } else if skip > 0 || passes || (vanishes && walk.rest.count > 1) {
                skip = skip.saturating_sub(1);
                walk.rest = rest(walk.rest, 1);
            } else {
                break;
            }
        }
        if passes {
            walk.rest.count = 0;
        }
        Ok(walk)
    }

    /// Whether a word is `NAME=…`.
    fn is_assignment(&self, word: Word) -> bool {
        let bytes = self.bytes(word.text);
        let equals = bytes.iter().position(|byte| *byte == b'=');
        equals.is_some_and(|at| at > 0 && bytes.get(..at).is_some_and(|n| !n.contains(&b'/')))
    }

    /// `NAME=value` in front of a command: the command's shell text may use it.
    fn environment_word(&mut self, word: Word) -> Step {
        match self.assignment_parts(word) {
            Some((name, value)) => self.set(kind::VARIABLE | kind::EXPORTED, name, value),
            None => Ok(()),
        }
    }

    /// One option word, with its value.
    fn option(&mut self, index: usize, wrapper: Wrapper, walk: &mut Walk) -> Step {
        let Some(word) = self.arg(walk.rest, 0) else {
            return Ok(());
        };
        let text = self.bytes(word.text);
        if let Some(name) = text.strip_prefix(b"--") {
            let equals = name.iter().position(|byte| *byte == b'=');
            let name = name.get(..equals.unwrap_or(name.len())).unwrap_or(name);
            let code = wrapper.is_code(name);
            let valued = wrapper.name_has_value(name);
            let attached = equals.map(|at| at.saturating_add(3) as u32);
            let dir = name == b"chdir";
            let value = Found { code, valued, attached, dir };
            return self.option_value(index, wrapper, walk, value);
        }
        let mut code = None;
        let mut valued = false;
        let mut attached = None;
        let mut dir = false;
        for (at, letter) in text.iter().enumerate().skip(1) {
            code = wrapper.is_code(&[*letter]);
            valued = wrapper.letter_has_value(*letter);
            if code.is_some() || valued {
                dir = letter.is_ascii_uppercase() && wrapper.names_directory(*letter);
                let next = at.saturating_add(1);
                attached = (next < text.len()).then_some(next as u32);
                break;
            }
        }
        // Some programs write long options with one dash.
        let single = text.get(1..).unwrap_or(&[]);
        if single.len() > 1 && wrapper.name_has_value(single) {
            (code, valued, attached) = (None, true, None);
        }
        let value = Found { code, valued, attached, dir };
        self.option_value(index, wrapper, walk, value)
    }

    /// Goes behind an option; follows its value if that is code.
    fn option_value(
        &mut self,
        index: usize,
        wrapper: Wrapper,
        walk: &mut Walk,
        found: Found,
    ) -> Step {
        let Found { code, valued, attached, dir } = found;
        let mut value = self.arg(walk.rest, if attached.is_some() { 0 } else { 1 });
        if let (Some(from), Some(word)) = (attached, value.as_mut()) {
            word.text.start = word.text.start.saturating_add(from);
            word.text.len = word.text.len.saturating_sub(from);
        }
        let apart = attached.is_none() && (valued || code.is_some());
        walk.rest = rest(walk.rest, if apart { 2 } else { 1 });
        if let (true, Some(value)) = (dir && !self.dry, value) {
            let known = !value.flags.has(WordFlags::PARTIAL);
            let to = if known { self.resolved(value.text)? } else { None };
            self.move_to(to);
        }
        let (Some(argv), Some(value)) = (code, value) else {
            return Ok(());
        };
        walk.coded = true;
        if argv && attached.is_none() {
            let command = Run {
                first: walk.rest.first.saturating_sub(1),
                count: walk.rest.count.saturating_add(1),
            };
            walk.rest.count = 0;
            return self.child(index, command, wrapper.via);
        }
        let via = match wrapper.via {
            Via::Wrapper => Via::Shell,
            other => other,
        };
        self.run_value(index, value, via)
    }

    /// Follows a word as shell text.
    pub fn run_value(&mut self, index: usize, value: Word, via: Via) -> Step {
        let code =
            super::flow::Data { text: value.text, taint: super::flow::Taint::of(value.flags) };
        self.run_code(index, code, via)
    }

    /// `docker exec`: the subcommand has a line of its own.
    fn peel_subcommand(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        let walk = self.walk(index, wrapper, words)?;
        let Some(sub) = self.arg(walk.rest, 0) else {
            return Ok(walk.coded);
        };
        if sub.flags.has(WordFlags::PARTIAL) {
            return Ok(walk.coded);
        }
        let key = self.subcommand_key(words, sub)?;
        let Some(inner) = Wrapper::of(self.bytes(key)) else {
            return Ok(walk.coded);
        };
        self.peel_keyed(index, inner, walk.rest, key)
    }

    fn peel_keyed(&mut self, index: usize, wrapper: Wrapper, words: Run, key: Span) -> Step<bool> {
        if wrapper.payload != b"sub" {
            return self.peel_with(index, wrapper, words);
        }
        let walk = self.walk(index, wrapper, words)?;
        let Some(sub) = self.arg(walk.rest, 0) else {
            return Ok(walk.coded);
        };
        let top = self.text.top();
        self.stack_span(key)?;
        self.text.stack(b':')?;
        self.stack_span(sub.text)?;
        let key = self.keep_text(top)?;
        match Wrapper::of(self.bytes(key)) {
            Some(inner) => self.nested(|shell| shell.peel_keyed(index, inner, walk.rest, key)),
            None => Ok(walk.coded),
        }
    }

    /// `program:subcommand`.
    fn subcommand_key(&mut self, words: Run, sub: Word) -> Step<Span> {
        let program = self.arg(words, 0).unwrap_or_default();
        let name = basename(self.bytes(program.text)).len() as u32;
        let skip = program.text.len.saturating_sub(name);
        let top = self.text.top();
        self.stack_span(Span { start: program.text.start.saturating_add(skip), len: name })?;
        self.text.stack(b':')?;
        self.stack_span(sub.text)?;
        self.keep_text(top)
    }
}
