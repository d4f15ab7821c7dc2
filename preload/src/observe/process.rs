//! What the kernel and the loader know about this process: its real arguments, the file it was
//! started from, and where this library lies.

use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

use libc::{AT_FDCWD, O_PATH, O_RDONLY};

use crate::strings::{AnyPath, Vector};
use crate::sys::{self, Fd, Strings};
use crate::world;

unsafe extern "C" {
    static environ: Strings;
    fn getauxval(kind: c_ulong) -> c_ulong;
    fn dl_iterate_phdr(
        each: extern "C" fn(*const libc::dl_phdr_info, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}

/// The environment as libc has it now.
pub fn environment() -> Strings {
    // SAFETY: a plain read of libc's variable, as every `exec*` function without `envp` does.
    unsafe { environ }
}

/// Where libc keeps the environment, for callers that must change it for a moment.
pub fn environment_variable() -> *mut Strings {
    (&raw const environ).cast_mut()
}

/// The path that the kernel was asked to execute (`AT_EXECFN`); empty if it does not say.
pub fn executed_file() -> &'static CStr {
    match auxiliary(libc::AT_EXECFN) {
        0 => c"",
        // SAFETY: the kernel's own string at the top of the stack, there for the whole process.
        address => unsafe { CStr::from_ptr(address as *const c_char) },
    }
}

/// Whether the loader was executed itself, with the program as its argument: then the kernel
/// loaded no interpreter (`AT_BASE` is 0).
pub fn is_run_by_loader() -> bool {
    auxiliary(libc::AT_BASE) == 0
}

/// Whether this code runs on the stack that the kernel made for `main`, with at least a megabyte
/// of it left. Its other end is where the kernel put the strings.
pub fn is_on_main_stack() -> bool {
    const ROOM: u64 = 2 << 20;
    const NEAR: usize = 512 * 1024;
    let here = 0_u8;
    let below = (executed_file().as_ptr() as usize).wrapping_sub(&raw const here as usize);
    below < NEAR && sys::stack_limit() >= ROOM
}

/// Whether the kernel gave this process privileges that its caller lacks (`AT_SECURE`). Then the
/// environment is not to be trusted.
pub fn is_privileged() -> bool {
    auxiliary(libc::AT_SECURE) != 0
}

/// The auxiliary vector where the kernel put it; NULL if that is not known.
static AUXILIARY: AtomicPtr<[c_ulong; 2]> = AtomicPtr::new(core::ptr::null_mut());

/// Notes where the auxiliary vector lies: behind the environment. libc's function lies on a page
/// that a small program needs for nothing else.
///
/// # Safety
/// `env` must be the array that the kernel made.
pub unsafe fn note_auxiliary(env: Strings) {
    // SAFETY: the kernel ends the environment with a NULL, and the vector follows.
    let start = unsafe { env.add(Vector::new(env).count()).add(1) };
    AUXILIARY.store(start.cast_mut().cast(), Ordering::Relaxed);
}

/// An entry of the auxiliary vector, 0 if it is not there.
fn auxiliary(kind: c_ulong) -> c_ulong {
    let mut entry = AUXILIARY.load(Ordering::Relaxed);
    if entry.is_null() {
        // SAFETY: reads libc's copy; unknown kinds give 0.
        return unsafe { getauxval(kind) };
    }
    loop {
        // SAFETY: the kernel ends the vector with an entry of the kind AT_NULL (getauxval(3)).
        match unsafe { *entry } {
            [found, value] if found == kind => return value,
            [libc::AT_NULL, _] => return 0,
            _ => entry = entry.wrapping_add(1),
        }
    }
}

/// The arguments, found from the environment that follows them on the initial stack (System V
/// ABI): musl passes constructors none. `None` if `env` is not where the kernel put it.
///
/// # Safety
/// `env` must point to the initial environment, as in a constructor before anybody replaced it.
pub unsafe fn arguments_before(env: Strings) -> Option<Strings> {
    const MOST: usize = 1 << 20;
    for count in 0..MOST {
        // argc, argv[0..count], NULL, env: the slot before argv holds its length.
        // SAFETY: below the environment lie the NULL, the argument pointers and argc, and the
        // walk ends at argc: no earlier slot equals the number of slots behind it, because all of
        // them are addresses.
        let slot = unsafe { *env.sub(count.saturating_add(2)) } as usize;
        if slot == count {
            return Some(env.wrapping_sub(count.saturating_add(1)));
        }
    }
    None
}

/// The file behind the program headers that the loader reports: the program itself, whoever was
/// executed. Reads `/proc/self/maps`.
#[inline(never)]
pub fn mapped_program(out: &mut AnyPath) -> Option<()> {
    let mut buffer = [0; 2 * 4096];
    let path = search_maps(&mut buffer)?;
    out.truncate(0);
    out.push(path).map(drop)
}

#[inline(never)]
fn search_maps(out: &mut [u8]) -> Option<&[u8]> {
    let headers = usize::try_from(auxiliary(libc::AT_PHDR)).ok()?;
    let maps = Fd::open(AT_FDCWD, c"/proc/self/maps", O_RDONLY, 0).ok()?;
    let mut filled = 0;
    loop {
        let count = maps.read(out.get_mut(filled..)?).ok()?;
        filled = filled.checked_add(count)?;
        let text = out.get(..filled)?;
        let line_end = text.iter().rposition(|byte| *byte == b'\n');
        if let Some((start, len)) = line_end.and_then(|end| find_mapping(text.get(..end)?, headers))
        {
            return out.get(start..start.checked_add(len)?);
        }
        if count == 0 {
            return None;
        }
        // Keep the piece of a line behind the last newline.
        let keep = line_end.map_or(0, |end| end.saturating_add(1));
        out.copy_within(keep.min(filled)..filled, 0);
        filled = filled.saturating_sub(keep);
    }
}

/// Where in `text` the path of the mapping around `address` stands, and its length.
fn find_mapping(text: &[u8], address: usize) -> Option<(usize, usize)> {
    let mut at = 0_usize;
    for line in text.split(|byte| *byte == b'\n') {
        let mut range = line.split(|byte| matches!(byte, b'-' | b' '));
        let (start, end) = (hexadecimal(range.next()?)?, hexadecimal(range.next()?)?);
        if (start..end).contains(&address) {
            let path = line.iter().position(|byte| *byte == b'/')?;
            return Some((at.checked_add(path)?, line.len().checked_sub(path)?));
        }
        at = at.checked_add(line.len())?.checked_add(1)?;
    }
    None
}

fn hexadecimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |value, digit| {
        let digit = (*digit as char).to_digit(16)?;
        value.checked_mul(16)?.checked_add(digit as usize)
    })
}

/// Finds the absolute path of this library, as the loader opened it: through every link, unless
/// the result could not stand in an `LD_PRELOAD` list.
pub fn own_library(cwd: &[u8], out: &mut AnyPath) -> Option<()> {
    let found = object_around(own_library as *const () as usize)?;
    if found.name.is_null() {
        return None;
    }
    // SAFETY: the loader's name of an object that stays loaded.
    let name = unsafe { CStr::from_ptr(found.name) };
    if let Ok(file) = Fd::open(AT_FDCWD, name, O_PATH, 0)
        && world::path_of(&file, out).is_some_and(can_be_listed)
    {
        return Some(());
    }
    out.truncate(0);
    let name = name.to_bytes();
    if !name.starts_with(b"/") && can_be_listed(cwd) && !cwd.is_empty() {
        let _ = out.push(cwd)?.push(b"/")?;
    }
    out.push(name).map(drop)
}

/// Whether a path holds no separator of an `LD_PRELOAD` list.
fn can_be_listed(path: &[u8]) -> bool {
    !path.iter().any(|byte| matches!(byte, b' ' | b':'))
}

/// A loaded object.
#[derive(Clone, Copy)]
pub struct Object {
    /// What was added to its addresses.
    pub base: usize,
    /// Its dynamic section: pairs of a tag and a value; NULL if it has none.
    pub dynamic: *const usize,
    name: *const c_char,
    headers: *const libc::Elf64_Phdr,
    header_count: usize,
}

impl Object {
    fn new(info: &libc::dl_phdr_info) -> Self {
        let mut object = Self {
            base: info.dlpi_addr as usize,
            dynamic: core::ptr::null(),
            name: info.dlpi_name,
            headers: info.dlpi_phdr,
            header_count: usize::from(info.dlpi_phnum),
        };
        let mut headers = object.headers();
        let dynamic = headers.find(|header| header.p_type == libc::PT_DYNAMIC);
        let offset = dynamic.map(|header| header.p_vaddr as usize);
        drop(headers);
        if let Some(offset) = offset {
            object.dynamic = object.base.wrapping_add(offset) as *const usize;
        }
        object
    }

    fn headers(&self) -> impl Iterator<Item = &libc::Elf64_Phdr> {
        // SAFETY: the object has that many program headers, as long as it is loaded.
        (0..self.header_count).map(|index| unsafe { &*self.headers.add(index) })
    }

    fn holds(&self, address: usize) -> bool {
        let mut segments = self.headers().filter(|header| header.p_type == libc::PT_LOAD);
        segments.any(|segment| {
            let start = self.base.wrapping_add(segment.p_vaddr as usize);
            address.wrapping_sub(start) < segment.p_memsz as usize
        })
    }

    /// Whether it is this library.
    pub fn is_own(&self) -> bool {
        self.holds(own_library as *const () as usize)
    }

    /// Whether it is libc.
    pub fn is_libc(&self) -> bool {
        // A function that no other library defines, even in old glibc.
        self.holds(getauxval as *const () as usize)
    }
}

/// The object that libc lies in. Takes the loader's lock.
pub fn libc_object() -> Option<Object> {
    object_around(getauxval as *const () as usize).filter(|found| !found.dynamic.is_null())
}

fn object_around(address: usize) -> Option<Object> {
    let mut found = None;
    each_object(|object| {
        if object.holds(address) {
            found = Some(*object);
        }
        found.is_some()
    });
    found
}

/// Shows `look` every loaded object, in the order in which the loader searches them, until it says
/// that this is enough. Takes the loader's lock.
pub fn each_object<F: FnMut(&Object) -> bool>(mut look: F) {
    extern "C" fn shown<F: FnMut(&Object) -> bool>(
        info: *const libc::dl_phdr_info,
        _size: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader passes a valid object, and `each_object` its own closure.
        let (info, look) = unsafe { (&*info, &mut *data.cast::<F>()) };
        c_int::from(look(&Object::new(info)))
    }
    // SAFETY: the callback matches the signature in dl_iterate_phdr(3) and gets what it expects.
    unsafe { dl_iterate_phdr(shown::<F>, (&raw mut look).cast()) };
}
