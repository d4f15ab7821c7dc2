//! Memory that one reading takes: what was parsed and every value live as long as it and are given back at
//! once. Values are small and many, so that taking and giving back each was a third of the work.

use oxc_allocator::{Allocator, Vec};
use std::sync::Mutex;

/// Most that one reading may take, in bytes: some times what the longest code takes that is parsed. What is read
/// after that is not known.
const MOST: usize = 256 * 1024 * 1024;

/// Room to begin with, in bytes: enough for a script of some hundred lines.
const ROOM: usize = 256 * 1024;

/// So many are kept for who reads next, of so many bytes: fresh memory is a page fault for each page of it.
const KEPT: (usize, usize) = (4, 2 * 1024 * 1024);

/// Those that are kept.
static FREE: Mutex<std::vec::Vec<Allocator>> = Mutex::new(std::vec::Vec::new());

/// A list that grows within an arena.
pub type List<'t, T> = Vec<'t, T>;

/// The memory. Nothing in it has a destructor, which the compiler checks.
pub struct Arena {
    /// Oxc's, as its parser takes no other.
    inner: Allocator,
}

impl Arena {
    /// One that is empty.
    pub fn new() -> Self {
        let kept = FREE.lock().ok().and_then(|mut all| all.pop());
        Self { inner: kept.unwrap_or_else(|| Allocator::with_capacity(ROOM)) }
    }

    /// For Oxc's parser.
    pub const fn allocator(&self) -> &Allocator {
        &self.inner
    }

    /// Whether no more may be taken.
    pub fn is_full(&self) -> bool {
        self.inner.capacity() > MOST
    }

    /// Keeps one.
    pub fn put<T>(&self, value: T) -> &T {
        self.inner.alloc(value)
    }

    /// Keeps all.
    pub fn all<T>(&self, values: impl IntoIterator<Item = T>) -> &[T] {
        self.done(Vec::from_iter_in(values, &&self.inner))
    }

    /// A list that is empty.
    pub fn list<T>(&self) -> List<'_, T> {
        Vec::new_in(&&self.inner)
    }

    /// Keeps a list as it is now.
    pub fn done<'t, T>(&'t self, list: List<'t, T>) -> &'t [T] {
        list.into_arena_slice()
    }

    /// Keeps copies.
    pub fn copied<T: Copy>(&self, values: &[T]) -> &[T] {
        self.inner.alloc_slice_copy(values)
    }

    /// Keeps a text.
    pub fn text(&self, text: &str) -> &str {
        self.inner.alloc_str(text)
    }

    /// Keeps texts one behind the other.
    pub fn joined<const N: usize>(&self, parts: [&str; N]) -> &str {
        self.inner.alloc_concat_strs_array(parts)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let mut inner = std::mem::take(&mut self.inner);
        // Its largest piece stays.
        inner.reset();
        if inner.capacity() <= KEPT.1
            && let Ok(mut all) = FREE.lock()
            && all.len() < KEPT.0
        {
            all.push(inner);
        }
    }
}
