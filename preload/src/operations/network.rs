//! The hooks on addresses. A rule is about a name where `getaddrinfo(3)` was asked for it in this
//! process, and about the address itself in any case: the stricter answer counts.

use core::ffi::{c_int, c_uint, c_void};

use evaluator::image::gate::operation::{CONNECT, LISTEN};
use libc::{AF_INET, AF_INET6};

use super::hosts::{Address, LONGEST};
use super::verdict::Operation;
use super::{State, refuse, state};
use crate::strings::{AnyPath, PathBytes};
use crate::sys;

/// An address and its port.
#[derive(Clone, Copy)]
pub struct Place {
    pub address: Address,
    port: u16,
}

/// The first 12 bytes of an IPv4 address that is mapped into IPv6.
const MAPPED: u64 = 0xffff;

impl Place {
    /// What a `sockaddr` of `len` bytes says; `None` if it is of another family, or too short.
    ///
    /// # Safety
    /// `start` is NULL or `len` readable bytes.
    pub unsafe fn of(start: *const c_void, len: usize) -> Option<Self> {
        if start.is_null() || len < 8 {
            return None;
        }
        // SAFETY: the caller's promise.
        let bytes = unsafe { core::slice::from_raw_parts(start.cast::<u8>(), len) };
        let family = c_int::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
        let address = match family {
            AF_INET => Self::address_of(bytes.get(4..)?.first_chunk::<4>()?),
            AF_INET6 => Self::address_of(bytes.get(8..)?.first_chunk::<16>()?),
            _ => return None,
        };
        Some(Self { address: address?, port })
    }

    /// An address of 4 or 16 bytes; `None` for any other length.
    pub fn address_of(bytes: &[u8]) -> Option<Address> {
        match bytes.len() {
            4 => {
                let address = u32::from_be_bytes(*bytes.first_chunk()?);
                Some([0, MAPPED << 32 | u64::from(address)])
            }
            16 => {
                let high = u64::from_be_bytes(*bytes.first_chunk()?);
                Some([high, u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)])
            }
            _ => None,
        }
    }

    /// As in a URL: `10.0.0.1:443`, `[2001:db8:0:0:0:0:0:1]:443`.
    fn write(&self, out: &mut AnyPath) -> Option<()> {
        let [high, low] = self.address;
        if high == 0 && low >> 32 == MAPPED {
            for (index, byte) in (low as u32).to_be_bytes().into_iter().enumerate() {
                let dot = if index == 0 { &b""[..] } else { b"." };
                let _ = out.push(dot)?.push_number(byte)?;
            }
        } else {
            for index in 0..8_u32 {
                let half = if index < 4 { high } else { low };
                let group = (half >> (48 - 16 * (index & 3))) as u16;
                let _ = out.push(if index == 0 { b"[" } else { b":" })?;
                push_hexadecimal(out, group)?;
            }
            let _ = out.push(b"]")?;
        }
        out.push(b":")?.push_number(self.port).map(drop)
    }
}

fn push_hexadecimal(out: &mut AnyPath, number: u16) -> Option<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut is_first = true;
    for shift in [12, 8, 4, 0] {
        let digit = usize::from(number >> shift & 15);
        if digit != 0 || !is_first || shift == 0 {
            let _ = out.push(DIGITS.get(digit..=digit)?)?;
            is_first = false;
        }
    }
    Some(())
}

impl State {
    /// Whether an address may be used. `None` stands for one that no rule can be about.
    fn may_reach(&self, hook: &'static str, kind: u32, place: Option<Place>) -> bool {
        match place {
            Some(place) if self.is_about(kind) => self.reach(hook, kind, place),
            _ => true,
        }
    }

    #[inline(never)]
    fn reach(&self, hook: &'static str, kind: u32, place: Place) -> bool {
        let mut address = PathBytes::<96>::new();
        let mut named = PathBytes::<128>::new();
        let mut room = [0; LONGEST + 1];
        if address.push(b"socket://").and_then(|out| place.write(out)).is_none() {
            return false;
        }
        if let Some(name) = self.hosts.name(place.address, &mut room) {
            let _ = named
                .push(b"socket://")
                .and_then(|out| out.push(name))
                .and_then(|out| out.push(b":"))
                .and_then(|out| out.push_number(place.port));
        }
        let tool = if kind == LISTEN { "listen" } else { "connect" };
        let urls = [named.as_bytes(), address.as_bytes()];
        self.permits(&Operation { hook, tool, named: None, urls })
    }
}

/// `connect(2)`, judged.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn connect(fd: c_int, address: *const c_void, len: c_uint) -> c_int {
    type Next = unsafe extern "C" fn(c_int, *const c_void, c_uint) -> c_int;
    let Some(state) = state() else {
        return refuse();
    };
    // SAFETY: the caller's promise.
    unsafe {
        let place = Place::of(address, len as usize);
        if !state.may_reach("connect", CONNECT, place) {
            return refuse();
        }
        next!(state, connect as Next)(fd, address, len)
    }
}

/// `bind(2)`, judged.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn bind(fd: c_int, address: *const c_void, len: c_uint) -> c_int {
    type Next = unsafe extern "C" fn(c_int, *const c_void, c_uint) -> c_int;
    let Some(state) = state() else {
        return refuse();
    };
    // SAFETY: the caller's promise.
    unsafe {
        let place = Place::of(address, len as usize);
        if !state.may_reach("bind", LISTEN, place) {
            return refuse();
        }
        next!(state, bind as Next)(fd, address, len)
    }
}

/// `sendto(2)`, judged.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn sendto(
    fd: c_int,
    bytes: *const c_void,
    count: usize,
    flags: c_int,
    address: *const c_void,
    len: c_uint,
) -> isize {
    type Next =
        unsafe extern "C" fn(c_int, *const c_void, usize, c_int, *const c_void, c_uint) -> isize;
    let Some(state) = state() else {
        return refuse() as isize;
    };
    // SAFETY: the caller's promise.
    unsafe {
        let place = Place::of(address, len as usize);
        if !state.may_reach("sendto", CONNECT, place) {
            return refuse() as isize;
        }
        next!(state, sendto as Next)(fd, bytes, count, flags, address, len)
    }
}

/// The address in a message's header.
///
/// # Safety
/// `message` is NULL or a valid header.
unsafe fn receiver(message: *const libc::msghdr) -> Option<Place> {
    // SAFETY: the caller's promise.
    unsafe {
        let message = message.as_ref()?;
        Place::of(message.msg_name.cast_const(), message.msg_namelen as usize)
    }
}

/// `sendmsg(2)`, judged.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn sendmsg(fd: c_int, message: *const libc::msghdr, flags: c_int) -> isize {
    type Next = unsafe extern "C" fn(c_int, *const libc::msghdr, c_int) -> isize;
    let Some(state) = state() else {
        return refuse() as isize;
    };
    // SAFETY: the caller's promise.
    unsafe {
        if !state.may_reach("sendmsg", CONNECT, receiver(message)) {
            return refuse() as isize;
        }
        next!(state, sendmsg as Next)(fd, message, flags)
    }
}

/// `sendmmsg(2)`, judged: if one message may not go, none does.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn sendmmsg(
    fd: c_int,
    messages: *mut libc::mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    type Next = unsafe extern "C" fn(c_int, *mut libc::mmsghdr, c_uint, c_int) -> c_int;
    let Some(state) = state() else {
        return refuse();
    };
    // SAFETY: the caller's promise: an array of `count` headers, or NULL.
    unsafe {
        for index in 0..if messages.is_null() { 0 } else { count as usize } {
            let message = &raw const (*messages.add(index)).msg_hdr;
            if !state.may_reach("sendmmsg", CONNECT, receiver(message)) {
                return refuse();
            }
        }
        next!(state, sendmmsg as Next)(fd, messages, count, flags)
    }
}

/// `listen(2)`, judged: by the address that the socket has, which may be any for one that was never
/// bound.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    type Next = unsafe extern "C" fn(c_int, c_int) -> c_int;
    let Some(state) = state() else {
        return refuse();
    };
    let mut room = [0_u64; 16];
    let len = if state.is_about(LISTEN) && !state.is_confined() {
        sys::own_address(fd, &mut room)
    } else {
        0
    };
    // SAFETY: `room` has `len` bytes; the caller's promise.
    unsafe {
        let place = Place::of(room.as_ptr().cast(), len);
        if !state.may_reach("listen", LISTEN, place) {
            return refuse();
        }
        next!(state, listen as Next)(fd, backlog)
    }
}
