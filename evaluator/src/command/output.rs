//! What commands print, where that can be known: it may become a word, or code.

use super::decode::Coding;
use super::flow::{Data, Taint};
use super::follow::{basename, rest};
use super::limits::Step;
use super::shell::Shell;
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
        self.fetch_to_file(name, words)?;
        if !self.capture.on {
            return Ok(());
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
        self.remember_fetched(Span { start: address.start.saturating_add(skip), len })
    }

    fn emit_line(&mut self, text: Span) -> Step {
        self.stack_span(text)?;
        self.text.stack(b'\n')
    }

    pub fn emit_word(&mut self, word: Word) -> Step {
        let taint = Taint::of(word.flags);
        self.emit(Data { text: word.text, taint })
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
            return self.emit_line(Span { start: word.text.start.saturating_add(head), len: name });
        }
        match head {
            0 => self.stack_bytes(b".\n"),
            1 => self.stack_bytes(b"/\n"),
            _ => self.emit_line(Span { start: word.text.start, len: head.saturating_sub(1) }),
        }
    }

    /// A decoder: `base64 -d`, `xxd -r -p`, `openssl base64 -d`.
    fn decoded(&mut self, args: Run) -> Step {
        let Some((coding, file)) = self.coding(args) else {
            return self.emit_unknown(Taint::default());
        };
        let data = match file {
            Some(word) => self
                .file_content(word)
                .unwrap_or(Data { text: Span::default(), taint: Taint::UNKNOWN }),
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
