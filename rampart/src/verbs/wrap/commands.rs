//! Where a shell takes its commands from (POSIX, `sh`; bash(1), "Invocation").

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commands {
    /// An argument, or a script that one names.
    Arguments,
    /// Standard input.
    Input,
}

/// Options of one letter that take the next argument.
const WITH_WORD: &[u8] = b"oO";

/// Long options that take the next argument.
const LONG_WITH_WORD: [&[u8]; 2] = [b"--rcfile", b"--init-file"];

impl Commands {
    /// For a shell with these arguments, its own name the first.
    pub fn of(argv: &[Vec<u8>]) -> Self {
        let mut words = argv.iter().skip(1).map(Vec::as_slice);
        let mut from_input = false;
        while let Some(word) = words.next() {
            match word {
                b"-" | b"--" => return Self::unless(from_input, words.next()),
                long if long.starts_with(b"--") => {
                    if LONG_WITH_WORD.contains(&long) {
                        words.next();
                    }
                }
                [b'-', letters @ ..] if letters.contains(&b'c') => return Self::Arguments,
                [sign @ (b'-' | b'+'), letters @ ..] if !letters.is_empty() => {
                    from_input |= *sign == b'-' && letters.contains(&b's');
                    for _ in letters.iter().filter(|letter| WITH_WORD.contains(letter)) {
                        words.next();
                    }
                }
                operand => return Self::unless(from_input, Some(operand)),
            }
        }
        Self::Input
    }

    const fn unless(from_input: bool, operand: Option<&[u8]>) -> Self {
        match (from_input, operand) {
            (false, Some(_)) => Self::Arguments,
            _ => Self::Input,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_they_come_from() {
        use Commands::{Arguments, Input};
        let cases: [(&[&str], Commands); 17] = [
            (&["sh"], Input),
            (&["sh", "-c", "x"], Arguments),
            (&["bash", "-lc", "x"], Arguments),
            (&["bash", "-ec", "x"], Arguments),
            (&["bash", "-o", "pipefail", "-c", "x"], Arguments),
            (&["bash", "-eo", "pipefail", "-c", "x"], Arguments),
            (&["bash", "--norc", "--rcfile", "f", "-c", "x"], Arguments),
            (&["sh", "script"], Arguments),
            (&["sh", "-e", "script", "-s"], Arguments),
            (&["sh", "--", "script"], Arguments),
            (&["sh", "-"], Input),
            (&["sh", "-s", "a", "b"], Input),
            (&["sh", "-es", "--", "a"], Input),
            (&["bash", "-o", "pipefail"], Input),
            (&["bash", "+O", "extglob"], Input),
            (&["bash", "--login"], Input),
            (&["bash", "-i"], Input),
        ];
        for (words, expected) in cases {
            let argv: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(Commands::of(&argv), expected, "{words:?}");
        }
    }
}
