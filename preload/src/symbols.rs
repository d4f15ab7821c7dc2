//! The dynamic symbol table of a loaded object, read in place (ELF gABI; the GNU hash section;
//! symbol versions as in the Linux Standard Base). A lookup only reads memory that never changes,
//! so it needs no lock.

use core::ffi::CStr;

use crate::observe::process::Object;

const DT_NULL: usize = 0;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_GNU_HASH: usize = 0x6fff_fef5;
const DT_VERSYM: usize = 0x6fff_fff0;

/// Set in a symbol's version if it is not the default one of its name.
const HIDDEN: u16 = 0x8000;

/// `STT_FUNC`.
const FUNCTION: u8 = 2;

/// Most symbols that share a bucket, by far; ends the walk through a table that is not one.
const CHAIN: usize = 4096;

/// A symbol (`Elf64_Sym`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

/// Where the parts of the table are.
#[derive(Clone, Copy)]
pub struct Table {
    base: usize,
    hash: *const u32,
    symbols: *const Symbol,
    strings: *const core::ffi::c_char,
    /// NULL in an object without versions.
    versions: *const u16,
}

impl Table {
    /// The table of `object`, which must stay loaded. `None` if it has no GNU hash section.
    pub fn of(object: Object) -> Option<Self> {
        if object.dynamic.is_null() {
            return None;
        }
        let [mut hash, mut symbols, mut strings, mut versions] = [0_usize; 4];
        let mut entry = object.dynamic;
        loop {
            // SAFETY: the dynamic section of a loaded object ends with DT_NULL.
            let (tag, value) = unsafe { (*entry, *entry.add(1)) };
            match tag {
                DT_NULL => break,
                DT_GNU_HASH => hash = value,
                DT_SYMTAB => symbols = value,
                DT_STRTAB => strings = value,
                DT_VERSYM => versions = value,
                _ => {}
            }
            entry = entry.wrapping_add(2);
        }
        // glibc has relocated these in place, musl has not.
        let address = |value: usize| match value {
            0 => 0,
            value if value < object.base => value.wrapping_add(object.base),
            value => value,
        };
        if [hash, symbols, strings].contains(&0) {
            return None;
        }
        Some(Self {
            base: object.base,
            hash: address(hash) as *const u32,
            symbols: address(symbols) as *const Symbol,
            strings: address(strings) as *const core::ffi::c_char,
            versions: address(versions) as *const u16,
        })
    }

    /// The address of the function `name` in its default version.
    pub fn find(&self, name: &CStr) -> Option<usize> {
        let wanted = hash(name.to_bytes());
        // SAFETY: the GNU hash section: four words, the filter of `filter` 64-bit words, the
        // buckets, then one word for each symbol from `first` on, the last of a bucket marked by
        // its lowest bit. All of it is mapped as long as the object is.
        unsafe {
            let (buckets, first) = (*self.hash, *self.hash.add(1) as usize);
            let filter = *self.hash.add(2) as usize;
            let table = self.hash.add(filter.checked_mul(2)?.checked_add(4)?);
            let chains = table.add(buckets as usize);
            let mut index = *table.add(wanted.checked_rem(buckets)? as usize) as usize;
            for _ in 0..CHAIN {
                let hashed = *chains.add(index.checked_sub(first)?);
                if hashed | 1 == wanted | 1
                    && let Some(address) = self.matching(index, name)
                {
                    return Some(address);
                }
                if hashed & 1 != 0 {
                    return None;
                }
                index = index.checked_add(1)?;
            }
        }
        None
    }

    /// The address of the symbol at `index`, if it is the default definition of `name`.
    ///
    /// # Safety
    /// `index` must be that of a symbol.
    unsafe fn matching(&self, index: usize, name: &CStr) -> Option<usize> {
        // SAFETY: the caller's promise; there is a version for each symbol.
        let (symbol, version) = unsafe {
            let version = if self.versions.is_null() { 0 } else { *self.versions.add(index) };
            (*self.symbols.add(index), version)
        };
        // SAFETY: names are offsets into the string table.
        let found = unsafe { CStr::from_ptr(self.strings.add(symbol.name as usize)) };
        let is_it = found == name
            && symbol.info & 0xf == FUNCTION
            && symbol.section != 0
            && version & HIDDEN == 0;
        is_it.then(|| self.base.wrapping_add(symbol.value as usize))
    }
}

/// The hash of a symbol's name in a GNU hash section.
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}
