//! The programs that an attack tries to start, made without a compiler: an ELF file of one page of text
//! and, for the dynamic one, one of data. Each creates the file that its first argument names and exits
//! with 7, so that whether it ran is a fact and not what somebody reports.
//!
//! Layout: elf(5); the dynamic section holds what ld.so of glibc and of musl insist on, and no library: the
//! interposer brings libc with it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where the file lies in memory.
const BASE: u64 = 0x40_0000;
/// Where its data begins: behind a page of any size that Linux has.
const DATA: u64 = 0x1_0000;
/// Size of the ELF header and of one program header.
const HEADER: u64 = 64;
const PROGRAM_HEADER: u64 = 56;

/// `open(argv[1], O_WRONLY|O_CREAT|O_TRUNC, 0600); exit(7)`
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[
    0x48, 0x8b, 0x7c, 0x24, 0x10, // mov 16(%rsp), %rdi
    0xbe, 0x41, 0x02, 0, 0, // mov $0x241, %esi
    0xba, 0x80, 0x01, 0, 0, // mov $0600, %edx
    0xb8, 0x02, 0, 0, 0, 0x0f, 0x05, // open
    0xbf, 0x07, 0, 0, 0, // mov $7, %edi
    0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05, // exit
];
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;

/// `openat(AT_FDCWD, argv[1], O_WRONLY|O_CREAT|O_TRUNC, 0600); exit(7)`
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[
    0xe1, 0x0b, 0x40, 0xf9, // ldr x1, [sp, #16]
    0x60, 0x0c, 0x80, 0x92, // mov x0, #-100
    0x22, 0x48, 0x80, 0x52, // mov w2, #0x241
    0x03, 0x30, 0x80, 0x52, // mov w3, #0600
    0x08, 0x07, 0x80, 0x52, 0x01, 0, 0, 0xd4, // openat
    0xe0, 0, 0x80, 0x52, // mov w0, #7
    0xa8, 0x0b, 0x80, 0x52, 0x01, 0, 0, 0xd4, // exit
];
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// The program that needs no loader.
pub fn without_loader() -> Vec<u8> {
    let headers = [(1, 5, 0, BASE, 0, 0), STACK];
    file(&headers, &[], &[])
}

/// The program that `loader` loads, and the interposer with it.
pub fn with_loader(loader: &[u8]) -> Vec<u8> {
    let data = BASE + DATA;
    // DT_HASH (one empty bucket), DT_SYMTAB (the null symbol), DT_STRTAB.
    let tables = [1u32, 1, 0, 0].iter().flat_map(|word| word.to_le_bytes());
    let tables: Vec<u8> = tables.chain([0; 24 + 8]).collect();
    let at = data + 16 * 6;
    let entries = [(4, at), (6, at + 16), (5, at + 40), (10, 1), (11, 24), (0, 0)];
    let words = entries.iter().flat_map(|(tag, value): &(u64, u64)| [*tag, *value]);
    let dynamic: Vec<u8> = words.flat_map(u64::to_le_bytes).chain(tables).collect();
    let interpreter = [loader, b"\0"].concat();
    let name_at = HEADER + PROGRAM_HEADER * 6 + CODE.len() as u64;
    let (name, size) = (interpreter.len() as u64, dynamic.len() as u64);
    let headers = [
        (6, 4, HEADER, BASE + HEADER, PROGRAM_HEADER * 6, 0),
        (3, 4, name_at, BASE + name_at, name, 0),
        (1, 5, 0, BASE, 0, 0),
        (1, 6, DATA, data, size, 0),
        (2, 6, DATA, data, 16 * 6, 0),
        STACK,
    ];
    file(&headers, &interpreter, &dynamic)
}

/// Type, flags, offset, address, size (0: of the text) and what to add to the size.
type Header = (u32, u32, u64, u64, u64, u64);

/// A stack that is not executable.
const STACK: Header = (0x6474_e551, 6, 0, 0, 0, 0);

fn file(headers: &[Header], name: &[u8], data: &[u8]) -> Vec<u8> {
    let entry = HEADER + PROGRAM_HEADER * headers.len() as u64;
    let text = entry + CODE.len() as u64 + name.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let half = |value: u16, file: &mut Vec<u8>| file.extend(value.to_le_bytes());
    half(2, &mut file);
    half(MACHINE, &mut file);
    file.extend(1u32.to_le_bytes());
    for word in [BASE + entry, HEADER, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    let count = u16::try_from(headers.len()).unwrap_or_default();
    for value in [64, 56, count, 64, 0, 0] {
        half(value, &mut file);
    }
    for (kind, flags, offset, address, size, more) in headers {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        let size = if *kind == 1 && *size == 0 { text } else { *size } + more;
        for word in [*offset, *address, *address, size, size, if *kind == 1 { DATA } else { 8 }] {
            file.extend(word.to_le_bytes());
        }
    }
    file.extend_from_slice(CODE);
    file.extend_from_slice(name);
    if !data.is_empty() {
        file.resize(usize::try_from(DATA).unwrap_or_default(), 0);
        file.extend_from_slice(data);
    }
    file
}

/// The loader that the program at `path` asks for (`PT_INTERP`); `None` if it is static, or no ELF file of
/// 64 bits of this byte order.
pub fn loader_of(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let mut header = [0u8; 64];
    file.read_exact(&mut header).ok()?;
    if header.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let word = |bytes: &[u8], at: usize| {
        let found = bytes.get(at..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*found))
    };
    let start = word(&header, 32)?;
    let count = u16::from_le_bytes(*header.get(56..)?.first_chunk()?);
    for index in 0..u64::from(count) {
        let mut entry = [0u8; 56];
        file.read_exact_at(&mut entry, start.checked_add(index * PROGRAM_HEADER)?).ok()?;
        if entry.first_chunk() == Some(&3u32.to_le_bytes()) {
            let size = usize::try_from(word(&entry, 32)?).ok().filter(|size| *size < 4096)?;
            let mut name = vec![0; size];
            file.read_exact_at(&mut name, word(&entry, 8)?).ok()?;
            return name.split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    #[test]
    fn both_programs_run_and_leave_their_mark() {
        let dir = tempfile::tempdir().unwrap();
        let loader = loader_of(Path::new("/bin/sh")).expect("a dynamic shell");
        for (name, content) in [("static", without_loader()), ("dynamic", with_loader(&loader))] {
            let (path, mark) = (dir.path().join(name), dir.path().join("mark"));
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            assert_eq!(loader_of(&path), (name == "dynamic").then(|| loader.clone()));
            let status = Command::new(&path).arg(&mark).status().unwrap();
            assert_eq!((status.code(), mark.exists()), (Some(7), true), "{name}");
            std::fs::remove_file(mark).unwrap();
        }
    }
}
