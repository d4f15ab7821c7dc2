//! What a process that waits in execve(2) has put into its memory: a path, arguments, an environment.
//! Most calls are read by one or two system calls: the beginning of all three and what the environment before lay in, then
//! strings that were not among that. Most environments are that of the call before.

use super::kernel::read_memory;
use super::strings::{self, AT_ONCE, cut, left, pointers, ranges_of, string};
use std::io;
use std::sync::Arc;

/// How much of a path and of each array is read at first.
const START: usize = 1024;

/// Where strings are read to, used again and again, and the last environment.
#[derive(Debug, Default)]
pub struct Room {
    beginning: Vec<u8>,
    bytes: Vec<u8>,
    last: Last,
}

/// Strings, in their order.
type Strings = Vec<Vec<u8>>;

/// An environment, with where its array and its strings lay and what was read there.
#[derive(Debug, Default)]
struct Last {
    array: u64,
    pointers: Vec<u64>,
    ranges: Vec<(u64, usize)>,
    bytes: Vec<u8>,
    entries: Arc<Strings>,
}

impl Last {
    /// The same environment again, if there are such `pointers`, and these `bytes` where they lead.
    fn again(&self, pointers: &[u64], bytes: &[u8]) -> Option<Arc<Strings>> {
        let is_same = self.pointers == pointers && self.bytes == bytes;
        (is_same && !bytes.is_empty()).then(|| Arc::clone(&self.entries))
    }
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
    let start = |at: u64| (at, if at == 0 { 0 } else { left(at).min(START) });
    let starts = [(path, left(path).min(START)), start(argv), start(envp)];
    let again = if desk.last.array == envp { &desk.last.ranges[..] } else { &[] };
    let ranges = [&starts[..], again].concat();
    let mut room = std::mem::take(&mut desk.beginning);
    room.resize(ranges.iter().map(|(_, length)| length).sum(), 0);
    let got = read_memory(thread, &ranges, &mut room)?;
    let mut rest = room.get(..got).unwrap_or_default();
    let [of_path, of_argv, of_envp] = starts.map(|(_, length)| {
        // Where one is not there at all, the slow way says so.
        let (piece, behind) = rest.split_at_checked(length).unwrap_or_default();
        rest = behind;
        piece
    });
    let path_word = match text_in(of_path) {
        Some(text) => text.to_vec(),
        None => string(thread, path)?,
    };
    let argv_at = pointers(thread, (argv, of_argv), width)?;
    let envp_at = pointers(thread, (envp, of_envp), width)?;
    let seen = [(path, of_path), (argv, of_argv)];
    let words = || {
        let words = argv_at.iter().map(|at| Some(text_in(behind(*at, &seen)?)?.to_vec()));
        (argv_at.len() <= AT_ONCE).then(|| words.collect::<Option<Strings>>())?
    };
    let again = desk.last.again(&envp_at, rest);
    let found = again.and_then(|environment| Some((environment, words()?)));
    desk.beginning = room;
    let (environment, argv) = match found {
        Some(found) => found,
        None => both(thread, argv_at, (envp, envp_at), desk)?,
    };
    Ok(Words { path: path_word, argv, environment })
}

/// What has been read from address `at` on, if anything has, of these pieces of memory.
fn behind<'p>(at: u64, pieces: &[(u64, &'p [u8])]) -> Option<&'p [u8]> {
    pieces.iter().find_map(|(start, piece)| {
        piece.get(usize::try_from(at.checked_sub(*start)?).ok()?..).filter(|rest| !rest.is_empty())
    })
}

/// The string that begins with `piece`, if it ends there.
fn text_in(piece: &[u8]) -> Option<&[u8]> {
    piece.get(..piece.iter().position(|byte| *byte == 0)?)
}

/// Environment and arguments, whose strings lie at these addresses; those of the environment stand in `array`.
fn both(
    thread: u32,
    argv: Vec<u64>,
    (array, envp): (u64, Vec<u64>),
    room: &mut Room,
) -> io::Result<(Arc<Strings>, Strings)> {
    let count = argv.len();
    let all = [argv, envp].concat();
    if all.len() > AT_ONCE {
        let mut strings = strings::all(thread, &all, &mut room.bytes)?;
        let environment = strings.split_off(count);
        return Ok((Arc::new(environment), strings));
    }
    let pieces = strings::pieces_of(thread, &all, &mut room.bytes)?;
    let (of_argv, of_envp) = pieces.split_at(count);
    let length = of_argv.iter().map(|(_, length)| length).sum();
    let (first, rest) = room.bytes.split_at_checked(length).unwrap_or_default();
    let words = cut(thread, of_argv, first)?;
    let (_, envp) = all.split_at(count);
    if let Some(entries) = room.last.again(envp, rest) {
        return Ok((entries, words));
    }
    let entries = Arc::new(cut(thread, of_envp, rest)?);
    let read: usize = of_envp.iter().map(|(_, length)| length).sum();
    let is_whole =
        of_envp.iter().zip(entries.iter()).all(|((_, length), entry)| entry.len() < *length);
    if is_whole && read == rest.len() {
        room.last = Last {
            array,
            pointers: envp.to_vec(),
            ranges: ranges_of(of_envp),
            bytes: rest.to_vec(),
            entries: Arc::clone(&entries),
        };
    }
    Ok((entries, words))
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
    fn what_lay_somewhere_is_looked_for_there_again() {
        let mut room = Room::default();
        let mut block = *b"word\0A=1\0B=2\0\0\0\0";
        let at = |offset: u64| block.as_ptr() as u64 + offset;
        let (argv, envp) = ([at(0), 0], std::cell::RefCell::new([at(5), at(9), 0]));
        let path = at(0);
        let read_again = |room: &mut Room| {
            let (argv, envp) = (argv.as_ptr() as u64, envp.borrow().as_ptr() as u64);
            let place = Place { path, argv, envp, width: 8 };
            let found = read(std::process::id(), place, room).unwrap();
            (found.argv, found.environment)
        };
        let (_, first) = read_again(&mut room);
        for _ in 0..2 {
            let (argv, second) = read_again(&mut room);
            assert_eq!(argv, [b"word"]);
            assert!(Arc::ptr_eq(&first, &second));
        }
        // Other pointers in the same place.
        envp.borrow_mut()[0] = at(9);
        assert_eq!(*read_again(&mut room).1, [b"B=2", b"B=2"]);
        envp.borrow_mut()[0] = at(5);
        assert_eq!(read_again(&mut room).1, first);
        // Other strings.
        block[7] = b'3';
        std::hint::black_box(&block);
        assert_eq!(*read_again(&mut room).1, [b"A=3", b"B=2"]);
        // None there at all.
        room.last.ranges = vec![(8, 8)];
        assert_eq!(*read_again(&mut room).1, [b"A=3", b"B=2"]);
    }
}
