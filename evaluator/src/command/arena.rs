//! The memory that understanding writes into: slices that the caller owns, filled from the start.
//!
//! Text, words and redirections have two parts. Finished elements are *kept* and grow from the
//! start; whatever is still being put together *stacks up* behind a fixed boundary. A word may
//! contain a whole command (`a$(b c)d`), so its pieces would otherwise lie scattered between
//! those of the inner command; with two parts the inner command is finished, kept and popped
//! before the outer word goes on.

use super::limits::Stop;

/// A caller's slice with a kept part and a stack.
pub(super) struct Store<'s, T> {
    slice: &'s mut [T],
    len: usize,
    base: usize,
    top: usize,
}

impl<'s, T: Copy> Store<'s, T> {
    /// Uses `slice`; its last `1/share` is for the stack (all is kept part for 0).
    pub fn new(slice: &'s mut [T], share: usize) -> Self {
        let stack = slice.len().checked_div(share).unwrap_or(0);
        let base = slice.len().saturating_sub(stack);
        Self { slice, len: 0, base, top: base }
    }

    /// Number of kept elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Forgets kept elements from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The element at `index`, kept or stacked.
    pub fn get(&self, index: usize) -> Option<T> {
        self.slice.get(index).copied()
    }

    /// The element at `index`, to be changed in place.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.slice.get_mut(index)
    }

    /// Elements `start .. start + len`, kept or stacked; empty if out of range.
    pub fn run(&self, start: usize, len: usize) -> &[T] {
        self.slice.get(start..start.saturating_add(len)).unwrap_or(&[])
    }

    /// Keeps one element; its index.
    pub fn push(&mut self, element: T) -> Result<usize, Stop> {
        if self.len >= self.base {
            return Err(Stop::Limit);
        }
        let at = self.len;
        *self.slice.get_mut(at).ok_or(Stop::Limit)? = element;
        self.len = at.saturating_add(1);
        Ok(at)
    }

    /// Keeps every element of `from`; the index of the first.
    pub fn push_all(&mut self, from: &[T]) -> Result<usize, Stop> {
        let at = self.len;
        let end = at.saturating_add(from.len());
        if end > self.base {
            return Err(Stop::Limit);
        }
        let to = self.slice.get_mut(at..end).ok_or(Stop::Limit)?;
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        self.len = end;
        Ok(at)
    }

    /// Where the next stacked element will lie.
    pub fn top(&self) -> usize {
        self.top
    }

    /// Stacks one element.
    #[inline]
    pub fn stack(&mut self, element: T) -> Result<(), Stop> {
        *self.slice.get_mut(self.top).ok_or(Stop::Limit)? = element;
        self.top = self.top.saturating_add(1);
        Ok(())
    }

    /// Stacks copies of the elements `start .. start + len`, which lie below the top.
    pub fn stack_copy(&mut self, start: usize, len: usize) -> Result<(), Stop> {
        let parts = self.slice.split_at_mut_checked(self.top);
        let (below, above) = parts.ok_or(Stop::Limit)?;
        let source = below.get(start..start.saturating_add(len));
        let (Some(source), Some(target)) = (source, above.get_mut(..len)) else {
            return Err(Stop::Limit);
        };
        for (target, source) in target.iter_mut().zip(source) {
            *target = *source;
        }
        self.top = self.top.saturating_add(len);
        Ok(())
    }

    /// Drops stacked elements from `top` on.
    pub fn unstack(&mut self, top: usize) {
        self.top = self.top.min(top).max(self.base);
    }

    /// Keeps what is stacked from `from` on and drops it from the stack; first index and length.
    pub fn keep(&mut self, from: usize) -> Result<(usize, usize), Stop> {
        let count = self.top.saturating_sub(from);
        let at = self.len;
        if at.saturating_add(count) > self.base {
            return Err(Stop::Limit);
        }
        self.copy(from, at, count)?;
        self.len = at.saturating_add(count);
        self.unstack(from);
        Ok((at, count))
    }

    /// Copies stacked elements to the kept part.
    fn copy(&mut self, from: usize, to: usize, count: usize) -> Result<(), Stop> {
        let parts = self.slice.split_at_mut_checked(self.base);
        let (kept, stacked) = parts.ok_or(Stop::Limit)?;
        let from = from.saturating_sub(self.base);
        let source = stacked.get(from..from.saturating_add(count));
        let target = kept.get_mut(to..to.saturating_add(count));
        let (Some(source), Some(target)) = (source, target) else {
            return Err(Stop::Limit);
        };
        for (target, source) in target.iter_mut().zip(source) {
            *target = *source;
        }
        Ok(())
    }

    /// The unused middle of the kept part, to be written by somebody else, and then
    /// [`Store::adopt`]ed.
    pub fn spare(&mut self) -> &mut [T] {
        self.slice.get_mut(self.len..self.base).unwrap_or(&mut [])
    }

    /// Keeps the first `count` elements of [`Store::spare`]; the index of the first.
    pub fn adopt(&mut self, count: usize) -> Result<usize, Stop> {
        let at = self.len;
        let end = at.saturating_add(count);
        if end > self.base {
            return Err(Stop::Limit);
        }
        self.len = end;
        Ok(at)
    }

    /// The kept elements and the rest of the slice.
    pub fn into_parts(self) -> (&'s [T], &'s mut [T]) {
        match self.slice.split_at_mut_checked(self.len) {
            Some((kept, rest)) => (kept, rest),
            None => (&[], &mut []),
        }
    }
}
