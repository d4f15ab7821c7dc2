//! The shipped policies, compiled at build time, so that `librampart.so` protects with no file
//! and no daemon. The YAML beside this crate is the source; `rampart policy show --profile` prints it.

#![no_std]

/// Gives image bytes the alignment that their sections were laid out for.
#[repr(C, align(8))]
struct Aligned<const N: usize>([u8; N]);

include!(concat!(env!("OUT_DIR"), "/images.rs"));

/// The profile that is in force where nothing else was chosen.
pub static STANDARD: &[u8] = STANDARD_IMAGE;

/// The image of the profile `name`.
#[must_use]
pub fn profile(name: &str) -> Option<&'static [u8]> {
    let found = PROFILES.iter().find(|(known, _)| *known == name);
    found.map(|(_, image)| *image)
}
