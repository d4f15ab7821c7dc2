//! Arrays of pointers in the memory of another process, and the strings that they lead to.

use super::kernel::read_memory;
use std::io;

/// Size of a page, at whose end memory may end.
const PAGE: u64 = 4096;

/// How much of a string is read at first where nothing tells its length: most are shorter.
const FIRST: usize = 128;

/// How many strings are read by one system call.
pub const AT_ONCE: usize = 512;

/// More than the kernel takes (`_STK_LIM / 4 * 3`, execve(2)), in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// How many bytes of the page are left at `address`.
pub fn left(address: u64) -> usize {
    usize::try_from(PAGE - address % PAGE).unwrap_or_default()
}

/// The strings at these addresses.
///
/// # Errors
/// `EFAULT` if one leads nowhere, `E2BIG` for more than the kernel takes; others if the process cannot be looked at.
pub fn all(thread: u32, pointers: &[u64], room: &mut Vec<u8>) -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::with_capacity(pointers.len());
    let mut total = 0_usize;
    for some in pointers.chunks(AT_ONCE) {
        let pieces = pieces_of(thread, some, room)?;
        let found = cut(thread, &pieces, room)?;
        total = found.iter().fold(total, |sum, text| sum.saturating_add(text.len() + 1));
        if total > LARGEST {
            return Err(io::Error::from_raw_os_error(libc::E2BIG));
        }
        all.extend(found);
    }
    Ok(all)
}

/// Reads what lies at these addresses into `room`: a piece for each, one behind the other.
///
/// # Errors
/// As [`all`].
pub fn pieces_of(thread: u32, some: &[u64], room: &mut Vec<u8>) -> io::Result<Vec<(u64, usize)>> {
    // Strings mostly lie one behind the other: where the next one begins, this one ends.
    let mut pieces: Vec<(u64, usize)> = some
        .iter()
        .zip(some.iter().skip(1).map(Some).chain([None]))
        .map(|(at, next)| match next.map(|next| next.wrapping_sub(*at)) {
            Some(gap @ 1..=PAGE) => (*at, usize::try_from(gap).unwrap_or(FIRST)),
            _ => (*at, left(*at).min(FIRST)),
        })
        .collect();
    if !are_there(thread, &pieces, room)? {
        pieces = some.iter().map(|at| (*at, left(*at).min(FIRST))).collect();
        if !are_there(thread, &pieces, room)? {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
    }
    Ok(pieces)
}

/// The strings that begin with these pieces, which have been read to `bytes`.
///
/// # Errors
/// As [`all`].
pub fn cut(thread: u32, pieces: &[(u64, usize)], bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut rest = bytes;
    let mut total = 0_usize;
    let mut all = Vec::with_capacity(pieces.len());
    for (address, length) in pieces {
        let (piece, behind) = rest.split_at_checked(*length).unwrap_or_default();
        rest = behind;
        let text = match piece.iter().position(|byte| *byte == 0) {
            Some(end) => piece.get(..end).unwrap_or_default().to_vec(),
            None => string(thread, *address)?,
        };
        total = total.saturating_add(text.len() + 1);
        if total > LARGEST {
            return Err(io::Error::from_raw_os_error(libc::E2BIG));
        }
        all.push(text);
    }
    Ok(all)
}

/// Reads all of these pieces, one behind the other; false if some of them are not there.
fn are_there(thread: u32, pieces: &[(u64, usize)], room: &mut Vec<u8>) -> io::Result<bool> {
    let ranges = ranges_of(pieces);
    let wanted: usize = pieces.iter().map(|(_, length)| length).sum();
    room.resize(wanted, 0);
    if wanted == 0 {
        return Ok(true);
    }
    match read_memory(thread, &ranges, room) {
        Ok(got) => Ok(got == wanted),
        Err(error) if error.raw_os_error() == Some(libc::EFAULT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Pieces of memory that follow one another are one range.
pub fn ranges_of(pieces: &[(u64, usize)]) -> Vec<(u64, usize)> {
    let mut ranges: Vec<(u64, usize)> = Vec::with_capacity(pieces.len());
    for (address, length) in pieces {
        match ranges.last_mut() {
            Some((start, so_far)) if start.wrapping_add(*so_far as u64) == *address => {
                *so_far += length;
            }
            _ => ranges.push((*address, *length)),
        }
    }
    ranges
}

/// The pointers of an array, up to the null pointer that ends it; of which `piece` has been read.
///
/// # Errors
/// As [`all`].
pub fn pointers(thread: u32, (array, piece): (u64, &[u8]), width: usize) -> io::Result<Vec<u64>> {
    let mut all = Vec::new();
    if array == 0 || taken(piece, width, &mut all) {
        return Ok(all);
    }
    let mut at = array.wrapping_add((all.len() * width) as u64);
    let mut room = [0; PAGE as usize];
    loop {
        // Never across the end of a page, except for one pointer that lies across it.
        let length = (left(at) / width * width).max(width);
        let piece = room.get_mut(..length).unwrap_or_default();
        let got = read_memory(thread, &[(at, length)], piece)?;
        if taken(piece.get(..got).unwrap_or_default(), width, &mut all) {
            return Ok(all);
        }
        if got < length {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        if all.len() * width > LARGEST {
            return Err(io::Error::from_raw_os_error(libc::E2BIG));
        }
        at = at.wrapping_add(length as u64);
    }
}

/// Adds the pointers in `piece` to `all`; whether one of them ends the array.
fn taken(piece: &[u8], width: usize, all: &mut Vec<u64>) -> bool {
    for bytes in piece.chunks_exact(width) {
        let mut whole = [0; 8];
        for (byte, found) in whole.iter_mut().zip(bytes) {
            *byte = *found;
        }
        match u64::from_le_bytes(whole) {
            0 => return true,
            pointer => all.push(pointer),
        }
    }
    false
}

/// The string at `address`.
///
/// # Errors
/// As [`all`].
pub fn string(thread: u32, address: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut at = address;
    let mut room = [0; PAGE as usize];
    loop {
        let length = left(at);
        let got = read_memory(thread, &[(at, length)], room.get_mut(..length).unwrap_or_default())?;
        let piece = room.get(..got).unwrap_or_default();
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(piece.get(..end).unwrap_or_default());
            return Ok(text);
        }
        if got < length {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        text.extend_from_slice(piece);
        if text.len() > LARGEST {
            return Err(io::Error::from_raw_os_error(libc::E2BIG));
        }
        at = at.wrapping_add(got as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_may_end_behind_a_string() {
        // The last bytes of the stack's own mapping are the file name of this program (execve(2)).
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let stack = maps.lines().find(|line| line.ends_with("[stack]")).unwrap();
        let end = stack.split([' ', '-']).nth(1).unwrap();
        let end = u64::from_str_radix(end, 16).unwrap();
        let own = std::process::id();
        let mut last = vec![0; 9];
        assert_eq!(read_memory(own, &[(end - 9, 9)], &mut last).unwrap(), 9);
        assert!(last.ends_with(&[0; 8]));
        // A gap that would lead past it, and the string before it.
        let found = all(own, &[end - 8, end + 100], &mut Vec::new()).unwrap_err();
        assert_eq!(found.raw_os_error(), Some(libc::EFAULT));
        let found = all(own, &[end - 8, end - 1], &mut Vec::new());
        assert_eq!(found.unwrap(), [b"", b""]);
    }
}
