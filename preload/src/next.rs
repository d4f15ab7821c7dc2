//! libc's own functions behind our names. Usually they are read from libc's own symbol table, when
//! a hook needs one: that takes no lock, works in a `vfork` child and a signal handler, and costs
//! a process that starts nothing nothing. Where another library is preloaded beside us, which may want
//! its turn, the tables of all libraries behind us are noted when the process starts, in the order in
//! which the loader goes through them, and read in the same way. The loader itself is asked (`dlsym(3)`
//! with `RTLD_NEXT`) only if one of them has no such table, and then when the process starts: later
//! nobody may take its lock.
//!
//! `dlsym` is imported weakly (before glibc 2.34 it lives in libdl, which a program need not have
//! loaded), so it is named in assembly only: stable Rust has no weak imports.

use core::arch::naked_asm;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute;

use crate::observe::process;
use crate::operations::entries;
use crate::symbols::Table;
use crate::sys::{self, Strings};

/// `execve(2)`.
pub type Execve = unsafe extern "C" fn(*const c_char, Strings, Strings) -> c_int;
/// `posix_spawn(3)`.
pub type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const c_void,
    *const c_void,
    Strings,
    Strings,
) -> c_int;
/// `system(3)`.
pub type System = unsafe extern "C" fn(*const c_char) -> c_int;
/// `popen(3)`.
pub type Popen = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void;
/// `wordexp(3)`.
pub type Wordexp = unsafe extern "C" fn(*const c_char, *mut c_void, c_int) -> c_int;
type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

const SPAWN: &CStr = c"posix_spawn";
const SYSTEM: &CStr = c"system";
const POPEN: &CStr = c"popen";
const WORDEXP: &CStr = c"wordexp";
const EXECVE: &CStr = c"execve";

/// Most libraries from us to libc whose tables are noted: two pages of them.
const MOST_TABLES: usize = 2 * 4096 / size_of::<Table>();

/// Where the functions are that the hooks hand an allowed call on to. `exec*` usually need none:
/// they are one system call.
#[derive(Clone, Copy)]
pub enum Next {
    /// In libc's symbol table.
    Libc(Table),
    /// In the first of these symbol tables that has one of the name; the last is libc's.
    Behind(&'static [Table]),
    /// At these addresses, 0 where there is no such function: `posix_spawn`, `system`, `popen`,
    /// `wordexp`, `execve`.
    Found([usize; 5], Operations),
}

/// The addresses of what [`crate::operations`] hooks, in its order.
type Operations = Option<&'static [usize; entries::COUNT]>;

impl Next {
    /// Finds out where to look. To be called from the constructor only: the loader takes its lock.
    /// `is_alone` says that nothing else is preloaded.
    pub fn find(is_alone: bool) -> Self {
        let known =
            if is_alone { libc_table().map(Self::Libc) } else { behind().map(Self::Behind) };
        let known = known.or_else(|| weak_dlsym().map(Self::ask));
        known.or_else(|| libc_table().map(Self::Libc)).unwrap_or(Self::Found([0; 5], None))
    }

    fn ask(dlsym: Dlsym) -> Self {
        // SAFETY: RTLD_NEXT and C strings; `dlsym` finds the calling object by our return address.
        let next = |name: &CStr| unsafe { dlsym(libc::RTLD_NEXT, name.as_ptr()) } as usize;
        Self::Found([SPAWN, SYSTEM, POPEN, WORDEXP, EXECVE].map(next), ask_operations(&next))
    }

    /// The tables in which the functions are, in order; none where their addresses are known.
    fn tables(&self) -> &[Table] {
        match self {
            Self::Libc(table) => core::slice::from_ref(table),
            Self::Behind(tables) => tables,
            Self::Found(..) => &[],
        }
    }

    /// The address of libc's own function `name`; 0 if that is not known.
    pub fn find_in_libc(&self, name: &CStr) -> usize {
        self.tables().last().and_then(|libc| libc.find(name)).unwrap_or(0)
    }

    /// The function behind the entry `number` of [`crate::operations`]; 0 if there is none.
    pub fn operation(&self, number: usize) -> usize {
        match self {
            Self::Found(_, Some(all)) => all.get(number).copied().unwrap_or(0),
            _ => entries::in_tables(self.tables(), number),
        }
    }

    /// Whether another library may stand before libc behind the entry `number`.
    pub fn is_anothers(&self, number: usize) -> bool {
        match self {
            Self::Libc(_) => false,
            Self::Found(..) => true,
            Self::Behind(tables) => {
                let libc = tables.last().map_or(&[][..], core::slice::from_ref);
                entries::in_tables(tables, number) != entries::in_tables(libc, number)
            }
        }
    }

    fn address(&self, index: usize, name: &CStr) -> usize {
        match self {
            Self::Found(all, _) => all.get(index).copied().unwrap_or(0),
            _ => find_in(self.tables(), name).unwrap_or(0),
        }
    }

    /// Another library's `execve` (or libc's), where something else is preloaded.
    pub fn execve(&self) -> Option<Execve> {
        match self {
            Self::Libc(_) => None,
            // SAFETY: the function of that name has this type; 0 is `None`.
            Self::Behind(_) | Self::Found(..) => unsafe {
                transmute::<usize, Option<Execve>>(self.address(4, EXECVE))
            },
        }
    }

    /// `posix_spawn`, the default version: since glibc 2.15 without the `ENOEXEC` fallback.
    pub fn spawn(&self) -> Option<Spawn> {
        // SAFETY: the function of that name in libc has this type; 0 is `None`.
        unsafe { transmute::<usize, Option<Spawn>>(self.address(0, SPAWN)) }
    }

    /// `system`.
    pub fn system(&self) -> Option<System> {
        // SAFETY: the function of that name in libc has this type; 0 is `None`.
        unsafe { transmute::<usize, Option<System>>(self.address(1, SYSTEM)) }
    }

    /// `popen`.
    pub fn popen(&self) -> Option<Popen> {
        // SAFETY: the function of that name in libc has this type; 0 is `None`.
        unsafe { transmute::<usize, Option<Popen>>(self.address(2, POPEN)) }
    }

    /// `wordexp`.
    pub fn wordexp(&self) -> Option<Wordexp> {
        // SAFETY: the function of that name in libc has this type; 0 is `None`.
        unsafe { transmute::<usize, Option<Wordexp>>(self.address(3, WORDEXP)) }
    }
}

/// libc's symbol table.
fn libc_table() -> Option<Table> {
    // A program may have given libc's functions addresses of its own (a canonical PLT entry),
    // and then that is what was found: ask for proof.
    let table = Table::of(process::libc_object()?)?;
    table.find(SPAWN).map(|_| table)
}

/// The symbol tables of all objects behind this one, up to libc, for good: what the loader has
/// loaded before it runs a constructor stays. `None` if one cannot be read, there are too many, or
/// libc does not stand behind us.
fn behind() -> Option<&'static [Table]> {
    let place = sys::map_memory(MOST_TABLES * size_of::<Table>()).ok()?.cast::<Table>();
    let (mut count, mut is_behind, mut is_whole) = (0_usize, false, false);
    process::each_object(|object| {
        if !is_behind {
            is_behind = object.is_own();
            return false;
        }
        let Some(table) = Table::of(*object).filter(|_| count < MOST_TABLES) else {
            return true;
        };
        // SAFETY: a fresh mapping with room for so many.
        unsafe { place.add(count).write(table) };
        count = count.saturating_add(1);
        is_whole = object.is_libc();
        is_whole
    });
    // SAFETY: so many were written, to a mapping that stays and that nobody writes to any more.
    let tables: &'static [Table] = unsafe { core::slice::from_raw_parts(place, count) };
    let is_libc = tables.last().is_some_and(|libc| libc.find(SPAWN).is_some());
    if !is_whole || !is_libc {
        // SAFETY: nobody else knows of this mapping.
        unsafe { sys::unmap(place.cast(), MOST_TABLES * size_of::<Table>()) };
        return None;
    }
    Some(tables)
}

/// The address of the function `name` in the first of `tables` that has it.
pub fn find_in(tables: &[Table], name: &CStr) -> Option<usize> {
    tables.iter().find_map(|table| table.find(name))
}

/// Asks for every operation now: later nobody may take the loader's lock. `None` without memory.
fn ask_operations(next: &dyn Fn(&CStr) -> usize) -> Operations {
    let place = sys::map_memory(size_of::<[usize; entries::COUNT]>()).ok()?;
    let place = place.cast::<[usize; entries::COUNT]>();
    // SAFETY: a fresh mapping of that size, kept for good.
    let all = unsafe { &mut *place };
    for (slot, name) in all.iter_mut().zip(entries::names()) {
        *slot = next(name);
    }
    Some(all)
}

/// Whether the process runs on glibc, whose `execvp` differs from musl's.
pub fn is_glibc() -> bool {
    gnu_get_libc_version_address() != 0
}

fn weak_dlsym() -> Option<Dlsym> {
    // SAFETY: the address of `dlsym`, or 0, which is `None`.
    unsafe { transmute::<usize, Option<Dlsym>>(dlsym_address()) }
}

macro_rules! weak_address {
    ($name:ident, $symbol:literal) => {
        #[cfg(target_arch = "x86_64")]
        #[unsafe(naked)]
        extern "C" fn $name() -> usize {
            naked_asm!(
                concat!(".weak ", $symbol),
                concat!("mov rax, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                "ret",
            )
        }

        #[cfg(target_arch = "aarch64")]
        #[unsafe(naked)]
        extern "C" fn $name() -> usize {
            naked_asm!(
                concat!(".weak ", $symbol),
                concat!("adrp x0, :got:", $symbol),
                concat!("ldr x0, [x0, :got_lo12:", $symbol, "]"),
                "ret",
            )
        }
    };
}

weak_address!(dlsym_address, "dlsym");
weak_address!(gnu_get_libc_version_address, "gnu_get_libc_version");
