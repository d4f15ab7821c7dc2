//! The caller's `char *const[]`, read in place: what the evaluator sees of argv and environment
//! without a copy.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};

use evaluator::{Argv, Env};

use crate::sys::{Errno, Strings};

/// A NULL-terminated array of C strings that belongs to the caller. A NULL array is an empty one.
#[derive(Clone, Copy)]
pub struct Vector<'a> {
    start: Strings,
    len: usize,
    lifetime: PhantomData<&'a CStr>,
}

impl<'a> Vector<'a> {
    /// Wraps `start`, counting its entries.
    ///
    /// # Safety
    /// `start` is NULL, or a NULL-terminated array of pointers to C strings that live for `'a`.
    pub unsafe fn new(start: Strings) -> Self {
        let mut len = 0;
        if !start.is_null() {
            // SAFETY: the array ends with a NULL, which is where this stops.
            while unsafe { !(*start.add(len)).is_null() } {
                len += 1;
            }
        }
        Self { start, len, lifetime: PhantomData }
    }

    /// The array as the caller gave it.
    pub const fn as_ptr(&self) -> Strings {
        self.start
    }

    /// Number of entries.
    pub const fn count(&self) -> usize {
        self.len
    }

    /// The pointer at `index`.
    pub fn pointer(&self, index: usize) -> Option<*const c_char> {
        if index >= self.len {
            return None;
        }
        // SAFETY: `index` is before the terminating NULL.
        Some(unsafe { *self.start.add(index) })
    }

    /// The string at `index`.
    pub fn string(&self, index: usize) -> Option<&'a CStr> {
        // SAFETY: entries before the terminator are C strings that live for `'a`. Another thread
        // may change the bytes meanwhile; what runs is judged again by the self-check.
        self.pointer(index)
            .filter(|pointer| !pointer.is_null())
            .map(|pointer| unsafe { CStr::from_ptr(pointer) })
    }

    /// All strings, without their NULs.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let this = *self;
        (0..this.len).filter_map(move |index| this.string(index).map(CStr::to_bytes))
    }

    /// Bytes of all strings together, a NUL each.
    pub fn size(&self) -> usize {
        self.iter().fold(0, |sum, string| sum.saturating_add(string.len()).saturating_add(1))
    }

    /// The value of the first entry `name=value`.
    pub fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
    }
}

impl Argv for Vector<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        self.string(index).map(CStr::to_bytes)
    }
}

impl Env for Vector<'_> {
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.value(name)
    }
}

/// A path being put together, NUL-terminated for the kernel. Its memory is not cleared first:
/// a page that is not touched costs nothing.
pub struct Path<B: ?Sized> {
    /// This many bytes are set, and if there are any, so is the NUL behind them.
    len: usize,
    /// Whether something was left out because there was no room for it.
    lacked_room: bool,
    bytes: B,
}

/// A path with room of its own.
pub type PathBytes<const ROOM: usize> = Path<[MaybeUninit<u8>; ROOM]>;

/// Room for any path that the kernel takes.
pub type LongPath = PathBytes<4097>;

/// A path, whatever room it has.
pub type AnyPath = Path<[MaybeUninit<u8>]>;

impl<const ROOM: usize> PathBytes<ROOM> {
    /// An empty path.
    #[inline]
    pub const fn new() -> Self {
        Self { len: 0, lacked_room: false, bytes: [MaybeUninit::uninit(); ROOM] }
    }
}

impl<const ROOM: usize> Deref for PathBytes<ROOM> {
    type Target = AnyPath;

    fn deref(&self) -> &AnyPath {
        self
    }
}

impl<const ROOM: usize> DerefMut for PathBytes<ROOM> {
    fn deref_mut(&mut self) -> &mut AnyPath {
        self
    }
}

impl AnyPath {
    /// Sets the NUL behind the first `len` bytes, which are set.
    fn end_at(&mut self, len: usize) {
        if let Some(end) = self.bytes.get_mut(len) {
            end.write(0);
            self.len = len;
        }
    }

    /// Appends `part`; `None` if there is no room for it and a NUL, or it holds a NUL.
    #[must_use]
    pub fn push(&mut self, part: &[u8]) -> Option<&mut Self> {
        let end = self.len.checked_add(part.len())?;
        if end >= self.bytes.len() {
            self.lacked_room = true;
            return None;
        }
        if part.contains(&0) {
            return None;
        }
        for (to, from) in self.bytes.get_mut(self.len..end)?.iter_mut().zip(part) {
            to.write(*from);
        }
        self.end_at(end);
        Some(self)
    }

    /// Appends `number` in decimal.
    #[must_use]
    pub fn push_number(&mut self, number: impl Into<u64>) -> Option<&mut Self> {
        let mut digits = [b'0'; 20];
        let mut rest = number.into();
        let mut first = digits.len();
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0'.wrapping_add((rest % 10) as u8);
            rest /= 10;
            first = index;
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(first..)?)
    }

    /// Replaces the path by what `fill` writes to the address it gets; it gets the room there and
    /// answers how much of that it used.
    ///
    /// # Safety
    /// `fill` must have set as many bytes as it says, and no NUL among them.
    ///
    /// # Errors
    /// What `fill` says; `ENAMETOOLONG` if there is no room left for the NUL.
    pub unsafe fn fill(
        &mut self,
        fill: impl FnOnce(*mut u8, usize) -> Result<usize, Errno>,
    ) -> Result<&[u8], Errno> {
        let room = self.bytes.len();
        match fill(self.bytes.as_mut_ptr().cast(), room) {
            Ok(len) if len < room => self.end_at(len),
            // `readlink(2)` cuts short, `getcwd(2)` says so.
            Ok(_) | Err(Errno(libc::ERANGE)) => {
                self.lacked_room = true;
                return Err(Errno(libc::ENAMETOOLONG));
            }
            Err(errno) => return Err(errno),
        }
        Ok(self.as_bytes())
    }

    /// Forgets everything behind `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        if len <= self.len {
            self.end_at(len);
        }
    }

    /// Whether the path is not what it should be, because there was no room for it.
    pub const fn lacked_room(&self) -> bool {
        self.lacked_room
    }

    /// The path, without its NUL.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are set.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len) }
    }

    /// The path, for the kernel.
    pub fn as_c_str(&self) -> &CStr {
        if self.len == 0 {
            return c"";
        }
        // SAFETY: the NUL behind the first `len` bytes is set, and there is none among them.
        unsafe { CStr::from_ptr(self.bytes.as_ptr().cast()) }
    }
}
