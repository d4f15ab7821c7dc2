//! Wrappers whose arguments no line of the table can describe.

use super::follow::{Reader, rest};
use super::limits::Step;
use super::shell::Shell;
use super::table::Wrapper;
use super::{Run, Span, Via, Word};

impl Shell<'_, '_> {
    /// Follows what the wrapper at `index` runs by the rule called `rule`.
    pub fn peel_by_rule(
        &mut self,
        index: usize,
        rule: &[u8],
        wrapper: Wrapper,
        words: Run,
    ) -> Step<bool> {
        match rule {
            b"shell" => self.run_shell(index, words),
            b"su" => self.run_su(index, wrapper, words),
            b"command" => self.run_command(index, words),
            b"applet" => {
                let applet = rest(words, 1);
                self.child(index, applet, Via::Wrapper)?;
                Ok(applet.count > 0)
            }
            b"find" => self.run_find(index, words),
            b"fd" => self.run_fd(index, words),
            b"xargs" => self.run_xargs(index, wrapper, words),
            b"parallel" => self.run_parallel(index, wrapper, words),
            b"ssh" => self.run_ssh(index, wrapper, words),
            b"watch" => self.run_watch(index, wrapper, words),
            b"each" => self.run_each(index, wrapper, words),
            b"capsh" => self.run_capsh(index, words),
            b"gdb" => self.run_gdb(index, words),
            b"bwrap" => self.run_bwrap(index, words),
            b"tmux" => self.run_tmux(index, wrapper, words),
            b"screen" => self.run_screen(index, wrapper, words),
            b"git" => self.run_git(index, words),
            b"tar" => self.run_tar(index, words),
            b"sed" => self.run_sed(index, words),
            b"vim" => self.run_vim(index, words),
            b"make" => self.run_make(index, words),
            b"sql" => self.run_sql(index, words),
            _ => Ok(false),
        }
    }

    /// `su USER -c TEXT`, `runuser -u USER -- COMMAND`.
    fn run_su(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        let walk = self.walk(index, wrapper, words)?;
        if !walk.coded && walk.rest.count > 0 {
            self.child(index, walk.rest, wrapper.via)?;
            return Ok(true);
        }
        if !walk.coded {
            return self.run_stdin(index, Via::Stdin);
        }
        Ok(true)
    }

    /// `command` and `builtin`; `command -v` only asks.
    fn run_command(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut args = rest(words, 1);
        while let Some(word) = self.arg(args, 0) {
            match self.bytes(word.text) {
                [b'-', letters @ ..] if letters.contains(&b'v') || letters.contains(&b'V') => {
                    return Ok(false);
                }
                [b'-', ..] => args = rest(args, 1),
                _ => break,
            }
        }
        self.child_as(index, args, Via::Wrapper, Reader::Builtins)?;
        Ok(args.count > 0)
    }

    /// `ssh [options] HOST [TEXT …]`; without text, the remote shell reads standard input.
    fn run_ssh(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            if !text.contains(&b'=') {
                continue;
            }
            for key in
                [&b"ProxyCommand="[..], b"LocalCommand=", b"KnownHostsCommand=", b"ProxyUseFdpass="]
            {
                let at = crate::glob::find(text, key, true);
                if let Some(at) = at.filter(|at| *at <= 2) {
                    let value = tail(word, at.saturating_add(key.len()));
                    self.run_value(index, value, Via::Shell)?;
                    break;
                }
            }
        }
        let walk = self.walk(index, wrapper, words)?;
        if walk.rest.count > 0 {
            self.run_joined(index, walk.rest, Via::Remote)?;
            return Ok(true);
        }
        self.run_stdin(index, Via::Remote)
    }

    /// `watch TEXT …`, `watch -x COMMAND …`.
    fn run_watch(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        let walk = self.walk(index, wrapper, words)?;
        let options = walk.rest.first.saturating_sub(words.first);
        let exec = (1..options).any(|nth| {
            let word = self.arg(words, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            text == b"--exec" || (!text.starts_with(b"--") && text.contains(&b'x'))
        });
        if walk.rest.count == 0 {
            return Ok(false);
        }
        if exec {
            self.child(index, walk.rest, Via::Wrapper)?;
        } else {
            self.run_joined(index, walk.rest, Via::Shell)?;
        }
        Ok(true)
    }

    /// Every operand is a text of its own.
    fn run_each(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        let walk = self.walk(index, wrapper, words)?;
        for nth in 0..walk.rest.count {
            let word = self.arg(walk.rest, nth).unwrap_or_default();
            if self.bytes(word.text).first() != Some(&b'-') {
                self.run_value(index, word, Via::Shell)?;
            }
        }
        Ok(walk.rest.count > 0)
    }

    /// `capsh … -- -c TEXT`.
    fn run_capsh(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut behind = false;
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            if behind
                && text == b"-c"
                && let Some(code) = self.arg(words, nth.saturating_add(1))
            {
                self.run_value(index, code, Via::Privilege)?;
                return Ok(true);
            }
            behind |= text == b"--";
        }
        Ok(false)
    }

    /// `gdb --args COMMAND …`, `gdb -ex 'shell TEXT'`.
    fn run_gdb(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut found = false;
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            if text == b"--args" || text == b"-args" || text == b"--" {
                let command = rest(words, nth.saturating_add(1));
                self.child(index, command, Via::Wrapper)?;
                return Ok(command.count > 0);
            }
            let skip = [&b"shell "[..], b"!", b"pipe ", b"make "]
                .iter()
                .find(|start| text.starts_with(start))
                .map(|start| start.len());
            if let Some(skip) = skip {
                found = true;
                self.run_value(index, tail(word, skip), Via::Shell)?;
            }
        }
        Ok(found)
    }

    /// `bwrap OPTION … COMMAND …`.
    fn run_bwrap(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut args = rest(words, 1);
        while let Some(word) = self.arg(args, 0) {
            let values = match self.bytes(word.text) {
                b"--" => {
                    args = rest(args, 1);
                    break;
                }
                b"--bind" | b"--ro-bind" | b"--dev-bind" | b"--bind-try" | b"--ro-bind-try"
                | b"--dev-bind-try" | b"--symlink" | b"--setenv" | b"--file" | b"--bind-data"
                | b"--ro-bind-data" | b"--chmod" | b"--bind-fd" | b"--ro-bind-fd" => 2,
                b"--proc" | b"--dev" | b"--tmpfs" | b"--dir" | b"--mqueue" | b"--chdir"
                | b"--unsetenv" | b"--uid" | b"--gid" | b"--hostname" | b"--args"
                | b"--seccomp" | b"--add-seccomp-fd" | b"--lock-file" | b"--sync-fd"
                | b"--block-fd" | b"--userns" | b"--userns2" | b"--pidns" | b"--info-fd"
                | b"--json-status-fd" | b"--exec-label" | b"--file-label" | b"--cap-add"
                | b"--cap-drop" | b"--perms" | b"--size" | b"--remount-ro" | b"--overlay-src"
                | b"--tmp-overlay" | b"--ro-overlay" | b"--argv0" | b"--userns-block-fd" => 1,
                [b'-', ..] => 0,
                _ => break,
            };
            args = rest(args, 1_u32.saturating_add(values));
        }
        self.child(index, args, Via::Container)?;
        Ok(args.count > 0)
    }

    /// `tmux send-keys … TEXT Enter`, `tmux new-window … TEXT`.
    fn run_tmux(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        let walk = self.walk(index, wrapper, words)?;
        let Some(sub) = self.arg(walk.rest, 0) else {
            return Ok(false);
        };
        let keys = match self.bytes(sub.text) {
            b"send-keys" | b"send" => true,
            b"new-session" | b"new" | b"new-window" | b"neww" | b"split-window" | b"splitw"
            | b"respawn-pane" | b"respawnp" | b"respawn-window" | b"respawnw" | b"run-shell"
            | b"run" | b"if-shell" | b"if" | b"pipe-pane" | b"pipep" | b"display-popup"
            | b"popup" => false,
            _ => return Ok(false),
        };
        let mut args = rest(walk.rest, 1);
        while let Some(word) = self.arg(args, 0) {
            let text = self.bytes(word.text);
            if text.first() != Some(&b'-') || text.len() < 2 {
                break;
            }
            let last = text.last().copied().unwrap_or(0);
            let valued = if keys {
                matches!(last, b't' | b'N' | b'c')
            } else {
                matches!(
                    last,
                    b't' | b's'
                        | b'n'
                        | b'c'
                        | b'e'
                        | b'F'
                        | b'x'
                        | b'y'
                        | b'l'
                        | b'p'
                        | b'h'
                        | b'w'
                )
            };
            args = rest(args, if valued { 2 } else { 1 });
        }
        if keys {
            while let Some(word) = self.arg(args, args.count.saturating_sub(1)) {
                let text = self.bytes(word.text);
                if !matches!(text, b"Enter" | b"C-m" | b"KPEnter" | b"C-j") {
                    break;
                }
                args.count = args.count.saturating_sub(1);
            }
        }
        if args.count == 0 {
            return Ok(false);
        }
        self.run_joined(index, args, Via::Shell)?;
        Ok(true)
    }

    /// `screen … COMMAND …`, `screen -X stuff TEXT`.
    fn run_screen(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        for nth in 1..words.count {
            if self.arg_is(words, nth, b"stuff") || self.arg_is(words, nth, b"exec") {
                let args = rest(words, nth.saturating_add(1));
                if self.arg_is(words, nth, b"exec") {
                    self.child(index, args, Via::Wrapper)?;
                } else if args.count > 0 {
                    self.run_joined(index, args, Via::Shell)?;
                }
                return Ok(args.count > 0);
            }
        }
        let walk = self.walk(index, wrapper, words)?;
        self.child(index, walk.rest, Via::Wrapper)?;
        Ok(walk.rest.count > 0)
    }

    /// `vim -c ':!TEXT'`, `vim '+!TEXT'`.
    fn run_vim(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut found = false;
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let before = self.arg(words, nth.saturating_sub(1)).unwrap_or_default();
            let option = match self.bytes(before.text) {
                b"--cmd" => true,
                [b'-', letters @ ..] => letters.last() == Some(&b'c'),
                _ => false,
            };
            let text = self.bytes(word.text);
            let plus = text.first() == Some(&b'+');
            let Some(bang) = text.iter().position(|byte| *byte == b'!') else {
                continue;
            };
            let head = text.get(..bang).unwrap_or(&[]);
            let commands = head.iter().all(|byte| {
                byte.is_ascii_alphabetic()
                    || matches!(byte, b' ' | b':' | b'+' | b'%' | b'|' | b'.')
            });
            let quits = matches!(head.last(), Some(byte) if byte.is_ascii_alphabetic())
                && text.len() <= bang.saturating_add(1);
            if (option || plus) && commands && !quits {
                found = true;
                self.run_value(index, tail(word, bang.saturating_add(1)), Via::Shell)?;
            }
        }
        Ok(found)
    }
}

/// `word` without its first `skip` bytes.
pub(super) fn tail(word: Word, skip: usize) -> Word {
    let skip = u32::try_from(skip).unwrap_or(u32::MAX).min(word.text.len);
    Word {
        text: Span {
            start: word.text.start.saturating_add(skip),
            len: word.text.len.saturating_sub(skip),
        },
        flags: word.flags,
    }
}
