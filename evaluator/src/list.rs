//! Lists of words as one text: a table of texts has pointers in it, and each would be relocated in every
//! process that loads the library.

/// Bytes of the longest name in [`Names`].
const LONGEST: usize = 16;

/// Names of at most 16 bytes as numbers in order, for lists that every command is compared with.
pub struct Names<const N: usize>([u128; N]);

/// How many words `list` has, which stand apart by single blanks.
#[allow(
    clippy::indexing_slicing,
    reason = "runs only when this is compiled: out of range is an error there"
)]
pub const fn count(list: &str) -> usize {
    let (list, mut at, mut words) = (list.as_bytes(), 0, 1);
    while at < list.len() {
        words += (list[at] == b' ') as usize;
        at += 1;
    }
    words
}

impl<const N: usize> Names<N> {
    /// The `N` words of `list`, which stand apart by single blanks.
    #[allow(
        clippy::indexing_slicing,
        reason = "runs only when this is compiled: out of range is an error there"
    )]
    pub const fn of(list: &str) -> Self {
        let list = list.as_bytes();
        let mut names = [0; N];
        let (mut at, mut name, mut len) = (0, 0, 0);
        while at < list.len() {
            if list[at] == b' ' {
                (name, len) = (name + 1, 0);
            } else {
                assert!(len < LONGEST, "a name is too long");
                names[name] |= (list[at] as u128) << (8 * len);
                len += 1;
            }
            at += 1;
        }
        assert!(name + 1 == N && len > 0, "another number of names");
        let mut end = 1;
        while end < N {
            let mut at = end;
            while at > 0 && names[at - 1] > names[at] {
                names.swap(at - 1, at);
                at -= 1;
            }
            end += 1;
        }
        Self(names)
    }

    /// Whether `name` is one of them.
    pub fn has(&self, name: &[u8]) -> bool {
        let mut padded = [0; LONGEST];
        let Some(room) = padded.get_mut(..name.len()) else {
            return false;
        };
        room.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        let wanted = u128::from_le_bytes(padded);
        // No name has a NUL, so none is the start of another one here.
        !name.is_empty() && !name.contains(&0) && self.0.binary_search(&wanted).is_ok()
    }
}

/// Whether `name` is one of the words of `list`, which stand apart by blanks.
pub fn is_listed(list: &[u8], name: &[u8]) -> bool {
    !name.is_empty() && list.split(|byte| *byte == b' ').any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: Names<3> = Names::of("cp sha256sum .");

    #[test]
    fn names_are_compared_whole() {
        for (name, want) in [
            ("cp", true),
            ("sha256sum", true),
            (".", true),
            ("", false),
            ("c", false),
            ("cp\0", false),
            ("cpp", false),
            ("sha256sum-of-a-long-name", false),
        ] {
            assert_eq!(THREE.has(name.as_bytes()), want, "{name:?}");
        }
    }
}
