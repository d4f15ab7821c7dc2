//! The paths of a verdict, made clean and resolved at most once each. Many rules look at the same
//! operand, and resolving it costs whoever answers several system calls.

use crate::path::clean;
use crate::request::Cwd;
use crate::world::{Answer, World};

/// How many paths are remembered at a time; a command with more forgets and asks again.
const KEPT: usize = 16;

/// So many directories above a path that does not exist are looked for. What lies deeper is not known.
const ABOVE: usize = 64;

/// A piece of the memory.
#[derive(Clone, Copy, Default)]
struct Piece {
    start: usize,
    len: usize,
}

impl Piece {
    fn of<'m>(&self, memory: &'m [u8]) -> &'m [u8] {
        let end = self.start.saturating_add(self.len);
        memory.get(self.start..end).unwrap_or(&[])
    }
}

/// Where a path leads.
#[derive(Clone, Copy, Default)]
enum Real {
    #[default]
    NotAsked,
    /// Nowhere, or where it says.
    AsSpelled,
    Elsewhere(Piece),
    Unavailable,
}

/// One path. The text and the directory are known by where they lie: both outlive the verdict.
#[derive(Clone, Copy, Default)]
struct Known {
    key: [usize; 4],
    lexical: Piece,
    real: Real,
}

/// The paths of a verdict, in the caller's memory.
pub struct Spellings<'j> {
    memory: &'j mut [u8],
    used: usize,
    known: [Known; KEPT],
    count: usize,
    /// The caller's working directory.
    cwd: Cwd<'j>,
}

impl<'j> Spellings<'j> {
    /// No paths yet, of a caller in `cwd`.
    pub fn new(memory: &'j mut [u8], cwd: Cwd<'j>) -> Self {
        Self { memory, used: 0, known: [Known::default(); KEPT], count: 0, cwd }
    }

    /// Remembers `path`, relative to `base`; answers where, or `None` if the memory is too small
    /// or the result would not be absolute.
    pub fn remember(&mut self, base: &[u8], path: &[u8]) -> Option<usize> {
        let key = [path.as_ptr().addr(), path.len(), base.as_ptr().addr(), base.len()];
        let known = self.known.get(..self.count).unwrap_or(&[]);
        let [start, ..] = key;
        let same = |known: &Known| known.key.first() == Some(&start) && known.key == key;
        if let Some(at) = known.iter().position(same) {
            return Some(at);
        }
        if self.count == KEPT {
            self.forget();
        }
        self.add(key, base, path).or_else(|| {
            self.forget();
            self.add(key, base, path)
        })
    }

    /// Forgets every path, so that one that lies elsewhere by now is not taken for another.
    pub const fn forget(&mut self) {
        (self.used, self.count) = (0, 0);
    }

    fn add(&mut self, key: [usize; 4], base: &[u8], path: &[u8]) -> Option<usize> {
        let len = clean(base, path, self.memory.get_mut(self.used..)?)?.len();
        let at = self.count;
        let lexical = Piece { start: self.used, len };
        *self.known.get_mut(at)? = Known { key, lexical, real: Real::NotAsked };
        self.count = at.saturating_add(1);
        self.used = self.used.saturating_add(len);
        Some(at)
    }

    /// The path at `at` as it is spelled, absolute and clean.
    pub fn lexical(&self, at: usize) -> &[u8] {
        self.known.get(at).map_or(&[], |known| known.lexical.of(self.memory))
    }

    /// Where the path at `at` leads: a value if that is elsewhere, `Absent` if not.
    pub fn real(&mut self, at: usize, world: &dyn World) -> Answer<&[u8]> {
        let Some(known) = self.known.get_mut(at) else {
            return Answer::Unavailable;
        };
        if matches!(known.real, Real::NotAsked) {
            let (before, room) =
                self.memory.split_at_mut_checked(self.used).unwrap_or((&mut [], &mut []));
            let lexical = known.lexical.of(before);
            let start = room.as_ptr().addr();
            let found = match world.resolve(lexical, room) {
                Answer::Value(real) => Answer::Value((real.as_ptr().addr(), real.len())),
                Answer::Absent => new_file(lexical, real_directory(self.cwd, world), (world, room)),
                Answer::Unavailable => Answer::Unavailable,
            };
            known.real = match found {
                Answer::Value((at, len)) => {
                    let offset = at.saturating_sub(start);
                    let end = offset.saturating_add(len);
                    match room.get(offset..end).is_some_and(|real| real == lexical) {
                        true => Real::AsSpelled,
                        false => {
                            let start = self.used.saturating_add(offset);
                            Real::Elsewhere(Piece { start, len })
                        }
                    }
                }
                Answer::Absent => Real::AsSpelled,
                Answer::Unavailable => Real::Unavailable,
            };
            if let Real::Elsewhere(piece) = known.real {
                self.used = piece.start.saturating_add(piece.len);
            }
        }
        match known.real {
            Real::Elsewhere(piece) => Answer::Value(piece.of(self.memory)),
            Real::AsSpelled => Answer::Absent,
            Real::NotAsked | Real::Unavailable => Answer::Unavailable,
        }
    }
}

/// The caller's working directory `cwd`, if it is known to be none of the names that lead elsewhere; else nothing.
fn real_directory<'w>(cwd: Cwd<'w>, world: &'w dyn World) -> &'w [u8] {
    match cwd {
        Cwd::Unknown => b"",
        _ if !world.has_real_directory() => b"",
        _ => match cwd.known_to(world) {
            Cwd::Known(path) => path,
            Cwd::Unknown | Cwd::OnDemand => b"",
        },
    }
}

/// Where a file would lie that is made by the name of `lexical`, which does not exist: a directory above it may be
/// a link. The address and length of its path in `room`; `Absent` if it would lie where it says.
fn new_file(
    lexical: &[u8],
    cwd: &[u8],
    (world, room): (&dyn World, &mut [u8]),
) -> Answer<(usize, usize)> {
    let mut above = lexical;
    for _ in 0..ABOVE {
        let Some(end) = above.iter().rposition(|byte| *byte == b'/') else {
            return Answer::Absent;
        };
        above = above.get(..end).unwrap_or_default();
        // These are no links.
        if above.is_empty() || above == cwd {
            return Answer::Absent;
        }
        let (at, len) = match world.resolve(above, room) {
            Answer::Value(real) if real == above => return Answer::Absent,
            Answer::Value(real) => (real.as_ptr().addr(), real.len()),
            Answer::Absent => continue,
            Answer::Unavailable => return Answer::Unavailable,
        };
        let rest = lexical.get(end..).unwrap_or_default();
        let start = at.saturating_sub(room.as_ptr().addr());
        // The root directory ends with the slash that the rest begins with.
        let len = if room.get(start..).is_some_and(|real| len == 1 && real.starts_with(b"/")) {
            0
        } else {
            len
        };
        let from = start.saturating_add(len);
        let Some(place) = room.get_mut(from..from.saturating_add(rest.len())) else {
            return Answer::Unavailable;
        };
        place.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        return Answer::Value((at, len.saturating_add(rest.len())));
    }
    Answer::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// `/l` and what is below it leads to `/etc`; counts how often it is asked.
    struct Link(Cell<u32>);

    impl World for Link {
        fn has_real_directory(&self) -> bool {
            true
        }
        fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
            self.0.set(self.0.get() + 1);
            let Some(rest) = path.strip_prefix(b"/l") else {
                return Answer::Absent;
            };
            let real = [b"/etc", rest].concat();
            let Some(out) = out.get_mut(1..=real.len()) else {
                return Answer::Unavailable;
            };
            out.copy_from_slice(&real);
            Answer::Value(out)
        }
        fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
            Answer::Absent
        }
    }

    #[test]
    fn each_path_is_resolved_once() {
        let (world, base) = (Link(Cell::new(0)), b"/w");
        let paths: [&[u8]; 3] = [b"/l/a", b"b", b"../l"];
        let mut memory = [0; 256];
        let mut spellings = Spellings::new(&mut memory, Cwd::Known(b"/w"));
        for _ in 0..3 {
            for (path, lexical, real) in [
                (paths[0], &b"/l/a"[..], Answer::Value(&b"/etc/a"[..])),
                (paths[1], b"/w/b", Answer::Absent),
                (paths[2], b"/l", Answer::Value(b"/etc")),
            ] {
                let at = spellings.remember(base, path).unwrap();
                assert_eq!(spellings.lexical(at), lexical);
                assert_eq!(spellings.real(at, &world), real);
            }
        }
        assert_eq!(world.0.get(), 3);
    }

    /// `/w/l` leads to `/etc`, and `/w/top` to `/`; there is nothing else but `/w` and `/w/d`.
    struct Made(Cell<u32>);

    impl World for Made {
        fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
            self.0.set(self.0.get() + 1);
            let real: &[u8] = match path {
                b"/w/l" => b"/etc",
                b"/w/top" => b"/",
                b"/w" | b"/w/d" => path,
                _ => return Answer::Absent,
            };
            let Some(out) = out.get_mut(1..=real.len()) else {
                return Answer::Unavailable;
            };
            out.copy_from_slice(real);
            Answer::Value(out)
        }
        fn has_real_directory(&self) -> bool {
            true
        }
        fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
            Answer::Absent
        }
    }

    #[test]
    fn what_does_not_exist_would_be_made_where_its_directory_leads() {
        let deep = [b"l/".as_slice(), &b"x/".repeat(ABOVE + 1)].concat();
        for (path, real, asked) in [
            (b"new".as_slice(), Answer::Absent, 1),
            (b"d/new", Answer::Absent, 2),
            (b"l/new", Answer::Value(b"/etc/new".as_slice()), 2),
            (b"l/a/b/new", Answer::Value(b"/etc/a/b/new"), 4),
            (b"top/new", Answer::Value(b"/new"), 2),
            (b"none/new", Answer::Absent, 2),
            (b"/new", Answer::Absent, 1),
            (b"/none/new", Answer::Absent, 2),
            (&deep, Answer::Unavailable, ABOVE as u32 + 1),
        ] {
            let world = Made(Cell::new(0));
            let mut memory = [0; 1024];
            let mut spellings = Spellings::new(&mut memory, Cwd::Known(b"/w"));
            for _ in 0..2 {
                let at = spellings.remember(b"/w", path).unwrap();
                assert_eq!(spellings.real(at, &world), real, "{path:?}");
            }
            assert_eq!(world.0.get(), asked, "{path:?}");
        }
        // Without room it is not known.
        let mut memory = [0; 20];
        let mut spellings = Spellings::new(&mut memory, Cwd::Known(b"/w"));
        let at = spellings.remember(b"/w", b"l/a/b/new").unwrap();
        assert_eq!(spellings.real(at, &Made(Cell::new(0))), Answer::Unavailable);
    }

    #[test]
    fn more_paths_than_fit_are_asked_again_and_stay_right() {
        let world = Link(Cell::new(0));
        let names: std::vec::Vec<_> = (0..100).map(|n| std::format!("/l/{n}")).collect();
        let mut memory = [0; 64];
        let mut spellings = Spellings::new(&mut memory, Cwd::Known(b"/w"));
        for name in names.iter().chain(&names) {
            let at = spellings.remember(b"/", name.as_bytes()).unwrap();
            assert_eq!(spellings.lexical(at), name.as_bytes());
            let real = name.replacen("/l", "/etc", 1);
            // Little memory may leave no room to resolve in; it never gives another path.
            match spellings.real(at, &world) {
                Answer::Value(found) => assert_eq!(found, real.as_bytes()),
                other => assert_eq!(other, Answer::Unavailable),
            }
        }
        assert!(world.0.get() > 100, "forgotten paths are asked again");
        assert!(Spellings::new(&mut [0; 3], Cwd::Unknown).remember(b"/", b"/abc").is_none());
    }
}
