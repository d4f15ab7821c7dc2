//! What a process that waits in execve(2) has put into its memory: a path, arguments, an environment.
//! Most calls are read by two system calls: the beginning of all three, then every string. Most environments are that
//! of the call before.

use super::kernel::read_memory;
use std::io;
use std::sync::Arc;

/// Size of a page, at whose end memory may end.
const PAGE: u64 = 4096;

/// How much of a string is read at first where nothing tells its length: most are shorter.
const FIRST: usize = 128;

/// How many strings are read by one system call.
const AT_ONCE: usize = 512;

/// How much of a path and of each array is read at first.
const START: usize = 1024;

/// More than the kernel takes (`_STK_LIM / 4 * 3`, execve(2)), in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// Where strings are read to, used again and again, and the last environment.
#[derive(Debug, Default)]
pub struct Room {
    bytes: Vec<u8>,
    last: Last,
}

/// Strings, in their order.
type Strings = Vec<Vec<u8>>;

/// An environment, with where its strings lay and what was read there.
#[derive(Debug, Default)]
struct Last {
    pointers: Vec<u64>,
    bytes: Vec<u8>,
    entries: Arc<Strings>,
}

/// What execve(2) is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The path, as it stands there.
    pub path: Vec<u8>,
    /// The arguments.
    pub argv: Vec<Vec<u8>>,
    /// The environment.
    pub environment: Arc<Strings>,
}

/// Where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Of the path.
    pub path: u64,
    /// Of the array of arguments; 0 is an empty one.
    pub argv: u64,
    /// Of the array of the environment; 0 is an empty one.
    pub envp: u64,
    /// Width of a pointer in them, in bytes.
    pub width: usize,
}

/// Reads what lies at `place` in the memory of `thread`.
///
/// # Errors
/// `EFAULT` if an address leads nowhere, which is what the kernel would say, `E2BIG` for more than the
/// kernel takes; others if the process cannot be looked at.
pub fn read(thread: u32, place: Place, desk: &mut Room) -> io::Result<Words> {
    let Place { path, argv, envp, width } = place;
    let mut room = [0; 3 * START];
    let start = |at: u64| (at, if at == 0 { 0 } else { left(at).min(START) });
    let starts = [(path, left(path).min(START)), start(argv), start(envp)];
    let wanted = starts.map(|(_, length)| length);
    let got = read_memory(thread, &starts, &mut room)?;
    let mut rest = room.get(..got).unwrap_or_default();
    let [of_path, of_argv, of_envp] = wanted.map(|length| {
        // Where one is not there at all, the slow way says so.
        let (piece, behind) = rest.split_at_checked(length).unwrap_or_default();
        rest = behind;
        piece
    });
    let path = match of_path.iter().position(|byte| *byte == 0) {
        Some(end) => of_path.get(..end).unwrap_or_default().to_vec(),
        None => string(thread, path)?,
    };
    let argv = pointers(thread, (argv, of_argv), width)?;
    let envp = pointers(thread, (envp, of_envp), width)?;
    let (argv, environment) = both(thread, argv, envp, desk)?;
    Ok(Words { path, argv, environment })
}

/// Arguments and environment, whose strings lie at these addresses.
fn both(
    thread: u32,
    argv: Vec<u64>,
    envp: Vec<u64>,
    room: &mut Room,
) -> io::Result<(Strings, Arc<Strings>)> {
    let count = argv.len();
    let all = [argv, envp].concat();
    if all.len() > AT_ONCE {
        let mut strings = strings(thread, &all, room)?;
        let environment = strings.split_off(count);
        return Ok((strings, Arc::new(environment)));
    }
    let pieces = pieces_of(thread, &all, room)?;
    let (of_argv, of_envp) = pieces.split_at(count);
    let length = of_argv.iter().map(|(_, length)| length).sum();
    let (first, rest) = room.bytes.split_at_checked(length).unwrap_or_default();
    let words = cut(thread, of_argv, first)?;
    let (_, envp) = all.split_at(count);
    // The same bytes at the same addresses are the same strings, unless one of them goes on behind what was read.
    if room.last.pointers != envp || room.last.bytes != rest {
        let entries = Arc::new(cut(thread, of_envp, rest)?);
        let read: usize = of_envp.iter().map(|(_, length)| length).sum();
        let is_whole =
            of_envp.iter().zip(entries.iter()).all(|((_, length), entry)| entry.len() < *length);
        if !is_whole || read != rest.len() {
            return Ok((words, entries));
        }
        room.last = Last { pointers: envp.to_vec(), bytes: rest.to_vec(), entries };
    }
    Ok((words, Arc::clone(&room.last.entries)))
}

/// How many bytes of the page are left at `address`.
fn left(address: u64) -> usize {
    usize::try_from(PAGE - address % PAGE).unwrap_or_default()
}

/// The strings at these addresses.
fn strings(thread: u32, pointers: &[u64], room: &mut Room) -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::with_capacity(pointers.len());
    let mut total = 0_usize;
    for some in pointers.chunks(AT_ONCE) {
        let pieces = pieces_of(thread, some, room)?;
        let found = cut(thread, &pieces, &room.bytes)?;
        total = found.iter().fold(total, |sum, text| sum.saturating_add(text.len() + 1));
        if total > LARGEST {
            return Err(io::Error::from_raw_os_error(libc::E2BIG));
        }
        all.extend(found);
    }
    Ok(all)
}

/// Reads what lies at these addresses into `room`: a piece for each, one behind the other.
fn pieces_of(thread: u32, some: &[u64], room: &mut Room) -> io::Result<Vec<(u64, usize)>> {
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
fn cut(thread: u32, pieces: &[(u64, usize)], bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
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
fn are_there(thread: u32, pieces: &[(u64, usize)], room: &mut Room) -> io::Result<bool> {
    let mut ranges: Vec<(u64, usize)> = Vec::with_capacity(pieces.len());
    for (address, length) in pieces {
        match ranges.last_mut() {
            Some((start, so_far)) if start.wrapping_add(*so_far as u64) == *address => {
                *so_far += length;
            }
            _ => ranges.push((*address, *length)),
        }
    }
    let wanted: usize = pieces.iter().map(|(_, length)| length).sum();
    room.bytes.resize(wanted, 0);
    if wanted == 0 {
        return Ok(true);
    }
    match read_memory(thread, &ranges, &mut room.bytes) {
        Ok(got) => Ok(got == wanted),
        Err(error) if error.raw_os_error() == Some(libc::EFAULT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The pointers of an array, up to the null pointer that ends it; of which `piece` has been read.
fn pointers(thread: u32, (array, piece): (u64, &[u8]), width: usize) -> io::Result<Vec<u64>> {
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
fn string(thread: u32, address: u64) -> io::Result<Vec<u8>> {
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

    fn of(path: &[u8], argv: &[u64], envp: &[u64]) -> io::Result<Words> {
        let at = |array: &[u64]| if array.is_empty() { 0 } else { array.as_ptr() as u64 };
        let place = Place { path: path.as_ptr() as u64, argv: at(argv), envp: at(envp), width: 8 };
        read(std::process::id(), place, &mut Room::default())
    }

    #[test]
    fn strings_are_read_whole() {
        let long = vec![b'x'; 20_000];
        let texts: [&[u8]; 4] = [b"a\0", b"\0", b"two words\0", &[&long[..], b"\0"].concat()];
        let mut array: Vec<u64> = texts.iter().map(|text| text.as_ptr() as u64).collect();
        array.push(0);
        let path = [&long[..], b"\0"].concat();
        let found = of(&path, &array, &[]).unwrap();
        assert_eq!(found.path, long);
        assert_eq!(found.argv, [&b"a"[..], b"", b"two words", &long]);
        assert!(found.environment.is_empty());
        assert_eq!(of(b"x\0", &[], &array).unwrap().environment.len(), 4);
        let many: Vec<u64> = std::iter::repeat_n(array[2], 5_000).chain([0]).collect();
        let found = of(b"\0", &many, &many).unwrap();
        assert_eq!((found.argv.len(), found.environment.len()), (5_000, 5_000));
        for wrong in [[8_u64, 0], [u64::MAX, 0]] {
            let error = of(b"x\0", &array, &wrong).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
        }
    }

    #[test]
    fn neighbours_are_read_at_once() {
        let block = b"one\0two\0\0PATH=/bin\0";
        let at = |offset: u64| block.as_ptr() as u64 + offset;
        let found = of(block, &[at(0), at(4), at(8), 0], &[at(9), 0]).unwrap();
        assert_eq!(found.argv, [&b"one"[..], b"two", b""]);
        assert_eq!(*found.environment, [b"PATH=/bin"]);
        // One that begins inside of another, and backwards.
        let found = of(block, &[at(0), at(1), at(0), 0], &[]).unwrap();
        assert_eq!(found.argv, [&b"one"[..], b"ne", b"one"]);
    }

    #[test]
    fn an_environment_is_the_last_one_only_if_it_is() {
        let mut room = Room::default();
        let mut of = |block: &[u8], envp: &[u64]| {
            let argv = [block.as_ptr() as u64, 0];
            let (argv, envp) = (argv.as_ptr() as u64, envp.as_ptr() as u64);
            let place = Place { path: block.as_ptr() as u64, argv, envp, width: 8 };
            read(std::process::id(), place, &mut room).unwrap().environment
        };
        let mut block = *b"word\0A=1\0B=2\0\0\0\0";
        let at = |offset: u64| block.as_ptr() as u64 + offset;
        let (two, one) = ([at(5), at(9), 0], [at(9), 0]);
        let first = of(&block, &two);
        assert_eq!(*first, [b"A=1", b"B=2"]);
        assert!(Arc::ptr_eq(&first, &of(&block, &two)));
        block[0] = b'W';
        assert!(Arc::ptr_eq(&first, &of(&block, &two)), "the argument is none of it");
        assert_eq!(*of(&block, &one), [b"B=2"]);
        block[7] = b'3';
        assert_eq!(*of(&block, &two), [b"A=3", b"B=2"]);
        // One that goes on behind what is read at first.
        let mut long = [b'x'; 400];
        (long[0], long[399]) = (0, 0);
        let envp = [long.as_ptr() as u64 + 1, 0];
        assert_eq!(of(&long, &envp)[0].len(), 398);
        long[300] = b'y';
        assert_eq!(of(&long, &envp)[0][299], b'y');
    }

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
        let found = strings(own, &[end - 8, end + 100], &mut Room::default()).unwrap_err();
        assert_eq!(found.raw_os_error(), Some(libc::EFAULT));
        let found = strings(own, &[end - 8, end - 1], &mut Room::default());
        assert_eq!(found.unwrap(), [b"", b""]);
    }
}
