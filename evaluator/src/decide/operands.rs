//! Which operands of well-known programs are files, and whether these are read or written.

use crate::list::Names;

/// Programs that read all operands but the last and write to that.
const COPY: Names<6> = Names::of("cp mv install ln rsync scp");

/// Programs that write to every operand.
const WRITE_ALL: Names<3> = Names::of("tee truncate shred");

/// Programs that read every operand (or what is in it), apart from an expression before them.
const READ_ALL: Names<60> = Names::of(
    "cat tac head tail less more most bat nl od xxd hexdump strings base32 base64 wc \
    sort uniq cut paste tr rev fold column cmp diff comm md5sum sha1sum sha224sum \
    sha256sum sha384sum sha512sum b2sum cksum grep egrep fgrep zgrep rg ag ack sed awk \
    gawk mawk nawk jq yq tar zip gzip bzip2 xz zstd zcat bzcat xzcat source .",
);

/// What a test on files looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// What is read.
    Read,
    /// What is written.
    Written,
    /// What output is redirected to.
    Redirected,
}

/// Which operands of a program are files that it reads, or writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operands {
    /// None.
    None,
    /// Those that begin so, without that.
    Behind(&'static [u8]),
    /// All but the last one.
    AllButLast,
    /// The last one.
    Last,
    /// All.
    All,
}

impl Operands {
    /// Those of the program `name`.
    pub fn of(name: &[u8], files: Files) -> Self {
        let reads = files == Files::Read;
        if name == b"dd" {
            return Self::Behind(if reads { b"if=" } else { b"of=" });
        }
        if COPY.has(name) {
            return if reads { Self::AllButLast } else { Self::Last };
        }
        let all = if reads { READ_ALL.has(name) } else { WRITE_ALL.has(name) };
        if all { Self::All } else { Self::None }
    }
}
