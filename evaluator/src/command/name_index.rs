//! An index over the names of a table of calls, made when this is compiled: where the line of a
//! name starts. Most names in code are in no table, and nearly all of these end at an empty slot.

/// Slots: a power of two, more than twice as many as any table has names.
const SLOTS: usize = 256;

/// A slot without a name.
const EMPTY: u16 = u16::MAX;

/// A hash table with linear probing.
pub(super) struct Index([u16; SLOTS]);

impl Index {
    /// Indexes the names that stand before the first `|` of each line of `table`.
    #[allow(
        clippy::indexing_slicing,
        reason = "runs only when this is compiled: out of range is an error there"
    )]
    pub const fn of(table: &str) -> Self {
        let table = table.as_bytes();
        assert!(table.len() < EMPTY as usize, "offsets are 16 bits wide");
        let mut slots = [EMPTY; SLOTS];
        let (mut at, mut line, mut count, mut hash) = (0, 0, 0, SEED);
        let mut names = true;
        while at < table.len() {
            let byte = table[at];
            if names && (byte == b' ' || byte == b'|') {
                let mut slot = hash as usize % SLOTS;
                while slots[slot] != EMPTY {
                    slot = (slot + 1) % SLOTS;
                }
                slots[slot] = line as u16;
                count += 1;
                hash = SEED;
            } else if names {
                hash = step(hash, byte);
            }
            names = (names && byte != b'|') || byte == b'\n';
            at += 1;
            if byte == b'\n' {
                (line, hash) = (at, SEED);
            }
        }
        assert!(count * 2 < SLOTS, "the index is too full: make it larger");
        Self(slots)
    }

    /// The lines of `table` that may be those of `name`, each from its start to the table's end.
    pub fn lines<'t>(
        &self,
        table: &'t [u8],
        name: &[u8],
    ) -> impl Iterator<Item = &'t [u8]> + use<'t, '_> {
        let start = name.iter().fold(SEED, |hash, byte| step(hash, *byte)) as usize;
        let slots = (0..SLOTS).map(move |step| start.wrapping_add(step) % SLOTS);
        slots
            .map(|slot| self.0.get(slot).copied().unwrap_or(EMPTY))
            .take_while(|line| *line != EMPTY)
            .filter_map(|line| table.get(line as usize..))
    }
}

const SEED: u32 = 0x811c_9dc5;

/// One step of FNV-1a.
const fn step(hash: u32, byte: u8) -> u32 {
    let hash = (hash ^ byte as u32).wrapping_mul(0x0100_0193);
    hash ^ (hash >> 15)
}
