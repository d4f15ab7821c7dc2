//! What a path pattern is compared with: a whole path, what stands behind somebody's home (`~`), or
//! what stands behind the working directory (relative patterns).

use crate::request::Cwd;

/// What a pattern is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The whole text.
    Whole,
    /// A path behind somebody's home directory.
    Home,
    /// A path below the working directory.
    Below,
}

/// What stands before the slash of every path below `cwd`.
pub fn below(cwd: Cwd<'_>) -> Option<&[u8]> {
    match cwd {
        Cwd::Known(cwd) => cwd.strip_suffix(b"/").or(Some(cwd)),
        Cwd::Unknown | Cwd::OnDemand => None,
    }
}

/// What a path pattern is compared with, and its part that is.
pub fn view_of(pattern: &[u8]) -> (View, &[u8]) {
    match pattern {
        [b'~', tail @ ..] if matches!(tail, [] | [b'/', ..]) => (View::Home, tail),
        [b'/' | b'*' | b'?' | b'[', ..] => (View::Whole, pattern),
        _ => (View::Below, pattern),
    }
}

/// What stands behind the home directory of anybody in `path`.
pub fn anybody(path: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = path.strip_prefix(b"/root") {
        return matches!(rest, [] | [b'/', ..]).then_some(rest);
    }
    let rest = path.strip_prefix(b"/home/").or_else(|| path.strip_prefix(b"/Users/"))?;
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    rest.get(end..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes() {
        for (path, want) in [
            ("/root/.ssh", Some("/.ssh")),
            ("/rooted", None),
            ("/home/u", Some("")),
            ("/home/u/x", Some("/x")),
            ("/homes/u", None),
        ] {
            assert_eq!(anybody(path.as_bytes()), want.map(str::as_bytes), "{path}");
        }
    }
}
