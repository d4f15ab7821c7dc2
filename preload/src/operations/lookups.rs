//! Which name a program looked up: remembered with the addresses that libc answered, so that rules on
//! names hold for what it does with them (`hosts`). Nothing is refused here.

use core::ffi::{CStr, c_char, c_int, c_void};

use evaluator::image::gate::operation::CONNECT;

use super::network::Place;
use super::{State, refuse, state};

/// `getaddrinfo(3)`: what it answers is remembered.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
) -> c_int {
    type Next = unsafe extern "C" fn(
        *const c_char,
        *const c_char,
        *const libc::addrinfo,
        *mut *mut libc::addrinfo,
    ) -> c_int;
    let Some(state) = state() else {
        refuse();
        return libc::EAI_SYSTEM;
    };
    // SAFETY: the caller's promise; on success `*result` is a list that ends with NULL.
    unsafe {
        let answer = next!(state, getaddrinfo as Next)(node, service, hints, result);
        if answer == 0 && !node.is_null() && state.is_about(CONNECT) {
            let name = CStr::from_ptr(node).to_bytes();
            let mut entry = (*result).cast_const();
            while let Some(found) = entry.as_ref() {
                let place = Place::of(found.ai_addr.cast(), found.ai_addrlen as usize);
                if let Some(place) = place {
                    state.hosts.note(place.address, name);
                }
                entry = found.ai_next;
            }
        }
        answer
    }
}

/// `struct hostent` (netdb.h).
#[repr(C)]
pub struct Host {
    name: *const c_char,
    aliases: *const *const c_char,
    family: c_int,
    len: c_int,
    addresses: *const *const u8,
}

impl State {
    /// Notes what a lookup of `node` answered.
    ///
    /// # Safety
    /// `node` is NULL or a C string, `found` NULL or what libc answered.
    unsafe fn note(&self, node: *const c_char, found: *const Host) {
        // SAFETY: the caller's promise; the addresses are a list that ends with NULL, each of `len`
        // bytes.
        unsafe {
            let Some(host) = found.as_ref().filter(|_| !node.is_null()) else {
                return;
            };
            let mut at = host.addresses;
            while !at.is_null() && !(*at).is_null() {
                let address = match host.len {
                    4 => Place::address_of(&(*at).cast::<[u8; 4]>().read()),
                    16 => Place::address_of(&(*at).cast::<[u8; 16]>().read()),
                    _ => None,
                };
                if let Some(address) = address.filter(|_| self.is_about(CONNECT)) {
                    self.hosts.note(address, CStr::from_ptr(node).to_bytes());
                }
                at = at.add(1);
            }
        }
    }
}

/// Defines lookups that answer with a `struct hostent`.
macro_rules! lookups {
    ($($name:ident($node:ident $(, $argument:ident: $type:ty)*);)*) => {
        $(
            /// The function of that name: what it answers is remembered.
            ///
            /// # Safety
            /// As the function of that name.
            pub unsafe extern "C" fn $name($node: *const c_char $(, $argument: $type)*) -> *mut Host {
                type Next = unsafe extern "C" fn(*const c_char $(, $type)*) -> *mut Host;
                let Some(state) = state() else {
                    refuse();
                    return core::ptr::null_mut();
                };
                // SAFETY: the caller's promise.
                unsafe {
                    let found = next!(state, $name as Next)($node $(, $argument)*);
                    state.note($node, found);
                    found
                }
            }
        )*
    };
}

/// Defines lookups that put their answer where `found` says.
macro_rules! lookups_into {
    ($($name:ident($node:ident $(, $argument:ident: $type:ty)*);)*) => {
        $(
            /// The function of that name: what it answers is remembered.
            ///
            /// # Safety
            /// As the function of that name.
            pub unsafe extern "C" fn $name(
                $node: *const c_char,
                $($argument: $type,)*
                host: *mut c_void,
                room: *mut c_void,
                len: usize,
                found: *mut *mut Host,
                error: *mut c_int,
            ) -> c_int {
                type Next = unsafe extern "C" fn(
                    *const c_char,
                    $($type,)*
                    *mut c_void,
                    *mut c_void,
                    usize,
                    *mut *mut Host,
                    *mut c_int,
                ) -> c_int;
                let Some(state) = state() else {
                    return refuse();
                };
                // SAFETY: the caller's promise; on success `*found` is NULL or the answer.
                unsafe {
                    let next = next!(state, $name as Next);
                    let answer = next($node, $($argument,)* host, room, len, found, error);
                    if answer == 0 && !found.is_null() {
                        state.note($node, *found);
                    }
                    answer
                }
            }
        )*
    };
}

lookups! {
    gethostbyname(node);
    gethostbyname2(node, family: c_int);
}

lookups_into! {
    gethostbyname_r(node);
    gethostbyname2_r(node, family: c_int);
}
