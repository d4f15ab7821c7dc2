//! Lexical path handling on bytes, as `path_resolution(7)` without looking at the file system.

/// Whether `path` is absolute and clean already, so that it can be taken as it is. The root itself
/// does not count: what is put behind it brings the slash.
#[must_use]
pub fn is_clean(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
        && path.last() != Some(&b'/')
        && !path.windows(2).any(|two| matches!(two, b"//" | b"/."))
}

/// The absolute, clean form of `path`: relative paths start at `cwd`, `//` and `.` vanish, `..`
/// takes away the component before it. `None` if `out` is too small or the result would not be
/// absolute.
#[must_use]
pub fn clean<'b>(cwd: &[u8], path: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut len = 0;
    let absolute = path.first() == Some(&b'/');
    let base: &[u8] = if absolute { b"/" } else { cwd };
    if base.first() != Some(&b'/') {
        return None;
    }
    let mut rest = base;
    if is_clean(base) {
        out.get_mut(..base.len())?.copy_from_slice(base);
        (len, rest) = (base.len(), b"");
        // A single name, as most are.
        if !matches!(path, [] | [b'.', ..]) && !path.contains(&b'/') {
            let end = len.checked_add(path.len())?.checked_add(1)?;
            let (slash, name) = out.get_mut(len..end)?.split_first_mut()?;
            *slash = b'/';
            name.iter_mut().zip(path).for_each(|(to, from)| *to = *from);
            return out.get(..end);
        }
    }
    for part in rest.split(|byte| *byte == b'/').chain(path.split(|byte| *byte == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => len = parent_len(out.get(..len)?),
            _ => {
                let end = len.checked_add(part.len())?.checked_add(1)?;
                let (slash, rest) = out.get_mut(len..end)?.split_first_mut()?;
                *slash = b'/';
                rest.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
                len = end;
            }
        }
    }
    if len == 0 {
        *out.first_mut()? = b'/';
        len = 1;
    }
    out.get(..len)
}

/// The clean form of a relative `path` that leads above where it starts: `../x` for `a/../../x`.
/// `None` if it does not lead there, or `out` is too small.
#[must_use]
pub fn clean_above<'b>(path: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    const UP: &[u8] = b"../";
    let (mut ups, mut len): (usize, usize) = (0, 0);
    let absolute = path.first() == Some(&b'/');
    for part in path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        // What was written so far is `../` as often as `ups` says, and clean names behind it.
        let base = ups.checked_mul(UP.len())?;
        let piece = if part != b".." {
            part
        } else if len > base {
            let names = out.get(base..len.saturating_sub(1))?;
            let last = names.iter().rposition(|byte| *byte == b'/');
            len = base.saturating_add(last.map_or(0, |slash| slash.saturating_add(1)));
            continue;
        } else {
            ups = ups.saturating_add(1);
            part
        };
        let end = len.checked_add(piece.len())?.checked_add(1)?;
        let room = out.get_mut(len..end)?;
        room.iter_mut().zip(piece.iter().chain(b"/")).for_each(|(to, from)| *to = *from);
        len = end;
    }
    out.get(..len.checked_sub(1)?).filter(|_| ups > 0 && !absolute)
}

/// Length of `path` without its last component.
fn parent_len(path: &[u8]) -> usize {
    path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)
}

/// The last component of `path`: what a program is called.
#[must_use]
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_above() {
        for (path, want) in [
            ("work/../../*", Some("../*")),
            ("a/../../b/../../c/d", Some("../../c/d")),
            ("..", Some("..")),
            (".//../x/", Some("../x")),
            ("../a/b/..", Some("../a")),
            ("work/../cache", None),
            ("a/..", None),
            ("", None),
            ("/a/../../b", None),
        ] {
            let mut out = [0; 64];
            assert_eq!(clean_above(path.as_bytes(), &mut out), want.map(str::as_bytes), "{path}");
            assert_eq!(clean_above(path.as_bytes(), &mut [0; 2]), None, "{path}");
        }
    }

    #[test]
    fn paths_are_cleaned_lexically() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("/w", "a", Some("/w/a")),
            ("/w", "./a//b/.", Some("/w/a/b")),
            ("/w", "../a", Some("/a")),
            ("/w", "../../..", Some("/")),
            ("/w", "/", Some("/")),
            ("/w", "//etc/../etc/./passwd", Some("/etc/passwd")),
            ("/w", "/tmp/..", Some("/")),
            ("/w", "", Some("/w")),
            ("/", "..", Some("/")),
            ("w", "a", None),
            ("w", "/a", Some("/a")),
        ];
        for (cwd, path, want) in cases {
            let mut out = [0; 64];
            let got = clean(cwd.as_bytes(), path.as_bytes(), &mut out);
            assert_eq!(got, want.map(str::as_bytes), "{cwd} + {path}");
        }
    }

    #[test]
    fn what_is_clean_stays_as_it_is() {
        for path in [
            "/a", "/a/b", "/a.b/c", "/a/b..", "/", "/a/", "//a", "/a//b", "/./a", "/a/..", "/a/.b",
            "a", "",
        ] {
            let mut out = [0; 64];
            let cleaned = clean(b"/", path.as_bytes(), &mut out);
            if is_clean(path.as_bytes()) {
                assert_eq!(cleaned, Some(path.as_bytes()), "{path}");
            }
        }
        assert!(is_clean(b"/a.b/c..") && !is_clean(b"/") && !is_clean(b"/a/"));
    }

    #[test]
    fn too_small_a_buffer_is_no_path() {
        assert_eq!(clean(b"/", b"/abc/def", &mut [0; 7]), None);
        assert_eq!(clean(b"/", b"/", &mut []), None);
    }

    #[test]
    fn file_names() {
        for (path, want) in [("/bin/rm", "rm"), ("rm", "rm"), ("a/", ""), ("", "")] {
            assert_eq!(file_name(path.as_bytes()), want.as_bytes());
        }
    }
}
