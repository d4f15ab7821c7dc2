//! Most names in code are in no table. This says so without looking through the table.

/// The names of a table, as one bit each of 256.
pub(super) struct Filter([u64; 4]);

impl Filter {
    /// The names that stand before the first `|` of each line of `table`.
    pub const fn of(table: &str) -> Self {
        let mut bits = [0_u64; 4];
        let mut rest = table.as_bytes();
        let mut names = true;
        let mut hash = SEED;
        while let Some((byte, tail)) = rest.split_first() {
            if names && (*byte == b' ' || *byte == b'|') {
                let (low, high) = Self::place(hash);
                bits = Self::with(bits, low, high);
                hash = SEED;
            } else if names {
                hash = step(hash, *byte);
            }
            if *byte == b'|' {
                names = false;
            }
            if *byte == b'\n' {
                names = true;
                hash = SEED;
            }
            rest = tail;
        }
        Self(bits)
    }

    /// Which word, and which of its bits, stands for a hash.
    const fn place(hash: u32) -> (usize, u32) {
        ((hash & 3) as usize, (hash >> 2) & 63)
    }

    const fn with(bits: [u64; 4], word: usize, bit: u32) -> [u64; 4] {
        let [a, b, c, d] = bits;
        let mask = 1_u64 << bit;
        match word {
            0 => [a | mask, b, c, d],
            1 => [a, b | mask, c, d],
            2 => [a, b, c | mask, d],
            _ => [a, b, c, d | mask],
        }
    }

    /// Whether `name` may be one of them; a no is sure.
    pub fn may_hold(&self, name: &[u8]) -> bool {
        let hash = name.iter().fold(SEED, |hash, byte| step(hash, *byte));
        let (word, bit) = Self::place(hash);
        self.0.get(word).is_some_and(|bits| bits >> bit & 1 == 1)
    }
}

const SEED: u32 = 0x811c_9dc5;

/// One step of FNV-1a.
const fn step(hash: u32, byte: u8) -> u32 {
    let hash = (hash ^ byte as u32).wrapping_mul(0x0100_0193);
    hash ^ (hash >> 15)
}
