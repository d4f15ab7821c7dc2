//! What commands print, where that can be known: it may become a word, or code.

use super::decode::Coding;
use super::escapes::Escapes;
use super::follow::{basename, rest};
use super::limits::Step;
use super::shell::{Data, Dialect, Shell, Taint};
use super::word::Building;
use super::{Run, Span, UNKNOWN, Word, WordFlags};

impl Shell<'_, '_> {
    /// Adds `data` to the captured output.
    pub fn emit(&mut self, data: Data) -> Step {
        if !self.capture.on {
            return Ok(());
        }
        self.capture.taint = self.capture.taint.with(data.taint);
        self.stack_span(data.text)
    }

    /// Adds output of which nothing is known but its `taint`.
    pub fn emit_unknown(&mut self, taint: Taint) -> Step {
        if !self.capture.on {
            return Ok(());
        }
        let from = self.place.stdin.taint.0 & Taint::FETCHED.0;
        let taint = taint.with(Taint(from)).with(Taint::UNKNOWN);
        self.capture.taint = self.capture.taint.with(taint);
        self.text.stack(UNKNOWN)
    }

    /// Adds what the program `name`, which runs nothing else, prints.
    pub fn print(&mut self, index: usize, name: Span, words: Run) -> Step {
        if !self.capture.on {
            return self.fetch_to_file(name, words);
        }
        let args = rest(words, 1);
        let name = basename(self.bytes(name));
        if prints_nothing(name) {
            return Ok(());
        }
        match name {
            b"echo" => self.echo(args),
            b"printf" => {
                let taint = self.printf(args)?;
                self.capture.taint = self.capture.taint.with(taint);
                Ok(())
            }
            b"cat" | b"bat" | b"zcat" | b"head" | b"tail" | b"sort" | b"uniq" | b"tac"
            | b"grep" | b"pv" | b"dd" | b"sponge" | b"stdbuf" | b"iconv" | b"dos2unix" => {
                self.pass_on(name == b"cat", args)
            }
            b"tee" => self.tee(args),
            b"rev" => self.reversed(),
            b"tr" => self.translated(args),
            b"base64" | b"gbase64" | b"base32" | b"xxd" | b"openssl" | b"basenc" => {
                self.decoded(args)
            }
            b"pwd" => match self.directory()? {
                Some(text) => self.emit_line(text),
                None => self.emit_unknown(Taint::default()),
            },
            b"which" | b"type" | b"command" => match self.arg(args, args.count.saturating_sub(1)) {
                Some(word) if !word.flags.has(WordFlags::PARTIAL) => self.emit_line(word.text),
                _ => self.emit_unknown(Taint::default()),
            },
            b"basename" | b"dirname" => self.path_part(name == b"basename", args),
            _ => {
                let taint = if fetches(name) || decompresses(name) {
                    Taint::FETCHED
                } else {
                    Taint::default()
                };
                let _ = index;
                self.emit_unknown(taint)
            }
        }
    }

    /// `curl -o FILE`, `wget -O FILE`: the file holds what was fetched.
    fn fetch_to_file(&mut self, name: Span, words: Run) -> Step {
        let name = basename(self.bytes(name));
        if !fetches(name) {
            return Ok(());
        }
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            let attached = text.strip_prefix(b"--output=").or_else(|| {
                text.strip_prefix(b"--output-document=")
                    .or_else(|| text.strip_prefix(b"-O"))
                    .or_else(|| text.strip_prefix(b"-o"))
                    .filter(|file| !file.is_empty())
            });
            let skip = attached.map(|file| text.len().saturating_sub(file.len()) as u32);
            let remote = text == b"-O" || text == b"--remote-name" || text == b"-OJ";
            let apart = matches!(text, b"-o" | b"-O" | b"--output" | b"--output-document")
                || (text.len() > 2
                    && text.first() == Some(&b'-')
                    && text.get(1) != Some(&b'-')
                    && matches!(text.last(), Some(b'o' | b'O')));
            let file = if apart {
                self.arg(words, nth.saturating_add(1)).map(|word| word.text)
            } else {
                skip.map(|skip| Span {
                    start: word.text.start.saturating_add(skip),
                    len: word.text.len.saturating_sub(skip),
                })
            };
            if let Some(file) = file {
                self.remember_fetched(file)?;
            }
            let url = self.bytes(word.text).windows(3).any(|part| part == b"://");
            if url || remote {
                self.remember_last_part(word.text)?;
            }
        }
        Ok(())
    }

    fn remember_fetched(&mut self, name: Span) -> Step {
        let text = self.keep_bytes(&[UNKNOWN])?;
        let taint = Taint::SOME.with(Taint::UNKNOWN).with(Taint::FETCHED);
        self.remember_file(name, Data { text, taint })
    }

    /// A download without a name is called what its address ends in.
    fn remember_last_part(&mut self, address: Span) -> Step {
        let len = basename(self.bytes(address)).len() as u32;
        if len == 0 {
            return Ok(());
        }
        let skip = address.len.saturating_sub(len);
        self.remember_fetched(Span {
            start: address.start.saturating_add(skip),
            len,
        })
    }

    fn emit_line(&mut self, text: Span) -> Step {
        self.stack_span(text)?;
        self.text.stack(b'\n')
    }

    fn emit_word(&mut self, word: Word) -> Step {
        let taint = Taint::of(word.flags);
        self.emit(Data {
            text: word.text,
            taint,
        })
    }

    fn echo(&mut self, args: Run) -> Step {
        let (mut newline, mut escapes) = (true, self.place.dialect == Dialect::Posix);
        let mut args = args;
        while let Some(word) = self.arg(args, 0) {
            let Some(options) = self.bytes(word.text).strip_prefix(b"-") else {
                break;
            };
            let known = options.iter().all(|o| matches!(o, b'n' | b'e' | b'E'));
            if options.is_empty() || !known {
                break;
            }
            newline &= !options.contains(&b'n');
            escapes |= options.contains(&b'e');
            args = rest(args, 1);
        }
        for nth in 0..args.count {
            if nth > 0 {
                self.text.stack(b' ')?;
            }
            let word = self.arg(args, nth).unwrap_or_default();
            if !escapes {
                self.emit_word(word)?;
                continue;
            }
            self.capture.taint = self.capture.taint.with(Taint::of(word.flags));
            if !self.unescaped(word.text)? {
                return Ok(());
            }
        }
        if newline {
            self.text.stack(b'\n')?;
        }
        Ok(())
    }

    /// Stacks `text` with its escapes replaced. Whether output goes on behind it.
    fn unescaped(&mut self, text: Span) -> Step<bool> {
        let cursor = self.enter(text);
        let build = core::mem::take(&mut self.build);
        let mut done = Ok(true);
        while let (Ok(true), Some(byte)) = (done, self.peek()) {
            if byte == b'\\' {
                done = self.escape(Escapes::Echo);
                continue;
            }
            self.advance(1);
            done = self.put(byte).map(|()| true);
        }
        self.build = Building { ..build };
        self.leave(cursor);
        done
    }

    /// `printf FORMAT ARG…`: stacks what it prints.
    pub fn printf(&mut self, args: Run) -> Step<Taint> {
        let mut args = args;
        if self.arg_is(args, 0, b"--") {
            args = rest(args, 1);
        }
        let Some(format) = self.arg(args, 0) else {
            return Ok(Taint::default());
        };
        let mut taint = Taint::of(format.flags);
        let mut values = rest(args, 1);
        let build = core::mem::take(&mut self.build);
        let mut done = Ok(());
        loop {
            let before = values.count;
            let cursor = self.enter(format.text);
            while let (Ok(()), Some(byte)) = (done, self.peek()) {
                done = match byte {
                    b'\\' => self.escape(Escapes::Quoted).map(|_| ()),
                    b'%' => self.conversion(&mut values, &mut taint),
                    _ => {
                        self.advance(1);
                        self.put(byte)
                    }
                };
            }
            self.leave(cursor);
            if done.is_err() || values.count == 0 || values.count == before {
                break;
            }
        }
        self.build = Building { ..build };
        done?;
        Ok(taint)
    }

    /// One conversion specification, from its `%` on.
    fn conversion(&mut self, values: &mut Run, taint: &mut Taint) -> Step {
        self.advance(1);
        let mut precision = None;
        while let Some(byte @ (b'0'..=b'9' | b'-' | b'+' | b' ' | b'#' | b'.' | b'*')) = self.peek()
        {
            self.advance(1);
            match byte {
                b'.' => precision = Some(0_u32),
                b'0'..=b'9' => {
                    precision = precision.map(|value| {
                        value
                            .saturating_mul(10)
                            .saturating_add(u32::from(byte.wrapping_sub(b'0')))
                    });
                }
                b'*' => *values = rest(*values, 1),
                _ => {}
            }
        }
        let kind = self.peek().unwrap_or(b'%');
        self.advance(1);
        if kind == b'%' {
            return self.put(b'%');
        }
        let Some(mut word) = self.arg(*values, 0) else {
            return Ok(());
        };
        *values = rest(*values, 1);
        *taint = taint.with(Taint::of(word.flags));
        match kind {
            b'b' => self.unescaped(word.text).map(|_| ()),
            b's' | b'c' => {
                let limit = if kind == b'c' { Some(1) } else { precision };
                word.text.len = word.text.len.min(limit.unwrap_or(u32::MAX));
                self.stack_span(word.text)
            }
            b'x' | b'X' | b'o' => self.in_radix(word, if kind == b'o' { 8 } else { 16 }),
            b'd' | b'i' | b'u' | b'q' => self.stack_span(word.text),
            _ => {
                *taint = taint.with(Taint::UNKNOWN);
                self.text.stack(UNKNOWN)
            }
        }
    }

    fn in_radix(&mut self, word: Word, radix: u64) -> Step {
        let value = self.constant(word.text)?;
        let Some(value) = value.and_then(|value| u64::try_from(value).ok()) else {
            return self.text.stack(UNKNOWN);
        };
        let shift = if radix == 8 { 3 } else { 4 };
        let mut started = false;
        for place in (0..22_u32).rev() {
            let digit = value.checked_shr(place.saturating_mul(shift)).unwrap_or(0);
            let digit = (digit & radix.saturating_sub(1)) as u32;
            started |= digit != 0 || place == 0;
            if started {
                let digit = char::from_digit(digit, 16).unwrap_or('0');
                self.text.stack(digit as u8)?;
            }
        }
        Ok(())
    }

    /// A filter that prints what it reads, or part of that.
    fn pass_on(&mut self, operands: bool, args: Run) -> Step {
        let mut read = false;
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            let text = self.bytes(word.text);
            if text.first() == Some(&b'-') && text.len() > 1 {
                continue;
            }
            if text == b"-" || text == b"/dev/stdin" {
                read = true;
                self.emit_stdin()?;
                continue;
            }
            if let Some(data) = self.file_content(word) {
                read = true;
                self.emit(data)?;
            } else if operands {
                read = true;
                self.emit_unknown(Taint::default())?;
            }
        }
        if read { Ok(()) } else { self.emit_stdin() }
    }

    fn emit_stdin(&mut self) -> Step {
        let data = self.place.stdin;
        if data.taint.has(Taint::SOME) {
            self.emit(data)
        } else {
            self.emit_unknown(Taint::default())
        }
    }

    /// `tee FILE…`: what it reads goes on, and into the files.
    fn tee(&mut self, args: Run) -> Step {
        let data = self.place.stdin;
        if data.taint.has(Taint::SOME) {
            for nth in 0..args.count {
                let word = self.arg(args, nth).unwrap_or_default();
                let option = self.bytes(word.text).first() == Some(&b'-');
                if !option && !word.flags.has(WordFlags::PARTIAL) {
                    self.remember_file(word.text, data)?;
                }
            }
        }
        self.emit_stdin()
    }

    /// A filter that prints something else than it reads.
    pub fn emit_filtered(&mut self) -> Step {
        self.emit_unknown(Taint::default())
    }

    fn path_part(&mut self, last: bool, args: Run) -> Step {
        let word = self.arg(args, 0).unwrap_or_default();
        let bytes = self.bytes(word.text);
        if word.flags.has(WordFlags::PARTIAL) || bytes.first() == Some(&b'-') {
            return self.emit_unknown(Taint::default());
        }
        let name = basename(bytes).len() as u32;
        let head = word.text.len.saturating_sub(name);
        if last {
            return self.emit_line(Span {
                start: word.text.start.saturating_add(head),
                len: name,
            });
        }
        match head {
            0 => self.stack_bytes(b".\n"),
            1 => self.stack_bytes(b"/\n"),
            _ => self.emit_line(Span {
                start: word.text.start,
                len: head.saturating_sub(1),
            }),
        }
    }

    /// A decoder: `base64 -d`, `xxd -r -p`, `openssl base64 -d`.
    fn decoded(&mut self, args: Run) -> Step {
        let Some((coding, file)) = self.coding(args) else {
            return self.emit_unknown(Taint::default());
        };
        let data = match file {
            Some(word) => self.file_content(word).unwrap_or(Data {
                text: Span::default(),
                taint: Taint::UNKNOWN,
            }),
            None => self.place.stdin,
        };
        self.emit_decoded(coding, data)
    }

    /// Adds `data` decoded.
    pub fn emit_decoded(&mut self, coding: Coding, data: Data) -> Step {
        let known = data.text.len > 0 && !self.bytes(data.text).contains(&UNKNOWN);
        let top = self.text.top();
        if known && self.decode(coding, data.text)? {
            self.capture.taint = self.capture.taint.with(Taint::DECODED);
            return Ok(());
        }
        self.text.unstack(top);
        self.emit_unknown(Taint::FETCHED)
    }
}

/// Programs whose output, as far as they have any, nobody runs.
fn prints_nothing(name: &[u8]) -> bool {
    matches!(
        name,
        b":" | b"true"
            | b"false"
            | b"["
            | b"test"
            | b"mkdir"
            | b"rm"
            | b"cp"
            | b"mv"
            | b"ln"
            | b"touch"
            | b"chmod"
            | b"chown"
            | b"sleep"
            | b"exit"
            | b"return"
            | b"wait"
            | b"kill"
            | b"exec"
            | b"umask"
            | b"ulimit"
            | b"shopt"
            | b"enable"
            | b"hash"
            | b"break"
            | b"continue"
    )
}

/// Programs that print what they get from the network.
pub(super) fn fetches(name: &[u8]) -> bool {
    matches!(
        name,
        b"curl"
            | b"wget"
            | b"wget2"
            | b"aria2c"
            | b"axel"
            | b"fetch"
            | b"lynx"
            | b"w3m"
            | b"links"
            | b"http"
            | b"https"
            | b"xh"
            | b"curlie"
            | b"nc"
            | b"ncat"
            | b"netcat"
            | b"socat"
            | b"telnet"
            | b"ftp"
            | b"tftp"
            | b"dig"
            | b"nslookup"
            | b"host"
            | b"GET"
            | b"gsutil"
            | b"s3cmd"
            | b"scp"
            | b"ssh"
    )
}

/// Programs that print what they unpack.
fn decompresses(name: &[u8]) -> bool {
    matches!(
        name,
        b"gzip"
            | b"gunzip"
            | b"bzip2"
            | b"bunzip2"
            | b"bzcat"
            | b"xz"
            | b"unxz"
            | b"xzcat"
            | b"zstd"
            | b"unzstd"
            | b"zstdcat"
            | b"lz4"
            | b"lz4cat"
            | b"unzip"
            | b"7z"
            | b"tar"
            | b"gpg"
            | b"age"
            | b"uudecode"
            | b"base58"
            | b"brotli"
            | b"ar"
            | b"cpio"
    )
}
