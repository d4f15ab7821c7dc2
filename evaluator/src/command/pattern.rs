//! Shell patterns on known text (POSIX.1-2024 XCU 2.14), for `${x#…}`, `${x/…}` and `case`.

/// Whether all of `text` matches `pattern`. At most `pattern.len() * text.len()` steps.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0_usize, 0_usize);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p = p.saturating_add(1);
                continue;
            }
            Some(_) => one(pattern, p, text.get(t).copied()),
            None if t >= text.len() => return true,
            None => None,
        };
        match step {
            Some(next) => {
                p = next;
                t = t.saturating_add(1);
            }
            None => match star {
                Some((at, from)) if from < text.len() => {
                    p = at.saturating_add(1);
                    t = from.saturating_add(1);
                    star = Some((at, t));
                }
                _ => return false,
            },
        }
    }
}

/// The index behind the pattern element at `at`, if it matches `byte`.
fn one(pattern: &[u8], at: usize, byte: Option<u8>) -> Option<usize> {
    let byte = byte?;
    let next = at.saturating_add(1);
    match pattern.get(at)? {
        b'?' => Some(next),
        b'[' => match class(pattern, next, byte) {
            Some((end, true)) => Some(end),
            Some((_, false)) => None,
            None => (byte == b'[').then_some(next),
        },
        b'\\' => {
            let literal = pattern.get(next).copied().unwrap_or(b'\\');
            (literal == byte).then_some(next.saturating_add(1))
        }
        literal => (*literal == byte).then_some(next),
    }
}

/// A bracket expression from behind its `[` on: the index behind it, and whether `byte` is in it.
fn class(pattern: &[u8], from: usize, byte: u8) -> Option<(usize, bool)> {
    let mut at = from;
    let negated = matches!(pattern.get(at), Some(b'!' | b'^'));
    if negated {
        at = at.saturating_add(1);
    }
    let first = at;
    let mut inside = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((at.saturating_add(1), inside != negated));
        }
        let dash = pattern.get(at.saturating_add(1)) == Some(&b'-');
        let high = pattern.get(at.saturating_add(2)).copied();
        match high {
            Some(high) if dash && high != b']' => {
                inside |= low <= byte && byte <= high;
                at = at.saturating_add(3);
            }
            _ => {
                inside |= low == byte;
                at = at.saturating_add(1);
            }
        }
    }
}

/// Length of the shortest or longest start of `text` that matches.
pub(super) fn prefix(pattern: &[u8], text: &[u8], longest: bool) -> Option<usize> {
    let fits = |len: &usize| text.get(..*len).is_some_and(|start| matches(pattern, start));
    if longest { (0..=text.len()).rev().find(fits) } else { (0..=text.len()).find(fits) }
}

/// Length of the shortest or longest end of `text` that matches.
pub(super) fn suffix(pattern: &[u8], text: &[u8], longest: bool) -> Option<usize> {
    let fits = |len: &usize| {
        text.get(text.len().saturating_sub(*len)..).is_some_and(|end| matches(pattern, end))
    };
    if longest { (0..=text.len()).rev().find(fits) } else { (0..=text.len()).find(fits) }
}

/// A decimal number, if `text` is one.
pub(super) fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit.wrapping_sub(b'0')))?;
    }
    Some(if negative { value.saturating_neg() } else { value })
}
