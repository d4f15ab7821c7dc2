//! The paths of a verdict, made clean and resolved at most once each. Many rules look at the same
//! operand, and resolving it costs whoever answers several system calls.

use crate::path::clean;
use crate::world::{Answer, World};

/// How many paths are remembered at a time; a command with more forgets and asks again.
const KEPT: usize = 16;

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
}

impl<'j> Spellings<'j> {
    /// No paths yet.
    pub fn new(memory: &'j mut [u8]) -> Self {
        Self { memory, used: 0, known: [Known::default(); KEPT], count: 0 }
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
            known.real = match world.resolve(lexical, room) {
                Answer::Value(real) if real != lexical => {
                    let offset = real.as_ptr().addr().saturating_sub(start);
                    let start = self.used.saturating_add(offset);
                    Real::Elsewhere(Piece { start, len: real.len() })
                }
                Answer::Value(_) | Answer::Absent => Real::AsSpelled,
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

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// `/l` and what is below it leads to `/etc`; counts how often it is asked.
    struct Link(Cell<u32>);

    impl World for Link {
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
        let mut spellings = Spellings::new(&mut memory);
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

    #[test]
    fn more_paths_than_fit_are_asked_again_and_stay_right() {
        let world = Link(Cell::new(0));
        let names: std::vec::Vec<_> = (0..100).map(|n| std::format!("/l/{n}")).collect();
        let mut memory = [0; 64];
        let mut spellings = Spellings::new(&mut memory);
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
        assert!(Spellings::new(&mut [0; 3]).remember(b"/", b"/abc").is_none());
    }
}
