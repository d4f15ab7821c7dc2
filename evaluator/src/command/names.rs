//! The memory of names: entries in the order in which they were added, and a chain through those
//! whose names have the same hash, so that a lookup costs the same whatever else was named.

use core::cell::Cell;

use super::Var;
use super::arena::Store;
use super::limits::Stop;
use super::vars::kind;

/// Number of chains: a power of two.
const CHAINS: usize = 64;

/// The low bits of [`Var::link`]: index + 1 of the entry before in the same chain. The chain is in
/// the bits above.
const INDEX_BITS: u32 = 26;

/// Entries with chains.
pub(super) struct Names<'s> {
    store: Store<'s, Var>,
    /// Index + 1 of the latest entry of each chain; 0 if there is none.
    heads: [u32; CHAINS],
    /// Entries that lookups went over since this was last asked for.
    walked: Cell<u32>,
    /// Changes with every change of the entries.
    version: u32,
    /// `1 << group` for each group that ever had an entry.
    groups: u32,
    /// Whether an entry was ever a reference to another name, and whether one was ever called `IFS`: every
    /// assignment and every expansion asks.
    references: bool,
    separators: bool,
}

impl<'s> Names<'s> {
    /// Uses `slice`.
    pub fn new(slice: &'s mut [Var]) -> Self {
        Self {
            store: Store::new(slice, 0),
            heads: [0; CHAINS],
            walked: Cell::new(0),
            version: 1,
            groups: 0,
            references: false,
            separators: false,
        }
    }

    /// How many entries lookups went over since this was last asked: they have to be paid for.
    pub fn take_walked(&self) -> u32 {
        self.walked.take()
    }

    /// A number that changes with every change of the entries, and is never 0.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// The entry at `index`.
    pub fn get(&self, index: usize) -> Option<Var> {
        self.store.get(index)
    }

    /// The entry at `index`, to be changed in place; its name has to stay.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Var> {
        self.changes();
        self.store.get_mut(index)
    }

    /// Entries `start .. start + len`.
    pub fn run(&self, start: usize, len: usize) -> &[Var] {
        self.store.run(start, len)
    }

    /// Adds an entry of the group `group` (what else is looked up by the same name) called `name`.
    pub fn push(&mut self, group: u32, name: &[u8], entry: Var) -> Result<(), Stop> {
        self.groups |= group_bit(group);
        self.references |= entry.scope & kind::REFERENCE != 0;
        self.separators |= name == b"IFS";
        self.link(chain(group, name), entry)
    }

    /// Whether there may be an entry of `group`: most texts define no function and no alias, but every
    /// command may be one.
    pub fn has(&self, group: u32) -> bool {
        self.groups & group_bit(group) != 0
    }

    /// Whether some entry may be a reference to another name.
    pub fn has_references(&self) -> bool {
        self.references
    }

    /// Whether some entry may be called `IFS`.
    pub fn has_separators(&self) -> bool {
        self.separators
    }

    /// The work of a verdict ends long before the numbers do.
    fn changes(&mut self) {
        self.version = self.version.saturating_add(1);
    }

    fn link(&mut self, chain: usize, entry: Var) -> Result<(), Stop> {
        self.changes();
        let head = self.heads.get_mut(chain).ok_or(Stop::Limit)?;
        let link = (chain as u32) << INDEX_BITS | *head;
        let index = self.store.push(Var { link, ..entry })?.saturating_add(1);
        if index >> INDEX_BITS != 0 {
            return Err(Stop::Limit);
        }
        *head = index as u32;
        Ok(())
    }

    /// Forgets the entries from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.changes();
        for index in (len..self.store.len()).rev() {
            let entry = self.store.get(index).unwrap_or_default();
            if let Some(head) = self.heads.get_mut((entry.link >> INDEX_BITS) as usize) {
                *head = entry.link & ((1 << INDEX_BITS) - 1);
            }
        }
        self.store.truncate(len);
    }

    /// Forgets the entries from `len` on, but for those that `keep` accepts.
    pub fn retain(&mut self, len: usize, keep: impl Fn(&Var) -> bool) {
        let end = self.store.len();
        self.truncate(len);
        for index in len..end {
            // What was forgotten lies where it lay until something is added there.
            let entry = self.store.get(index).unwrap_or_default();
            if keep(&entry) {
                let chain = (entry.link >> INDEX_BITS) as usize;
                let _ = self.link(chain, entry);
            }
        }
    }

    /// Indices and entries of the chain that `name` of `group` is in, the latest first.
    pub fn chain(&self, group: u32, name: &[u8]) -> impl Iterator<Item = (usize, Var)> + '_ {
        let head = if self.has(group) { self.heads.get(chain(group, name)) } else { None };
        self.from(head.copied().unwrap_or(0))
    }

    /// The entries in the chain of `entry` that are older.
    pub fn older(&self, entry: Var) -> impl Iterator<Item = (usize, Var)> + '_ {
        self.from(entry.link & ((1 << INDEX_BITS) - 1))
    }

    fn from(&self, link: u32) -> impl Iterator<Item = (usize, Var)> + '_ {
        let at = move |link: u32| {
            let index = (link as usize).checked_sub(1)?;
            self.walked.set(self.walked.get().saturating_add(1));
            Some((index, self.store.get(index)?))
        };
        core::iter::successors(at(link), move |(_, entry)| at(entry.link & ((1 << INDEX_BITS) - 1)))
    }
}

const fn group_bit(group: u32) -> u32 {
    1 << (group & 31)
}

/// The chain of `name`: FNV-1a, mixed once more for the sake of short names.
fn chain(group: u32, name: &[u8]) -> usize {
    let seed = 0x811c_9dc5_u32 ^ group.wrapping_mul(0x9e37_79b9);
    let hash =
        name.iter().fold(seed, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let mixed = (hash ^ hash >> 15).wrapping_mul(0x85eb_ca6b);
    (mixed ^ mixed >> 13) as usize % CHAINS
}
