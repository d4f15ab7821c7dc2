//! Making foreign bytes safe to look at. What is quoted from a command is read on terminals and
//! by language models, so control bytes, escape sequences, bidirectional overrides and newlines
//! must not act there.

/// Calls `put` with pieces of `bytes` that are printable UTF-8; everything else becomes `\xNN`
/// (bytes) or `\u{NNNN}` (format characters), the unknown-part marker (NUL) becomes `…`.
pub fn visible(bytes: &[u8], put: &mut dyn FnMut(&[u8])) {
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        for (at, character) in text.char_indices() {
            if character == '\0' {
                put("…".as_bytes());
            } else if is_unsafe(character) {
                escaped(character, put);
            } else {
                let end = at.saturating_add(character.len_utf8());
                put(text.as_bytes().get(at..end).unwrap_or(&[]));
            }
        }
        for byte in chunk.invalid() {
            put(&hex_escape(*byte));
        }
    }
}

/// Whether a character can act on the reader instead of being read: controls, and the format
/// characters of Unicode that reorder, hide or tag text.
#[must_use]
pub const fn is_unsafe(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escaped(character: char, put: &mut dyn FnMut(&[u8])) {
    match character {
        '\n' => put(b"\\n"),
        '\r' => put(b"\\r"),
        '\t' => put(b"\\t"),
        _ if character.is_ascii() => put(&hex_escape(character as u8)),
        _ => {
            put(b"\\u{");
            let code = character as u32;
            for shift in [20, 16, 12, 8, 4, 0] {
                if shift <= 12 || code >> shift != 0 {
                    put(&[hex_digit((code >> shift) as u8 & 15)]);
                }
            }
            put(b"}");
        }
    }
}

const fn hex_escape(byte: u8) -> [u8; 4] {
    [b'\\', b'x', hex_digit(byte >> 4), hex_digit(byte & 15)]
}

/// The lower-case hexadecimal digit of `nibble` (0 to 15).
#[must_use]
pub const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble & 15) - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn nothing_acts_on_the_reader() {
        let cases: &[(&[u8], &str)] = &[
            (b"rm -rf /", "rm -rf /"),
            (b"a\nb\tc\r", "a\\nb\\tc\\r"),
            (b"\x1b[31mred", "\\x1b[31mred"),
            (b"caf\xc3\xa9", "café"),
            (b"caf\xe9", "caf\\xe9"),
            ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
            ("a\u{e0041}".as_bytes(), "a\\u{e0041}"),
            (b"x\0y", "x…y"),
            (b"\x7f", "\\x7f"),
        ];
        for (bytes, want) in cases {
            let mut out = Vec::new();
            visible(bytes, &mut |piece| out.extend_from_slice(piece));
            assert_eq!(&String::from_utf8(out).unwrap(), want);
        }
    }
}
