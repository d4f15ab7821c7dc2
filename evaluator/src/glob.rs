//! The pattern dialects of policies. The original's is not a common one, so it is matched by our
//! own code, with a step budget instead of a size limit.
//!
//! Command globs, tried in this order: `*` alone matches everything; a pattern with `**` is a
//! path glob; a pattern that ends in `*` is a literal prefix (and goes on if that fails); one that
//! starts with `*` is pieces that occur in order, its end not anchored; anything else is a path
//! glob. In path globs `*`, `?` and `[class]` stay inside a segment, `**` crosses, and a leading
//! `**/` may also stand for nothing. A backslash counts as a slash, in patterns and in values.

/// The steps one match may take: enough for every honest pattern, an end for every other.
const STEPS: u32 = 1 << 20;

/// Whether `value` matches the command glob `pattern`; `None` if it would take too many steps.
#[must_use]
pub fn command(pattern: &[u8], value: &[u8], fold: bool) -> Option<bool> {
    let Some(head) = literal_start(pattern, value, fold).filter(|_| !pattern.is_empty()) else {
        return Some(false);
    };
    let tail = pattern.get(head..)?;
    if matches!(tail, [] | [b'*']) {
        return Some(tail.len() == 1 || value.len() == head);
    }
    if pattern.windows(2).any(|pair| pair == b"**") {
        return path(pattern, value, fold);
    }
    if let [prefix @ .., b'*'] = pattern
        && starts_with(value, prefix, fold)
    {
        return Some(true);
    }
    if pattern.first() == Some(&b'*') {
        return Some(pieces_in_order(pattern, value, fold));
    }
    path(pattern, value, fold)
}

/// Whether the pieces between the stars of `pattern` occur in `value` one after the other.
fn pieces_in_order(pattern: &[u8], value: &[u8], fold: bool) -> bool {
    let mut rest = value;
    for piece in pattern.split(|byte| *byte == b'*').filter(|piece| !piece.is_empty()) {
        let Some(at) = find(rest, piece, fold) else {
            return false;
        };
        rest = rest.get(at.saturating_add(piece.len())..).unwrap_or(&[]);
    }
    true
}

/// Whether `value` matches the path glob `pattern`; `None` if it would take too many steps.
#[must_use]
pub fn path(pattern: &[u8], value: &[u8], fold: bool) -> Option<bool> {
    let starts = literal_start(pattern, value, fold).is_some();
    let anywhere = pattern.strip_prefix(b"**/");
    let end = if starts { literal_end(anywhere.unwrap_or(pattern)) } else { &[] };
    if !starts || pattern.is_empty() || !ends_with(value, end, fold) {
        return Some(false);
    }
    let mut steps = STEPS;
    match anywhere {
        // No wildcard behind it: what stands before has to be nothing, or end with a slash.
        Some(rest) if rest.len() == end.len() => {
            let before = value.len().checked_sub(rest.len())?;
            let slash = before.checked_sub(1).and_then(|at| value.get(at));
            Some(slash.is_none_or(|byte| slashed(*byte) == b'/'))
        }
        Some(rest) if segments(rest, value, fold, &mut steps)? => Some(true),
        _ => segments(pattern, value, fold, &mut steps),
    }
}

/// Where to go on after a mismatch: the star's place in the pattern and how far it has eaten.
#[derive(Clone, Copy)]
struct Star {
    pattern: usize,
    value: usize,
}

/// Anchored match with two kinds of star. Going back to the last star of each kind is enough: the
/// shortest match of what stands before a star is always the best one.
fn segments(pattern: &[u8], value: &[u8], fold: bool, steps: &mut u32) -> Option<bool> {
    let (mut at, mut pos) = (0, 0);
    let (mut inner, mut outer): (Option<Star>, Option<Star>) = (None, None);
    loop {
        *steps = steps.checked_sub(1)?;
        let rest = pattern.get(at..).unwrap_or(&[]);
        match rest {
            [b'*', b'*', tail @ ..] => {
                if tail.is_empty() {
                    return Some(true);
                }
                at += 2;
                outer = Some(Star { pattern: at, value: pos });
                inner = None;
                continue;
            }
            [b'*', ..] => {
                at += 1;
                inner = Some(Star { pattern: at, value: pos });
                continue;
            }
            [] if pos == value.len() => return Some(true),
            _ => {
                if let Some(byte) = value.get(pos)
                    && let Some(width) = one(rest, slashed(*byte), fold)
                {
                    at += width;
                    pos += 1;
                    continue;
                }
            }
        }
        if let Some(star) = inner.as_mut()
            && value.get(star.value).is_some_and(|byte| slashed(*byte) != b'/')
        {
            star.value += 1;
            (at, pos) = (star.pattern, star.value);
        } else if let Some(star) = outer.as_mut()
            && star.value < value.len()
        {
            star.value += 1;
            let tail = pattern.get(star.pattern..).unwrap_or(&[]);
            let skipped = before_literal(tail, value.get(star.value..).unwrap_or(&[]), fold);
            let Some(skipped) = skipped else {
                return Some(false);
            };
            star.value += skipped;
            *steps = steps.saturating_sub(u32::try_from(skipped / 8).unwrap_or(u32::MAX));
            (at, pos) = (star.pattern, star.value);
            inner = None;
        } else {
            return Some(false);
        }
    }
}

/// How many bytes of `value` stand before the first that `pattern` can start with; `None` if none
/// can. 0 where the pattern starts with a wildcard.
fn before_literal(pattern: &[u8], value: &[u8], fold: bool) -> Option<usize> {
    match pattern {
        [] | [b'*' | b'?' | b'[', ..] => Some(0),
        [first, ..] => {
            let first = slashed(*first);
            value.iter().position(|byte| same(first, slashed(*byte), fold))
        }
    }
}

/// Matches one value byte against the start of `pattern`: the pattern bytes used, or `None`.
fn one(pattern: &[u8], byte: u8, fold: bool) -> Option<usize> {
    match pattern {
        [b'?', ..] => (byte != b'/').then_some(1),
        [b'[', class @ ..] => {
            let Some(len) = class_len(class) else {
                return (byte == b'[').then_some(1);
            };
            let inside = class.get(..len)?;
            (byte != b'/' && in_class(inside, byte, fold)).then_some(len + 2)
        }
        [literal, ..] => same(slashed(*literal), byte, fold).then_some(1),
        [] => None,
    }
}

/// Length of a class without its brackets; `None` if it is not closed.
#[must_use]
pub fn class_len(class: &[u8]) -> Option<usize> {
    let negation = usize::from(matches!(class.first(), Some(b'^' | b'!')));
    let first = negation + 1;
    let close = class.get(first..)?.iter().position(|byte| *byte == b']')?;
    Some(first + close)
}

/// Whether `byte` is in `class`; with `fold`, whether it is in either case.
fn in_class(class: &[u8], byte: u8, fold: bool) -> bool {
    let (negated, members) = match class {
        [b'^' | b'!', members @ ..] => (true, members),
        _ => (false, class),
    };
    let found = is_member(members, byte)
        || fold
            && (is_member(members, byte.to_ascii_lowercase())
                || is_member(members, byte.to_ascii_uppercase()));
    found != negated
}

fn is_member(mut members: &[u8], byte: u8) -> bool {
    loop {
        match members {
            [from, b'-', to, tail @ ..] => {
                if (*from..=*to).contains(&byte) {
                    return true;
                }
                members = tail;
            }
            [member, tail @ ..] => {
                if *member == byte {
                    return true;
                }
                members = tail;
            }
            [] => return false,
        }
    }
}

const fn slashed(byte: u8) -> u8 {
    if byte == b'\\' { b'/' } else { byte }
}

const fn same(left: u8, right: u8, fold: bool) -> bool {
    if fold { left.eq_ignore_ascii_case(&right) } else { left == right }
}

/// Whether `value` starts with `prefix`, backslashes as slashes.
fn starts_with(value: &[u8], prefix: &[u8], fold: bool) -> bool {
    value.len() >= prefix.len()
        && value.iter().zip(prefix).all(|(left, right)| same(slashed(*left), slashed(*right), fold))
}

/// The bytes of `pattern` before its first wildcard; `None` if `value` does not start with them.
fn literal_start(pattern: &[u8], value: &[u8], fold: bool) -> Option<usize> {
    let mut len = 0;
    for byte in pattern.iter().take_while(|byte| !matches!(byte, b'*' | b'?' | b'[')) {
        value.get(len).filter(|other| same(slashed(*byte), slashed(**other), fold))?;
        len += 1;
    }
    Some(len)
}

/// What stands behind the last wildcard of `pattern`: every value that fits ends with it.
fn literal_end(pattern: &[u8]) -> &[u8] {
    let wild = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b']');
    let start = pattern.iter().rposition(wild).map_or(0, |at| at.saturating_add(1));
    pattern.get(start..).unwrap_or(&[])
}

/// Whether `value` ends with `end`, backslashes as slashes.
fn ends_with(value: &[u8], end: &[u8], fold: bool) -> bool {
    let at = value.len().checked_sub(end.len());
    at.is_some_and(|at| starts_with(value.get(at..).unwrap_or(&[]), end, fold))
}

/// Where `needle` first occurs in `value`, backslashes as slashes.
#[must_use]
pub fn find(value: &[u8], needle: &[u8], fold: bool) -> Option<usize> {
    let Some(first) = needle.first() else {
        return Some(0);
    };
    let first = slashed(*first);
    let last = value.len().checked_sub(needle.len())?;
    // What stands where the needle would end says how far it cannot begin.
    let held = needle.iter().fold(0, |held, byte| held | sketched(slashed(*byte)));
    let mut at = 0;
    while at <= last {
        let end = at + (needle.len() - 1);
        if value.get(end).is_some_and(|byte| sketched(slashed(*byte)) & held == 0) {
            at = end + 1;
            continue;
        }
        if value.get(at).is_some_and(|byte| same(slashed(*byte), first, fold))
            && starts_with(value.get(at..).unwrap_or(&[]), needle, fold)
        {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// One of 32 bits for a byte, the same in either case.
const fn sketched(byte: u8) -> u32 {
    1 << (byte & 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_in_either_case() {
        let cases: &[(&str, &str, bool, bool)] = &[
            ("[a-c]", "B", false, true),
            ("[A-C]", "b", false, true),
            // Between the cases: folding both ends would turn the range round.
            ("[Z-a]", "_", true, true),
            ("[Z-a]", "Z", true, true),
            ("[P-c]", "T", true, true),
            ("[!a]", "A", true, false),
            ("[!a]", "b", true, true),
        ];
        for (pattern, value, exact, folded) in cases {
            let matches = |fold| path(pattern.as_bytes(), value.as_bytes(), fold);
            let seen = (matches(false), matches(true));
            assert_eq!(seen, (Some(*exact), Some(*folded)), "{pattern} {value}");
        }
    }

    #[test]
    fn command_globs() {
        let cases: &[(&str, &str, bool)] = &[
            ("", "x", false),
            ("*", "", true),
            ("*", "a b/c", true),
            ("rm -rf *", "rm -rf /", true),
            ("rm -rf *", "rm -r /", false),
            ("git *", "git push origin/main", true),
            ("git *", "git", false),
            ("git", "git", true),
            ("git", "git ", false),
            // Ends with a star: what stands before it is literal, inner stars too.
            ("a * b*", "a * bcd", true),
            ("a * b*", "a x bcd", true),
            ("a * b*", "a x/y bcd", false),
            // Starts with a star: pieces in order, the end open.
            ("*foo", "a foobar", true),
            ("*foo*bar", "a foo x/y bar z", true),
            ("*foo*bar", "bar foo", false),
            // A single star stays inside a segment.
            ("curl * | bash", "curl x | bash", true),
            ("curl * | bash", "curl http://x/y | bash", false),
            ("curl ** | bash", "curl http://x/y | bash", true),
            ("**rm -rf**", "sudo rm -rf /a/b", true),
            ("C:\\x *", "C:/x y", true),
            ("l[sd] ?", "ls a", true),
            ("l[^sd] ?", "ls a", false),
            ("l[", "l[", true),
        ];
        for (pattern, value, want) in cases {
            let got = command(pattern.as_bytes(), value.as_bytes(), false);
            assert_eq!(got, Some(*want), "{pattern} on {value}");
        }
    }

    #[test]
    fn path_globs() {
        let cases: &[(&str, &str, bool)] = &[
            ("/etc/*", "/etc/passwd", true),
            ("/etc/*", "/etc/ssh/x", false),
            ("/etc/**", "/etc/ssh/x", true),
            ("/etc/**", "/etc", false),
            ("**/.env", ".env", true),
            ("**/.env", "/a/b/.env", true),
            ("**/.env", "/a/b.env", false),
            ("**/.ssh/**", "/home/u/.ssh/id_rsa", true),
            ("**/.ssh/**", ".ssh/id_rsa", true),
            ("/home/*/.ssh/id_*", "/home/u/.ssh/id_rsa", true),
            ("/home/*/.ssh/id_*", "/home/u/v/.ssh/id_rsa", false),
            ("**a*b**c", "xa/ab/zc", true),
            ("**a*b**c", "xa/b/zc", false),
            ("/dev/sd[a-z]", "/dev/sdb", true),
            ("/dev/sd[a-z]", "/dev/sd1", false),
            ("*", "a", true),
            ("*", "a/b", false),
            ("?", "/", false),
        ];
        for (pattern, value, want) in cases {
            let got = path(pattern.as_bytes(), value.as_bytes(), false);
            assert_eq!(got, Some(*want), "{pattern} on {value}");
        }
    }

    #[test]
    fn folding_is_asked_for() {
        assert_eq!(command(b"RM *", b"rm x", true), Some(true));
        assert_eq!(command(b"RM *", b"rm x", false), Some(false));
        assert_eq!(path(b"/[A-C]", b"/b", true), Some(true));
        assert_eq!(find(b"DROP Table", b"drop table", true), Some(0));
    }

    #[test]
    fn hostile_patterns_end() {
        let value = std::vec![b'a'; 100_000];
        let pattern = b"**a*a*a*a*a*b**a*a*a*[b]";
        assert_eq!(path(pattern, &value, false), None, "too many steps is said, not hidden");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(pattern in proptest::collection::vec(0u8..128, 0..40),
                        value in proptest::collection::vec(0u8..128, 0..60), fold: bool) {
            let _ = command(&pattern, &value, fold);
            let _ = path(&pattern, &value, fold);
        }

        #[test]
        fn what_is_there_is_found(head in "[abC/\\\\]{0,9}", needle in "[abC/\\\\]{1,5}", fold: bool) {
            let value = head.clone() + &needle + &head;
            let slow = (0..=head.len()).find(|at| {
                starts_with(&value.as_bytes()[*at..], needle.as_bytes(), fold)
            });
            proptest::prop_assert_eq!(find(value.as_bytes(), needle.as_bytes(), fold), slow);
        }

        #[test]
        fn a_literal_matches_itself(value in "[a-z /.-]{1,30}") {
            proptest::prop_assert_eq!(command(value.as_bytes(), value.as_bytes(), false), Some(true));
        }
    }
}
