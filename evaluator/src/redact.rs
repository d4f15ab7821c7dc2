//! Credentials are masked before anything is recorded: a log that holds them is a second leak.
//!
//! Masks values, keeps names: `--password hunter2` becomes `--password [masked]`. Works on one
//! string at a time (an argument, a command line) and knows what came before it only where the
//! caller says so ([`takes_secret`]).

/// What stands for a masked value.
pub const MASK: &[u8] = b"[masked]";

/// Names whose value is a secret, compared in lower case with `-` and `_` taken out. One text, not
/// an array of slices: those cost the library a relocation each in every process.
const SECRET_NAMES: &[u8] = b"password passwd passphrase token apikey secret secretkey cookie \
privatekey credential credentials authorization secretaccesskey pgpassword mysqlpwd";

/// Starts of well-known tokens, and how many bytes a token has at least, as two digits.
const TOKEN_STARTS: &[u8] = b"ghp_20 gho_20 ghs_20 ghu_20 github_pat_20 glpat-16 xoxb-16 xoxp-16 \
sk-20 sk_live_16 AKIA16 ASIA16 AIza30 npm_20 pypi-20 eyJ40 ghr_20 xoxa-16 xoxs-16 xapp-16 rk_live_16 \
sk_test_16 hf_20 SG.40 ya29.20 dop_v1_40 AGE-SECRET-KEY-150";

/// Programs that take a password in the same word as `-p`.
const SHORT_PASSWORD: &[u8] =
    b"mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mariadb \
mariadb-dump mariadb-admin";

/// The two ends of a key in text (RFC 7468 §2): all that stands between them is masked.
const KEY_BEGINS: &[u8] = b"PRIVATE KEY-----";
const KEY_ENDS: &[u8] = b"-----END ";

/// Whether the argument after `arg` is a secret: an option that takes one.
#[must_use]
pub fn takes_secret(arg: &[u8]) -> bool {
    match arg {
        [b'-', b'-', name @ ..] | [b'-', name @ ..] if !name.is_empty() => is_secret_name(name),
        _ => false,
    }
}

/// What `-p` means to a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Short {
    /// Nothing of a password.
    #[default]
    Other,
    /// `-pSECRET`
    Attached,
    /// The same, or `-p SECRET`.
    Next,
}

impl Short {
    /// What it means behind `word`, where it meant this before.
    #[must_use]
    pub fn behind(self, word: &[u8]) -> Self {
        // It has its password: what follows is the program that it starts.
        if self == Self::Next && word.starts_with(b"-p") {
            return Self::Other;
        }
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
        match name {
            b"sshpass" => Self::Next,
            [b'm', ..] if self == Self::Attached => self,
            [] | [0..=b'l' | b'n'..=255, ..] => self,
            _ if SHORT_PASSWORD.split(|byte| *byte == b' ').any(|known| known == name) => {
                Self::Attached
            }
            _ => self,
        }
    }

    /// Whether `word` is `-pSECRET`.
    #[must_use]
    pub fn is_attached(self, word: &[u8]) -> bool {
        self != Self::Other && word.len() > 2 && word.starts_with(b"-p")
    }

    /// Whether what follows `word` is a secret.
    #[must_use]
    pub fn takes_next(self, word: &[u8]) -> bool {
        self == Self::Next && word == b"-p"
    }
}

/// Where a private key in `text` starts and ends: behind its first line's marks, at its last line's. One
/// that does not end goes to the end of the text.
fn private_key(text: &[u8]) -> Option<(usize, usize)> {
    if !text.starts_with(b"-----BEGIN ") {
        return None;
    }
    let head = text.get(..text.len().min(64))?;
    let at = head.windows(KEY_BEGINS.len()).position(|window| window == KEY_BEGINS)?;
    let start = at.saturating_add(KEY_BEGINS.len());
    let rest = text.get(start..)?;
    let end = rest.windows(KEY_ENDS.len()).position(|window| window == KEY_ENDS);
    Some((start, start.saturating_add(end.unwrap_or(rest.len()))))
}

/// Calls `put` with pieces of `text` in which secrets are replaced by [`MASK`].
pub fn masked(text: &[u8], put: &mut dyn FnMut(&[u8])) {
    let mut rest = text;
    let mut after_scheme = false;
    let mut short = Short::Other;
    while !rest.is_empty() {
        let (separators, tail) = split_at(rest, rest.iter().position(|b| !is_separator(*b)));
        put(separators);
        if separators.iter().any(|byte| matches!(byte, b';' | b'&' | b'|' | b'\n')) {
            short = Short::Other;
        }
        if let Some((start, end)) = private_key(tail) {
            put(tail.get(..start).unwrap_or(&[]));
            put(MASK);
            rest = tail.get(end..).unwrap_or(&[]);
            continue;
        }
        let (word, tail) = split_at(tail, tail.iter().position(|b| is_separator(*b)));
        if after_scheme && is_scheme(word) {
            put(word);
            rest = tail;
            continue;
        }
        let lower = Lower(word);
        if after_scheme || is_token(word) {
            put(MASK);
        } else if short.is_attached(word) {
            put(b"-p");
            put(MASK);
        } else if let Some(keep) = url_userinfo(word) {
            let (head, host) = split_at(word, Some(keep.1));
            put(head.get(..keep.0).unwrap_or(&[]));
            put(MASK);
            put(host);
        } else if let Some(at) = secret_value(word) {
            let (name, value) = split_at(word, Some(at));
            put(name);
            after_scheme = value.is_empty() || is_scheme(value);
            if after_scheme {
                put(value)
            } else {
                put(MASK)
            }
            rest = tail;
            continue;
        } else {
            put(word);
        }
        after_scheme = lower.is(b"bearer")
            || (lower.is_option() && takes_secret(word))
            || short.takes_next(word);
        short = short.behind(word);
        rest = tail;
    }
}

fn split_at(bytes: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at.unwrap_or(bytes.len())).unwrap_or((bytes, &[]))
}

/// A word compared without case.
struct Lower<'a>(&'a [u8]);

impl Lower<'_> {
    fn is(&self, name: &[u8]) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }
    fn is_option(&self) -> bool {
        self.0.first() == Some(&b'-')
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'\n'
            | b'\r'
            | b'"'
            | b'\''
            | b';'
            | b'&'
            | b'|'
            | b','
            | b'{'
            | b'}'
            | b'?'
    )
}

fn is_scheme(value: &[u8]) -> bool {
    [&b"bearer"[..], b"basic", b"token", b"digest"]
        .iter()
        .any(|scheme| value.eq_ignore_ascii_case(scheme))
}

/// Whether `name` (of an option, variable or header) names a secret.
fn is_secret_name(name: &[u8]) -> bool {
    let folded =
        || name.iter().filter(|b| !matches!(b, b'-' | b'_' | b'.')).map(u8::to_ascii_lowercase);
    let len = folded().count();
    SECRET_NAMES.split(|byte| *byte == b' ').any(|secret| {
        len.checked_sub(secret.len())
            .is_some_and(|skip| folded().skip(skip).eq(secret.iter().copied()))
    })
}

/// Where the value starts in `name=value` or `name:value`, if the name is a secret's.
fn secret_value(word: &[u8]) -> Option<usize> {
    let at = word.iter().position(|byte| matches!(byte, b'=' | b':'))?;
    let name = word.get(..at)?;
    let name = name.strip_prefix(b"--").or_else(|| name.strip_prefix(b"-")).unwrap_or(name);
    (!name.is_empty() && is_secret_name(name)).then_some(at.saturating_add(1))
}

fn is_token(word: &[u8]) -> bool {
    TOKEN_STARTS.split(|byte| *byte == b' ').any(|entry| {
        let [start @ .., tens, ones] = entry else { return false };
        let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
        let len = digit(*tens).wrapping_mul(10).wrapping_add(digit(*ones));
        word.len() >= len
            && word.starts_with(start)
            && word
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'='))
    })
}

/// In `scheme://user:secret@host`: where the secret starts and ends.
fn url_userinfo(word: &[u8]) -> Option<(usize, usize)> {
    let authority = word.windows(3).position(|window| window == b"://")?.saturating_add(3);
    let rest = word.get(authority..)?;
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let at = rest.get(..end)?.iter().rposition(|byte| *byte == b'@')?;
    let colon = rest.get(..at)?.iter().position(|byte| *byte == b':')?;
    Some((authority.saturating_add(colon).saturating_add(1), authority.saturating_add(at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn secrets_are_masked_and_the_rest_is_kept() {
        let cases = [
            ("ls -la /tmp", "ls -la /tmp"),
            ("mysql --password=hunter2 -u root", "mysql --password=[masked] -u root"),
            ("mysql --password hunter2 -u root", "mysql --password [masked] -u root"),
            ("PGPASSWORD=x psql", "PGPASSWORD=[masked] psql"),
            ("export AWS_SECRET_ACCESS_KEY=abc/def", "export AWS_SECRET_ACCESS_KEY=[masked]"),
            (
                "curl -H 'Authorization: Bearer abc.def' https://x",
                "curl -H 'Authorization: Bearer [masked]' https://x",
            ),
            ("curl -H \"authorization:Basic Zm9v\"", "curl -H \"authorization:Basic [masked]\""),
            ("curl -H 'X-Api-Key: abc'", "curl -H 'X-Api-Key: [masked]'"),
            ("git clone https://u:p4ss@h/x", "git clone https://u:[masked]@h/x"),
            ("git clone https://u@h/x", "git clone https://u@h/x"),
            ("echo ghp_0123456789abcdefABCDEF", "echo [masked]"),
            ("echo AKIAIOSFODNN7EXAMPLE", "echo [masked]"),
            ("echo sk-short", "echo sk-short"),
            ("curl https://h/p?token=abc&x=1", "curl https://h/p?token=[masked]&x=1"),
            ("mysql -phunter2 -u root", "mysql -p[masked] -u root"),
            (
                "sudo /usr/bin/mysqldump -u x '-phunter2' db",
                "sudo /usr/bin/mysqldump -u x '-p[masked]' db",
            ),
            ("mysql -p db", "mysql -p db"),
            ("sshpass -p hunter2 ssh -p 22 h", "sshpass -p [masked] ssh -p 22 h"),
            ("sshpass -phunter2 ssh h; ssh -p22 h", "sshpass -p[masked] ssh h; ssh -p22 h"),
            ("gcc -pthread -pipe a.c; find . -print", "gcc -pthread -pipe a.c; find . -print"),
            ("mysql x; gcc -pthread a.c", "mysql x; gcc -pthread a.c"),
            ("echo hf_0123456789abcdefABCDEF", "echo [masked]"),
            (
                "echo '-----BEGIN RSA PRIVATE KEY-----\nMIIE x+/=\n-----END RSA PRIVATE KEY-----' >k",
                "echo '-----BEGIN RSA PRIVATE KEY-----[masked]-----END RSA PRIVATE KEY-----' >k",
            ),
            (
                "echo -----BEGIN OPENSSH PRIVATE KEY-----\\nb3Bl; id",
                "echo -----BEGIN OPENSSH PRIVATE KEY-----[masked]",
            ),
            (
                "echo '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----'",
                "echo '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----'",
            ),
            ("ssh -p 22 host", "ssh -p 22 host"),
            ("echo password", "echo password"),
            ("grep --token", "grep --token"),
        ];
        for (text, want) in cases {
            let mut out = Vec::new();
            masked(text.as_bytes(), &mut |piece| out.extend_from_slice(piece));
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }

    #[test]
    fn options_that_take_a_secret() {
        for (arg, want) in [
            ("--password", true),
            ("--db-password", true),
            ("-token", true),
            ("--api-key", true),
            ("-p", false),
            ("password", false),
            ("--", false),
            ("-", false),
        ] {
            assert_eq!(takes_secret(arg.as_bytes()), want, "{arg}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(0u8..=255, 0..200)) {
            masked(&text, &mut |_| {});
        }
    }
}
