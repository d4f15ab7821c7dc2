//! The few facts of an ELF file that decide whether the loader will bring us into it (ELF gABI;
//! `elf(5)`): is there a loader at all, for this machine, and does AddressSanitizer insist on
//! coming first. Every offset is untrusted.

use crate::sys::Fd;

/// `e_machine` of this library.
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
/// `e_machine` of this library.
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

const CLASS_64: u8 = 2;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const DYNAMIC_ENTRY: usize = 16;

/// How many `DT_NEEDED` entries are looked at: compilers put the sanitizer's runtime first.
const NEEDED_LOOKED_AT: usize = 3;

/// What an ELF file is to us.
#[derive(Clone, Copy, Default)]
pub struct Facts {
    /// Of another class, byte order or machine.
    pub is_foreign: bool,
    /// Has no `PT_INTERP`.
    pub is_static: bool,
    /// Major version of the `libasan.so` it is linked to, 0 if none.
    pub asan: u8,
}

/// Whether `head` starts an ELF file.
pub fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

/// Reads the facts from `file`, whose first bytes are `head`.
pub fn look(file: &Fd, head: &[u8]) -> Facts {
    let is_ours = head.get(4) == Some(&CLASS_64) && number16(head, 18) == Some(MACHINE);
    if !is_ours {
        return Facts { is_foreign: true, ..Facts::default() };
    }
    // A file too broken to have program headers cannot be executed; saying "static" errs on the
    // side of being recorded.
    let Some(segments) = Segments::find(file, head) else {
        return Facts { is_static: true, ..Facts::default() };
    };
    Facts {
        is_foreign: false,
        is_static: segments.of_type(PT_INTERP).next().is_none(),
        asan: segments.asan(file).unwrap_or(0),
    }
}

/// The program headers, as far as they fit.
struct Segments {
    bytes: [u8; 16 * PROGRAM_HEADER],
    len: usize,
}

struct Segment {
    offset: u64,
    address: u64,
    size: u64,
}

impl Segments {
    fn find(file: &Fd, head: &[u8]) -> Option<Self> {
        let at = usize::try_from(number64(head, 32)?).ok()?;
        let count = usize::from(number16(head, 56)?).min(16);
        if usize::from(number16(head, 54)?) != PROGRAM_HEADER || at < HEADER {
            return None;
        }
        let mut bytes = [0; 16 * PROGRAM_HEADER];
        let len = count.checked_mul(PROGRAM_HEADER)?;
        let target = bytes.get_mut(..len)?;
        if let Some(known) = head.get(at..at.checked_add(len)?) {
            for (to, from) in target.iter_mut().zip(known) {
                *to = *from;
            }
        } else if file.read_at(target, at as u64) != Ok(len) {
            return None;
        }
        Some(Self { bytes, len })
    }

    fn of_type(&self, wanted: u32) -> impl Iterator<Item = Segment> + '_ {
        self.bytes
            .get(..self.len)
            .unwrap_or(&[])
            .chunks_exact(PROGRAM_HEADER)
            .filter(move |header| number32(header, 0) == Some(wanted))
            .filter_map(|header| {
                Some(Segment {
                    offset: number64(header, 8)?,
                    address: number64(header, 16)?,
                    size: number64(header, 32)?,
                })
            })
    }

    /// The file offset of `address`.
    fn offset_of(&self, address: u64) -> Option<u64> {
        self.of_type(PT_LOAD).find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            (inside < segment.size).then(|| segment.offset.checked_add(inside))?
        })
    }

    fn asan(&self, file: &Fd) -> Option<u8> {
        let dynamic = self.of_type(PT_DYNAMIC).next()?;
        let mut entries = [0; 40 * DYNAMIC_ENTRY];
        let len = (dynamic.size as usize).min(entries.len());
        let read = file.read_at(entries.get_mut(..len)?, dynamic.offset).ok()?;
        let entries = entries.get(..read)?;
        let values = |tag: u64| {
            entries
                .chunks_exact(DYNAMIC_ENTRY)
                .filter(move |entry| number64(entry, 0) == Some(tag))
                .filter_map(|entry| number64(entry, 8))
        };
        let strings = self.offset_of(values(DT_STRTAB).next()?)?;
        values(DT_NEEDED).take(NEEDED_LOOKED_AT).find_map(|name| {
            let mut text = [0; 16];
            let read = file.read_at(&mut text, strings.checked_add(name)?).ok()?;
            asan_version(text.get(..read)?)
        })
    }
}

/// The number in `libasan.so.N`.
fn asan_version(name: &[u8]) -> Option<u8> {
    let digits = name.strip_prefix(b"libasan.so.")?;
    let mut version = 0_u8;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        version = version.checked_mul(10)?.checked_add(digit.wrapping_sub(b'0'))?;
    }
    (version != 0).then_some(version)
}

fn number16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn number64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
