//! Bytes that need not be UTF-8, in JSON and for people. What is shown is always escaped: it may
//! come from an agent, and is read on terminals and by language models.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Bytes as JSON: a string if they are UTF-8, else `{"b64": "…"}` (RFC 4648 §4), as in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("b64", &STANDARD.encode(self.0))?;
                map.end()
            }
        }
    }
}

/// The bytes that a JSON value stands for: a string, or `{"b64": "…"}`; `None` for anything else.
pub fn from_json(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Object(map) if map.len() == 1 => STANDARD.decode(map.get("b64")?.as_str()?).ok(),
        _ => None,
    }
}

/// `bytes` with everything escaped that could act on the reader (`evaluator::escape`).
pub fn visible(bytes: &[u8]) -> String {
    let mut shown = Vec::with_capacity(bytes.len());
    evaluator::escape::visible(bytes, &mut |piece| shown.extend_from_slice(piece));
    String::from_utf8_lossy(&shown).into_owned()
}

/// Words as a command line that can be read: those that a shell would take apart stand in single
/// quotes. Unknown parts of a word show as `…`.
pub fn command_line<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> String {
    let shown: Vec<String> = words.into_iter().map(word).collect();
    shown.join(" ")
}

fn word(bytes: &[u8]) -> String {
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"\0%+,-./:=@_^~*?[]{}".contains(byte)
    };
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return visible(bytes);
    }
    format!("'{}'", visible(bytes).replace('\'', "'\\''"))
}

/// Words as a shell takes them apart again, byte by byte (POSIX.1-2024, XCU 2.2.2): for programs, as
/// nothing is escaped.
pub fn shell_line<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(byte);
    let mut line = Vec::new();
    for word in words {
        if !line.is_empty() {
            line.push(b' ');
        }
        if !word.is_empty() && word.iter().all(plain) {
            line.extend_from_slice(word);
            continue;
        }
        line.push(b'\'');
        for byte in word {
            match byte {
                b'\'' => line.extend_from_slice(b"'\\''"),
                byte => line.push(*byte),
            }
        }
        line.push(b'\'');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn command_lines_can_be_read() {
        let cases: [(&[&[u8]], &str); 6] = [
            (&[], ""),
            (&[b"rm", b"-rf", b"/"], "rm -rf /"),
            (&[b"sh", b"-c", b"echo 'a'; b"], r"sh -c 'echo '\''a'\''; b'"),
            (&[b"echo", b"", b"a\nb"], r"echo '' 'a\nb'"),
            (&[b"rm", b"\0/x", b"*.rs"], "rm …/x *.rs"),
            (&[b"x\xff", b"\x1b[31m"], r"x\xff '\x1b[31m'"),
        ];
        for (words, shown) in cases {
            assert_eq!(command_line(words.iter().copied()), shown);
        }
    }

    #[test]
    fn a_shell_reads_the_words_that_were_written() {
        let words: [&[u8]; 6] = [b"printf", b"%s|", b"a'b", b"c\nd \\n", b"", b"$x\xff"];
        let line = shell_line(words);
        let mut shell = std::process::Command::new("sh");
        let out = shell.arg("-c").arg(OsStr::from_bytes(&line)).output().unwrap();
        assert_eq!(out.stdout, b"a'b|c\nd \\n||$x\xff|");
    }

    #[test]
    fn bytes_survive_json() {
        let cases: [(&[u8], &str); 4] = [
            (b"", r#""""#),
            ("rm -rf \u{e9}".as_bytes(), "\"rm -rf \u{e9}\""),
            (b"a\nb", r#""a\nb""#),
            (b"\xff/x", r#"{"b64":"/y94"}"#),
        ];
        for (bytes, json) in cases {
            assert_eq!(serde_json::to_string(&Text(bytes)).unwrap(), json);
            let back = from_json(&serde_json::from_str(json).unwrap());
            assert_eq!(back.as_deref(), Some(bytes), "{json}");
        }
    }

    #[test]
    fn other_values_are_no_bytes() {
        for json in ["1", "null", "[]", "{}", r#"{"b64":1}"#, r#"{"b64":"*"}"#, r#"{"x":"y"}"#] {
            assert_eq!(from_json(&serde_json::from_str(json).unwrap()), None, "{json}");
        }
    }
}
