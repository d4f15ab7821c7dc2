//! Everyday programs with a way to run other ones: `git`, `tar`, `sed`.

use super::follow::rest;
use super::limits::Step;
use super::rules::tail;
use super::shell::Shell;
use super::{Run, Via, Word, WordFlags};

/// Settings of `git` whose value is shell text.
const GIT_SETTINGS: [&[u8]; 12] = [
    b"core.sshcommand",
    b"core.pager",
    b"core.editor",
    b"core.fsmonitor",
    b"core.askpass",
    b"core.gitproxy",
    b"sequence.editor",
    b"diff.external",
    b"gpg.program",
    b"credential.helper",
    b"interactive.difffilter",
    b"uploadpack.packobjectshook",
];

impl Shell<'_, '_> {
    /// `git -c KEY=TEXT`, and subcommands that run text or a command.
    pub fn run_git(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut args = rest(words, 1);
        let mut found = false;
        while let Some(word) = self.arg(args, 0) {
            let text = self.bytes(word.text);
            if text.first() != Some(&b'-') {
                break;
            }
            let setting = if text == b"-c" { self.arg(args, 1) } else { None };
            let valued = matches!(
                text,
                b"-c"
                    | b"-C"
                    | b"--git-dir"
                    | b"--work-tree"
                    | b"--namespace"
                    | b"--exec-path"
                    | b"--config-env"
            );
            args = rest(args, if valued { 2 } else { 1 });
            if let Some(setting) = setting {
                found |= self.git_setting(index, setting)?;
            }
        }
        let Some(sub) = self.arg(args, 0) else {
            return Ok(found);
        };
        if sub.flags.has(WordFlags::PARTIAL) {
            return Ok(found);
        }
        found |= self.git_alias(index, words, sub, args)?;
        Ok(self.git_subcommand(index, sub, rest(args, 1))? || found)
    }

    /// `git -c alias.NAME=TEXT NAME …`: what it stands for, with the arguments behind it.
    fn git_alias(&mut self, index: usize, words: Run, sub: Word, args: Run) -> Step<bool> {
        let options = args.first.saturating_sub(words.first);
        for nth in 1..options {
            let word = self.arg(words, nth).unwrap_or_default();
            let Some((key, value)) = self.assignment_parts(word) else {
                continue;
            };
            let alias = self.bytes(key).strip_prefix(b"alias.");
            let shell = self.bytes(value.text).first() == Some(&b'!');
            if shell || alias != Some(self.bytes(sub.text)) {
                continue;
            }
            let top = self.text.top();
            self.stack_bytes(b"git ")?;
            self.stack_span(value.text)?;
            self.stack_quoted(rest(args, 1))?;
            let text = self.keep_text(top)?;
            let code = self.span_word(text);
            self.run_value(index, code, Via::Shell)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn git_setting(&mut self, index: usize, setting: Word) -> Step<bool> {
        let Some((key, value)) = self.assignment_parts(setting) else {
            return Ok(false);
        };
        let key = self.bytes(key);
        let known = GIT_SETTINGS.iter().any(|name| key.eq_ignore_ascii_case(name));
        let lower = |start: &[u8]| {
            key.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
        };
        let pager = lower(b"pager.");
        let driver = (lower(b"filter.") || lower(b"merge.") || lower(b"diff."))
            && [&b".clean"[..], b".smudge", b".driver", b".process", b".textconv", b".command"]
                .iter()
                .any(|end| key.ends_with(end));
        let tool = (lower(b"difftool.") || lower(b"mergetool.")) && key.ends_with(b".cmd");
        if self.bytes(value.text).first() == Some(&b'!') {
            self.run_value(index, tail(value, 1), Via::Shell)?;
            return Ok(true);
        }
        if known || pager || driver || tool {
            self.run_value(index, value, Via::Shell)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn git_subcommand(&mut self, index: usize, sub: Word, args: Run) -> Step<bool> {
        match self.bytes(sub.text) {
            b"submodule" => {
                let at = (0..args.count).find(|nth| self.arg_is(args, *nth, b"foreach"));
                let Some(at) = at else {
                    return Ok(false);
                };
                let mut text = rest(args, at.saturating_add(1));
                while self.starts_with_dash(text) {
                    text = rest(text, 1);
                }
                if text.count > 0 {
                    self.run_joined(index, text, Via::Shell)?;
                }
                Ok(text.count > 0)
            }
            b"bisect" if self.arg_is(args, 0, b"run") => {
                self.child(index, rest(args, 1), Via::Wrapper)?;
                Ok(true)
            }
            b"rebase" | b"filter-branch" | b"difftool" | b"ls-remote" | b"clone" | b"fetch"
            | b"pull" | b"push" => self.git_options(index, args),
            _ => Ok(false),
        }
    }

    fn starts_with_dash(&self, run: Run) -> bool {
        self.arg(run, 0).is_some_and(|word| self.bytes(word.text).first() == Some(&b'-'))
    }

    /// Options of subcommands whose value is shell text, and `ext::` addresses.
    fn git_options(&mut self, index: usize, args: Run) -> Step<bool> {
        let mut found = false;
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            let filter = text.starts_with(b"--") && text.ends_with(b"-filter");
            let apart = filter
                || matches!(
                    text,
                    b"-x" | b"--exec" | b"--extcmd" | b"--upload-pack" | b"--receive-pack" | b"-u"
                );
            let attached =
                [&b"--exec="[..], b"--extcmd=", b"--upload-pack=", b"--receive-pack=", b"ext::"]
                    .iter()
                    .find(|start| text.starts_with(start))
                    .map(|start| start.len());
            let dry = matches!(text, b"-u" | b"-x") && !self.git_takes_text(args, nth);
            let value = match attached {
                Some(skip) => Some(tail(word, skip)),
                None if apart && !dry => self.arg(args, nth.saturating_add(1)),
                None => None,
            };
            if let Some(value) = value {
                found = true;
                self.run_value(index, value, Via::Shell)?;
            }
        }
        Ok(found)
    }

    /// `-x` of `rebase` and `difftool` takes text; `-u` of `push` does not.
    fn git_takes_text(&self, args: Run, nth: u32) -> bool {
        let program = self.words.get((args.first as usize).saturating_sub(1));
        let sub = self.bytes(program.unwrap_or_default().text);
        match sub {
            b"rebase" | b"difftool" => self.arg_is(args, nth, b"-x"),
            b"clone" | b"ls-remote" => self.arg_is(args, nth, b"-u"),
            _ => false,
        }
    }

    /// `tar --to-command=TEXT`, `--checkpoint-action=exec=TEXT`, `-I TEXT`.
    pub fn run_tar(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut found = false;
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            let attached = [
                &b"--to-command="[..],
                b"--checkpoint-action=exec=",
                b"--use-compress-program=",
                b"--rsh-command=",
                b"--rmt-command=",
                b"--info-script=",
                b"--new-volume-script=",
                b"exec=",
            ]
            .iter()
            .find(|start| text.starts_with(start))
            .map(|start| start.len());
            let apart = matches!(
                text,
                b"-I"
                    | b"-F"
                    | b"--to-command"
                    | b"--use-compress-program"
                    | b"--rsh-command"
                    | b"--info-script"
            );
            let value = match attached {
                Some(skip) => Some(tail(word, skip)),
                None if apart => self.arg(words, nth.saturating_add(1)),
                None => None,
            };
            if let Some(value) = value {
                found = true;
                self.run_value(index, value, Via::Shell)?;
            }
        }
        Ok(found)
    }

    /// `sed '1e TEXT'`, `sed 's/…/TEXT/e'`.
    pub fn run_sed(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut found = false;
        let mut script = None;
        let mut nth = 1_u32;
        while let Some(word) = self.arg(words, nth) {
            let text = self.bytes(word.text);
            nth = nth.saturating_add(1);
            match text {
                b"-e" | b"--expression" => {
                    if let Some(word) = self.arg(words, nth) {
                        found |= self.sed_script(index, word)?;
                    }
                    script = Some(word);
                    nth = nth.saturating_add(1);
                }
                b"-f" | b"--file" => {
                    script = Some(word);
                    nth = nth.saturating_add(1);
                }
                _ if text.starts_with(b"--expression=") => {
                    found |= self.sed_script(index, tail(word, 13))?;
                    script = Some(word);
                }
                [b'-', b'-', ..] => {}
                [b'-', letters @ ..] => {
                    // `-ne SCRIPT`: the last letter takes the next word.
                    let takes = letters.last() == Some(&b'e');
                    if let (true, Some(word)) = (takes, self.arg(words, nth)) {
                        found |= self.sed_script(index, word)?;
                        script = Some(word);
                        nth = nth.saturating_add(1);
                    }
                }
                _ if script.is_none() => {
                    found |= self.sed_script(index, word)?;
                    script = Some(word);
                }
                _ => {}
            }
        }
        if !found {
            self.emit_filtered()?;
        }
        Ok(true)
    }

    /// A `sed` script: its `e` commands, and what `s///e` puts in.
    fn sed_script(&mut self, index: usize, script: Word) -> Step<bool> {
        self.burn(script.text.len as usize)?;
        let mut at = 0_usize;
        let mut found = false;
        loop {
            let text = self.bytes(script.text);
            let Some(command) = sed_command(text, &mut at) else {
                return Ok(found);
            };
            let SedCommand { from, len } = command;
            if len == 0 && from > 0 {
                // `e` alone runs what is read.
                found |= self.run_stdin(index, Via::Stdin)?;
            }
            if len == 0 {
                continue;
            }
            found = true;
            let mut word = tail(script, from);
            word.text.len = word.text.len.min(len as u32);
            self.run_value(index, word, Via::Shell)?;
        }
    }
}

/// A piece of a script that runs; empty for one that does not.
struct SedCommand {
    from: usize,
    len: usize,
}

/// The next command of a `sed` script at `at`; goes behind it.
fn sed_command(text: &[u8], at: &mut usize) -> Option<SedCommand> {
    let skip = |at: &mut usize, accept: &dyn Fn(u8) -> bool| {
        while text.get(*at).is_some_and(|byte| accept(*byte)) {
            *at = at.saturating_add(1);
        }
    };
    skip(at, &|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'{' | b'}'));
    sed_address(text, at);
    skip(at, &|byte| matches!(byte, b' ' | b'!' | b'\t' | b'{'));
    let command = *text.get(*at)?;
    *at = at.saturating_add(1);
    let nothing = SedCommand { from: 0, len: 0 };
    match command {
        b'e' => {
            skip(at, &|byte| byte == b' ');
            let from = *at;
            skip(at, &|byte| byte != b'\n');
            Some(SedCommand { from, len: at.saturating_sub(from) })
        }
        b's' | b'y' => {
            let delimiter = *text.get(*at)?;
            *at = at.saturating_add(1);
            sed_until(text, at, delimiter);
            let from = *at;
            sed_until(text, at, delimiter);
            let len = at.saturating_sub(from).saturating_sub(1);
            let flags = *at;
            skip(at, &|byte| byte.is_ascii_alphanumeric());
            let runs = command == b's' && text.get(flags..*at).is_some_and(|f| f.contains(&b'e'));
            Some(if runs { SedCommand { from, len } } else { nothing })
        }
        b'a' | b'i' | b'c' | b'r' | b'R' | b'w' | b'W' | b'b' | b't' | b'T' | b':' | b'#' => {
            skip(at, &|byte| {
                byte != b'\n' && (byte != b';' || matches!(command, b'a' | b'i' | b'c'))
            });
            Some(nothing)
        }
        _ => Some(nothing),
    }
}

/// Goes over the addresses in front of a command.
fn sed_address(text: &[u8], at: &mut usize) {
    loop {
        match text.get(*at) {
            Some(b'0'..=b'9' | b'$' | b',' | b'~' | b'+') => *at = at.saturating_add(1),
            Some(b'/') => {
                *at = at.saturating_add(1);
                sed_until(text, at, b'/');
                while matches!(text.get(*at), Some(b'I' | b'M')) {
                    *at = at.saturating_add(1);
                }
            }
            Some(b'\\') => {
                let delimiter = text.get(at.saturating_add(1)).copied().unwrap_or(b'/');
                *at = at.saturating_add(2);
                sed_until(text, at, delimiter);
            }
            _ => return,
        }
    }
}

/// Goes behind the next `delimiter` that no `\` stands before.
fn sed_until(text: &[u8], at: &mut usize, delimiter: u8) {
    while let Some(byte) = text.get(*at) {
        *at = at.saturating_add(1);
        if *byte == delimiter {
            return;
        }
        if *byte == b'\\' {
            *at = at.saturating_add(1);
        }
    }
}
