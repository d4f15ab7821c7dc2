//! Marks of names: a few bits for each line of a table of programs, worked out by the compiler, by which most
//! lines are passed over without looking at them. Plain numbers: nothing of them has to be relocated.

/// A line of a table: where it begins and ends, and the marks of the names in its first field.
#[derive(Clone, Copy)]
pub struct Line {
    begin: u16,
    end: u16,
    marks: u64,
}

/// The mark of a name: one bit.
pub const fn of(name: &[u8]) -> u64 {
    let (mut hash, mut rest) = (0_u32, name);
    while let [byte, behind @ ..] = rest {
        hash = hash.wrapping_mul(31).wrapping_add(*byte as u32);
        rest = behind;
    }
    1 << ((hash ^ hash >> 6 ^ hash >> 12) % 64)
}

/// The first name of a text, and what is behind it: names end with a blank, fields with a `|`.
const fn name(text: &[u8]) -> (&[u8], &[u8]) {
    let mut length = 0;
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        if matches!(*byte, b' ' | b'|' | b'\n') {
            break;
        }
        (length, rest) = (length + 1, behind);
    }
    (text.split_at(length).0, rest)
}

/// How many lines a table has.
pub const fn count(text: &str) -> usize {
    let (mut lines, mut rest) = (0, text.as_bytes());
    while let [byte, behind @ ..] = rest {
        lines += (*byte == b'\n') as usize;
        rest = behind;
    }
    lines
}

/// The lines of a table, all of which end with a newline.
pub const fn lines<const N: usize>(text: &str) -> [Line; N] {
    let mut all = [Line { begin: 0, end: 0, marks: 0 }; N];
    let (mut left, whole) = (all.as_mut_slice(), text.len());
    let mut rest = text.as_bytes();
    while let [line, others @ ..] = left {
        left = others;
        line.begin = (whole - rest.len()) as u16;
        loop {
            let (one, behind) = name(rest);
            line.marks |= of(one);
            rest = behind;
            match rest {
                [b' ', behind @ ..] => rest = behind,
                _ => break,
            }
        }
        while let [byte, behind @ ..] = rest {
            line.end = (whole - rest.len()) as u16;
            rest = behind;
            if *byte == b'\n' {
                break;
            }
        }
    }
    all
}

/// The lines of `text` that may be about the program `name`.
pub fn about(
    text: &'static str,
    lines: &'static [Line],
    name: &[u8],
) -> impl Iterator<Item = &'static [u8]> + use<> {
    let mark = of(name);
    let marked = lines.iter().filter(move |line| line.marks & mark != 0);
    marked.filter_map(|line| text.as_bytes().get(line.begin as usize..line.end as usize))
}
