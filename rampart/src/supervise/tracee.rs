//! What a process that waits in execve(2) asks for, read from its own memory: it cannot say
//! anything else than what the kernel would read.

use super::filter::convention;
use super::kernel::{Notice, read_memory};
use crate::asked::Asked;
use crate::launch::environment::Environment;
use crate::process::{Process, small};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Size of a page, at whose end memory may end.
const PAGE: u64 = 4096;

/// How much of a string is read at first: most are shorter.
const FIRST: usize = 128;

/// How many strings are read by one system call.
const AT_ONCE: usize = 512;

/// More than the kernel takes (`_STK_LIM / 4 * 3`, execve(2)), in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// `AT_FDCWD` as an argument: only its lower half counts.
const AT_FDCWD: u32 = libc::AT_FDCWD.cast_unsigned();

/// A call to start a program.
#[derive(Debug)]
pub struct Tracee {
    /// The process.
    pub process: u32,
    /// Its parent.
    pub parent: u32,
    /// Its real user.
    pub user: u32,
    /// How many threads it has.
    pub threads: u32,
    /// What it wants to start; the file is absolute, and as we would find it.
    pub asked: Asked,
    /// Whether it lives in another root directory or another mount namespace.
    pub is_elsewhere: bool,
}

impl Tracee {
    /// Reads what `notice` is about.
    ///
    /// # Errors
    /// `EFAULT` if an address leads nowhere, which is what the kernel would say; others if the
    /// process cannot be looked at.
    pub fn read(notice: &Notice) -> io::Result<Self> {
        let (convention, is_at) = convention(notice.arch, notice.number)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOSYS))?;
        let thread = notice.thread;
        let pointer = |value: u64| if convention.width == 4 { value & 0xffff_ffff } else { value };
        let [first, second, third, fourth, fifth, _] = notice.args;
        let (directory, path, argv, envp, flags) = match is_at {
            false => (AT_FDCWD, first, second, third, 0),
            true => (lower(first), second, third, fourth, lower(fifth)),
        };
        let (process, parent, user, threads) = status(thread)?;
        let path = string(thread, pointer(path))?;
        let mut argv = strings(thread, pointer(argv), convention.width)?;
        if argv.is_empty() {
            // As the kernel does it since Linux 5.18.
            argv.push(Vec::new());
        }
        let environment = strings(thread, pointer(envp), convention.width)?;
        let cwd = link(thread, "cwd")?;
        let is_elsewhere = is_elsewhere(thread);
        let file = file(thread, (directory, &path, flags), is_elsewhere)?;
        Ok(Self {
            process,
            parent,
            user,
            threads,
            asked: Asked {
                tool: b"exec".to_vec(),
                file,
                argv,
                shell: None,
                cwd: Some(cwd),
                environment: Environment::of_entries(environment),
                ..Asked::default()
            },
            is_elsewhere,
        })
    }
}

impl Tracee {
    /// Whether the file lies in memory only (memfd_create(2)).
    pub fn is_in_memory(&self) -> bool {
        let path = &self.asked.file;
        path.starts_with(b"/memfd:")
            || (path.starts_with(b"/proc/")
                && fs::read_link(self.asked.path()).is_ok_and(|to| to.starts_with("/memfd:")))
    }

    /// The program that `process` has become; `None` if it may not be looked at.
    pub fn behind(process: u32) -> Option<Self> {
        let asked = Asked::of_process(Process::of(process)?)?;
        let (process, parent, user, threads) = status(process).ok()?;
        Some(Self { process, parent, user, threads, asked, is_elsewhere: is_elsewhere(process) })
    }
}

fn lower(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

fn link(thread: u32, name: &str) -> io::Result<Vec<u8>> {
    let found = fs::read_link(format!("/proc/{thread}/{name}"))?;
    Ok(found.into_os_string().into_encoded_bytes())
}

/// Whether paths mean something else there than here.
fn is_elsewhere(thread: u32) -> bool {
    /// Ours, which do not change.
    static OWN: OnceLock<[Option<PathBuf>; 2]> = OnceLock::new();
    let of = |whose: &str| {
        ["root", "ns/mnt"].map(|name| fs::read_link(format!("/proc/{whose}/{name}")).ok())
    };
    *OWN.get_or_init(|| of("self")) != of(&thread.to_string())
}

/// How a file is named: a descriptor of a directory, a path, and flags of execveat(2).
type Named<'a> = (u32, &'a [u8], u32);

/// The file that is meant, by a path that means the same to us.
fn file(
    thread: u32,
    (directory, path, flags): Named<'_>,
    is_elsewhere: bool,
) -> io::Result<Vec<u8>> {
    let process = format!("/proc/{thread}");
    if path.is_empty() {
        if flags & libc::AT_EMPTY_PATH.cast_unsigned() == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        return Ok(descriptor(thread, directory));
    }
    let root = if is_elsewhere { format!("{process}/root") } else { String::new() };
    // What is its own in /proc, it would be ours if we looked.
    for (own, its) in [
        (&b"/proc/self/"[..], format!("{process}/")),
        (b"/proc/thread-self/", format!("{process}/")),
        (b"/dev/fd/", format!("{process}/fd/")),
    ] {
        if let Some(rest) = path.strip_prefix(own) {
            return Ok([its.as_bytes(), rest].concat());
        }
    }
    if path.starts_with(b"/") {
        return Ok([root.as_bytes(), path].concat());
    }
    if directory == AT_FDCWD {
        let base = format!("{process}/cwd/").into_bytes();
        return Ok(if is_elsewhere { [&base, path].concat() } else { path.to_vec() });
    }
    let base = match is_elsewhere {
        true => format!("{process}/fd/{directory}").into_bytes(),
        false => descriptor(thread, directory),
    };
    Ok([&base, &b"/"[..], path].concat())
}

/// The file behind a descriptor: by its name, if it still has the one that it was opened by.
fn descriptor(thread: u32, descriptor: u32) -> Vec<u8> {
    let link = format!("/proc/{thread}/fd/{descriptor}");
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let named = fs::read_link(&link).ok();
    let is_same =
        |name: &PathBuf| identity(name).is_some_and(|it| identity(Path::new(&link)) == Some(it));
    match named.filter(is_same) {
        Some(name) => name.into_os_string().into_encoded_bytes(),
        None => link.into_bytes(),
    }
}

/// Process, parent, real user and number of threads of the process of `thread` (proc_pid_status(5)).
fn status(thread: u32) -> io::Result<(u32, u32, u32, u32)> {
    let text = small(&format!("/proc/{thread}/status"))?;
    let text = String::from_utf8_lossy(&text);
    let number = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.split_ascii_whitespace().next()?.parse().ok()
    };
    let all = (number("Tgid"), number("PPid"), number("Uid"), number("Threads"));
    match all {
        (Some(process), Some(parent), Some(user), Some(threads)) => {
            Ok((process, parent, user, threads))
        }
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// How many bytes of the page are left at `address`.
fn left(address: u64) -> usize {
    usize::try_from(PAGE - address % PAGE).unwrap_or_default()
}

/// An array of pointers to strings, ended by a null pointer; no array at all is an empty one.
fn strings(thread: u32, array: u64, width: usize) -> io::Result<Vec<Vec<u8>>> {
    if array == 0 {
        return Ok(Vec::new());
    }
    let pointers = pointers(thread, array, width)?;
    let mut all = Vec::with_capacity(pointers.len());
    let mut total = 0_usize;
    let mut room = vec![0; FIRST * AT_ONCE.min(pointers.len())];
    for some in pointers.chunks(AT_ONCE) {
        let ranges: Vec<(u64, usize)> = some.iter().map(|at| (*at, left(*at).min(FIRST))).collect();
        let wanted: usize = ranges.iter().map(|(_, length)| length).sum();
        let got = read_memory(thread, &ranges, room.get_mut(..wanted).unwrap_or_default())?;
        if got < wanted {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        let mut rest = room.get(..wanted).unwrap_or_default();
        for (address, length) in ranges {
            let (piece, behind) = rest.split_at_checked(length).unwrap_or_default();
            rest = behind;
            let text = match piece.iter().position(|byte| *byte == 0) {
                Some(end) => piece.get(..end).unwrap_or_default().to_vec(),
                None => string(thread, address)?,
            };
            total = total.saturating_add(text.len() + 1);
            if total > LARGEST {
                return Err(io::Error::from_raw_os_error(libc::E2BIG));
            }
            all.push(text);
        }
    }
    Ok(all)
}

fn pointers(thread: u32, array: u64, width: usize) -> io::Result<Vec<u64>> {
    let mut all = Vec::new();
    let mut at = array;
    let mut room = [0; PAGE as usize];
    loop {
        // Never across the end of a page, except for one pointer that lies across it.
        let length = (left(at) / width * width).max(width);
        let piece = room.get_mut(..length).unwrap_or_default();
        let got = read_memory(thread, &[(at, length)], piece)?;
        for bytes in piece.get(..got).unwrap_or_default().chunks_exact(width) {
            let mut whole = [0; 8];
            for (byte, found) in whole.iter_mut().zip(bytes) {
                *byte = *found;
            }
            match u64::from_le_bytes(whole) {
                0 => return Ok(all),
                pointer => all.push(pointer),
            }
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

    #[test]
    fn strings_are_read_whole() {
        let own = std::process::id();
        let long = vec![b'x'; 20_000];
        let texts: [&[u8]; 4] = [b"a\0", b"\0", b"two words\0", &[&long[..], b"\0"].concat()];
        let mut array: Vec<u64> = texts.iter().map(|text| text.as_ptr() as u64).collect();
        array.push(0);
        let found = strings(own, array.as_ptr() as u64, 8).unwrap();
        assert_eq!(found, [&b"a"[..], b"", b"two words", &long]);
        assert_eq!(strings(own, 0, 8).unwrap(), Vec::<Vec<u8>>::new());
        let many: Vec<u64> = std::iter::repeat_n(array[2], 5_000).chain([0]).collect();
        assert_eq!(strings(own, many.as_ptr() as u64, 8).unwrap().len(), 5_000);
        let wrong = [8_u64, 0];
        let error = strings(own, wrong.as_ptr() as u64, 8).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    }

    #[test]
    fn a_process_is_found_as_it_is() {
        let own = std::process::id();
        let (process, parent, user, threads) = status(own).unwrap();
        assert_eq!((process, parent), (own, std::os::unix::process::parent_id()));
        assert_eq!(user, rustix::process::getuid().as_raw());
        assert!(threads >= 1);
        assert!(!is_elsewhere(own));
        let cases: [(Named<'_>, String); 6] = [
            ((AT_FDCWD, b"/bin/sh", 0), "/bin/sh".into()),
            ((AT_FDCWD, b"x/y", 0), "x/y".into()),
            ((999, b"x", 0), format!("/proc/{own}/fd/999/x")),
            ((999, b"", 0x1000), format!("/proc/{own}/fd/999")),
            ((AT_FDCWD, b"/proc/self/exe", 0), format!("/proc/{own}/exe")),
            ((AT_FDCWD, b"/dev/fd/3", 0), format!("/proc/{own}/fd/3")),
        ];
        for (call, expected) in cases {
            assert_eq!(file(own, call, false).unwrap(), expected.as_bytes());
        }
        assert!(file(own, (AT_FDCWD, b"", 0), false).is_err());
    }
}
