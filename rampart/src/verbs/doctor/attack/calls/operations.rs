//! `rampart doctor-call operation FUNCTION PATH OTHER EMPTY` and `… address FUNCTION ADDRESS`: what programs do themselves, by
//! one function of libc. Prints `ok`, `errno N`, or `absent`.

use super::super::table::operations::{Arg, FILES};
use super::*;

/// Every function here takes numbers and pointers, at most five, in registers.
type Function = unsafe extern "C" fn(usize, usize, usize, usize, usize) -> usize;

/// Runs it.
pub fn file(name: &str, words: &[CString]) -> ExitCode {
    let Some((function, arguments, is_pointer)) = FILES.iter().find(|(known, ..)| *known == name)
    else {
        return absent();
    };
    let [path, other, empty] = words else {
        return absent();
    };
    let found = CString::new(*function).map(|name| symbol(&name, libc::RTLD_DEFAULT));
    let Some(found) = found.ok().filter(|found| !found.is_null()) else {
        return absent();
    };
    if name.contains("mount") || name == "open_tree" {
        apart();
    }
    let pattern = [other.as_bytes(), b"XXXXXX"].concat();
    let Ok(pattern) = CString::new(pattern).map(CString::into_raw) else {
        return absent();
    };
    let mut list = [0usize; 8];
    let mut numbers = [0usize; 5];
    for (slot, argument) in numbers.iter_mut().zip(*arguments) {
        *slot = match argument {
            Arg::Path => path.as_ptr() as usize,
            Arg::Other => other.as_ptr() as usize,
            Arg::Empty => empty.as_ptr() as usize,
            Arg::Number(number) => *number,
            Arg::At => libc::AT_FDCWD as usize,
            Arg::Nowhere => c"/nowhere".as_ptr() as usize,
            Arg::Read => c"r".as_ptr() as usize,
            Arg::Tmpfs => c"tmpfs".as_ptr() as usize,
            Arg::Attribute => c"user.rampart".as_ptr() as usize,
            Arg::Pattern => pattern as usize,
            Arg::List => list.as_mut_ptr() as usize,
            Arg::Opened => {
                raw(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0])
            }
            // SAFETY: a terminated mode, and standard input.
            Arg::Stream => unsafe { libc::fdopen(libc::dup(0), c"r".as_ptr()) as usize },
        };
    }
    let [one, two, three, four, five] = numbers;
    // SAFETY: the function of that name, with the arguments that it has; more in registers are not looked at.
    let result =
        unsafe { std::mem::transmute::<*mut c_void, Function>(found)(one, two, three, four, five) };
    // An `int` fills half of the register.
    let is_failed = if *is_pointer { result == 0 } else { result as c_int == -1 };
    told(is_failed)
}

/// Whether it failed, and how.
fn told(is_failed: bool) -> ExitCode {
    if is_failed {
        return said("errno", errno());
    }
    say("ok\n");
    ExitCode::SUCCESS
}

/// Puts this process into a mount namespace of its own, so that nothing that it mounts is seen by others.
fn apart() {
    // SAFETY: changes this process alone; without the privilege for it a mount fails, too.
    unsafe {
        if libc::unshare(libc::CLONE_NEWNS) == 0 {
            let private = libc::MS_REC | libc::MS_PRIVATE;
            libc::syscall(libc::SYS_mount, 0, c"/".as_ptr(), 0, private, 0);
        }
    }
}

/// A system call of three arguments without libc.
fn raw(number: c_long, [one, two, three]: [usize; 3]) -> usize {
    let result: usize;
    // SAFETY: the kernel's convention; the calls made here only read the caller's memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") number as usize => result, in("rdi") one,
            in("rsi") two, in("rdx") three, lateout("rcx") _, lateout("r11") _);
    }
    // SAFETY: the same.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("svc 0", in("x8") number as usize, inlateout("x0") one => result,
            in("x1") two, in("x2") three);
    }
    result
}

/// A datagram socket's call about `address` (IPv4, port 9, discard), or about the name of this machine's own.
pub fn address(name: &str, address: &CStr) -> ExitCode {
    // SAFETY: every structure is zeroed or filled before it is handed on, with its own size, and outlives the call.
    unsafe {
        let kind = if name == "listen" { libc::SOCK_STREAM } else { libc::SOCK_DGRAM };
        let file = libc::socket(libc::AF_INET, kind | libc::SOCK_CLOEXEC, 0);
        let mut to: libc::sockaddr_in = std::mem::zeroed();
        to.sin_family = libc::AF_INET as libc::sa_family_t;
        to.sin_port = if matches!(name, "bind" | "listen") { 0 } else { 9u16.to_be() };
        let text = address.to_str().unwrap_or_default();
        let number: std::net::Ipv4Addr = text.parse().unwrap_or(std::net::Ipv4Addr::LOCALHOST);
        to.sin_addr.s_addr = u32::from_ne_bytes(number.octets());
        let (at, size) = ((&raw const to).cast::<libc::sockaddr>(), size_of_val(&to));
        let size = size as libc::socklen_t;
        let mut byte = *b"x";
        let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: byte.len() };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_name = (&raw mut to).cast();
        message.msg_namelen = size;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        let result = match name {
            "connect" => i64::from(libc::connect(file, at, size)),
            "bind" => i64::from(libc::bind(file, at, size)),
            "listen" => {
                raw(libc::SYS_bind, [file as usize, at as usize, size as usize]);
                i64::from(libc::listen(file, 1))
            }
            "sendto" => libc::sendto(file, byte.as_ptr().cast(), 1, 0, at, size) as i64,
            "sendmsg" => libc::sendmsg(file, &raw const message, 0) as i64,
            "sendmmsg" => {
                let mut all = libc::mmsghdr { msg_hdr: message, msg_len: 0 };
                i64::from(libc::sendmmsg(file, &raw mut all, 1, 0))
            }
            _ if !look_up(name, address) => return absent(),
            _ => i64::from(libc::connect(file, at, size)),
        };
        told(result < 0)
    }
}

/// Looks `node` up by the function `name`, if it is a name and no address. False if there is no such function.
///
/// # Safety
/// In a process of one thread.
unsafe fn look_up(name: &str, node: &CStr) -> bool {
    type ByName = unsafe extern "C" fn(*const c_char, usize, usize, usize, usize) -> usize;
    type Into = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize) -> c_int;
    let found = CString::new(name).map(|name| symbol(&name, libc::RTLD_DEFAULT));
    let Some(found) = found.ok().filter(|found| !found.is_null()) else {
        return false;
    };
    if node != c"localhost" {
        return true;
    }
    let mut room = [0u64; 512];
    let mut answer = [0usize; 2];
    let (at, len) = (room.as_mut_ptr() as usize, size_of_val(&room) - 128);
    let (host, more) = (at, at + 128);
    let (result, error) = (answer.as_mut_ptr() as usize, answer.as_mut_ptr() as usize + 8);
    let (node, inet) = (node.as_ptr(), libc::AF_INET as usize);
    // SAFETY: each function is called with what it takes, and with room of the size that is said; more in
    // registers is not looked at.
    unsafe {
        match name {
            "gethostbyname_r" => {
                let call = std::mem::transmute::<*mut c_void, Into>(found);
                call(node as usize, host, more, len, result, error, 0);
            }
            "gethostbyname2_r" => {
                let call = std::mem::transmute::<*mut c_void, Into>(found);
                call(node as usize, inet, host, more, len, result, error);
            }
            "getaddrinfo" => {
                let call = std::mem::transmute::<*mut c_void, ByName>(found);
                call(node, 0, 0, result, 0);
            }
            _ => {
                let call = std::mem::transmute::<*mut c_void, ByName>(found);
                call(node, inet, 0, 0, 0);
            }
        }
    }
    true
}
