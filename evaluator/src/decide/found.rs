//! The rules that hold for some command, sorted by layer and rule.

use crate::verdict::RuleMatch;

/// Why no verdict of the policy could be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An image refers outside itself or holds a code that no version wrote.
    Corrupt,
    /// The caller's scratch memory is too small.
    NoMemory,
    /// The call is so made that its rules take more tests than its size is worth.
    TooComplex,
}

/// A sorted table in the caller's memory. It stays short: only rules that hold are in it.
pub struct Found<'s> {
    table: &'s mut [RuleMatch],
    len: usize,
}

impl<'s> Found<'s> {
    /// An empty table in `table`.
    pub const fn new(table: &'s mut [RuleMatch]) -> Self {
        Self { table, len: 0 }
    }

    /// Adds `hit.hits` to its rule's count, once for each command; the first that hit is kept. A
    /// hit that is not sure has none.
    /// Commands come in order.
    pub fn add(&mut self, hit: RuleMatch) -> Result<(), Fault> {
        let used = self.table.get(..self.len).unwrap_or(&[]);
        let key = |found: &RuleMatch| (found.image, found.rule);
        match used.binary_search_by_key(&key(&hit), key) {
            Ok(at) => {
                if let Some(known) = self.table.get_mut(at)
                    && (known.last != hit.last || known.hits == 0)
                {
                    known.hits = known.hits.saturating_add(hit.hits);
                    known.last = hit.last;
                }
            }
            Err(at) => {
                let room = self.table.get_mut(at..=self.len).ok_or(Fault::NoMemory)?;
                // `rotate_right` would bring a panic path into the library.
                let mut carried = hit;
                for slot in room {
                    core::mem::swap(slot, &mut carried);
                }
                self.len = self.len.saturating_add(1);
            }
        }
        Ok(())
    }

    /// The rules found.
    pub fn into_matches(self) -> &'s [RuleMatch] {
        self.table.get(..self.len).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_sorted_and_counted() {
        let hit = |rule, command| RuleMatch {
            rule,
            command,
            hits: 1,
            last: command,
            ..RuleMatch::default()
        };
        let mut table = [RuleMatch::default(); 3];
        let mut found = Found::new(&mut table);
        for (rule, command) in [(5, 1), (2, 1), (5, 3), (5, 3), (9, 4)] {
            found.add(hit(rule, command)).unwrap();
        }
        assert_eq!(found.add(hit(7, 0)), Err(Fault::NoMemory));
        let got: std::vec::Vec<_> =
            found.into_matches().iter().map(|m| (m.rule, m.command, m.hits)).collect();
        assert_eq!(got, [(2, 1, 1), (5, 1, 2), (9, 4, 1)]);
    }
}
