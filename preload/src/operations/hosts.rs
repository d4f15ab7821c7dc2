//! Which name led to which address: what `getaddrinfo(3)` answered, so that a rule on domains holds
//! for a connection. A table of a fixed size; the oldest entry goes.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Addresses that are remembered. A power of two.
const SLOTS: usize = 128;

/// Words of a name: 64 bytes with its length. Longer names are not remembered.
const WORDS: usize = 8;

/// Longest name, in bytes.
pub const LONGEST: usize = WORDS * 8 - 1;

/// An address and its name. `turn` is odd while it is being written.
struct Slot {
    turn: AtomicU32,
    address: [AtomicU64; 2],
    name: [AtomicU64; WORDS],
}

/// The table. All zeros is an empty one.
pub struct Hosts {
    next: AtomicU32,
    slots: [Slot; SLOTS],
}

/// An address as it is compared: IPv4 mapped into IPv6 (RFC 4291).
pub type Address = [u64; 2];

impl Hosts {
    /// Notes that `name` led to `address`.
    pub fn note(&self, address: Address, name: &[u8]) {
        if name.is_empty() || name.len() > LONGEST {
            return;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed) as usize & (SLOTS - 1);
        let Some(slot) = self.slots.get(index) else {
            return;
        };
        let turn = slot.turn.load(Ordering::Relaxed);
        if turn & 1 != 0 {
            return;
        }
        let odd = turn.wrapping_add(1);
        if slot.turn.compare_exchange(turn, odd, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        let mut bytes = [0; WORDS * 8];
        bytes.iter_mut().skip(1).zip(name).for_each(|(to, from)| *to = *from);
        if let Some(first) = bytes.first_mut() {
            *first = name.len() as u8;
        }
        for (to, from) in slot.address.iter().zip(address) {
            to.store(from, Ordering::Relaxed);
        }
        let (words, _) = bytes.as_chunks::<8>();
        for (to, from) in slot.name.iter().zip(words) {
            to.store(u64::from_ne_bytes(*from), Ordering::Relaxed);
        }
        slot.turn.store(odd.wrapping_add(1), Ordering::Release);
    }

    /// The name that last led to `address`.
    pub fn name<'b>(&self, address: Address, out: &'b mut [u8; WORDS * 8]) -> Option<&'b [u8]> {
        let last = self.next.load(Ordering::Relaxed) as usize;
        for back in 1..=SLOTS {
            let slot = self.slots.get(last.wrapping_sub(back) & (SLOTS - 1))?;
            let turn = slot.turn.load(Ordering::Acquire);
            let is_it = slot
                .address
                .iter()
                .zip(address)
                .all(|(known, sought)| known.load(Ordering::Relaxed) == sought);
            if turn == 0 || turn & 1 != 0 || !is_it {
                continue;
            }
            let (words, _) = out.as_chunks_mut::<8>();
            for (to, from) in words.iter_mut().zip(&slot.name) {
                *to = from.load(Ordering::Relaxed).to_ne_bytes();
            }
            if slot.turn.load(Ordering::Acquire) == turn {
                let len = usize::from(*out.first()?);
                return out.get(1..len.saturating_add(1));
            }
        }
        None
    }
}
