//! The shipped policies, compiled at build time, so that `librampart.so` protects with no file
//! and no daemon. The YAML beside this crate is the source; `rampart policy show --profile` prints it.
//!
//! A *profile* is a whole policy with its defaults, of which one is in force. A *pack* adds rules
//! about one field (`git`, `cloud` …) to it, as a layer of its own.

#![no_std]

/// Gives image bytes the alignment that their sections were laid out for.
#[repr(C, align(8))]
struct Aligned<const N: usize>([u8; N]);

include!(concat!(env!("OUT_DIR"), "/images.rs"));

/// The profile that is in force where nothing else was chosen.
pub static STANDARD: &[u8] = PROFILE_STANDARD_IMAGE;

/// The YAML text of every shipped profile: name and text.
pub use PROFILE_SOURCES as SOURCES;

/// Profiles that ask nobody: packs on top of them are [`strict_pack`]s.
pub static STRICT_PROFILES: &[&str] = &["ci", "paranoid", "research-agent"];

/// Packs that `all` does not mean: they ask of a machine what not every one has (an evaluator).
pub static APART: &[&str] = &["taint"];

/// The image of the profile `name`.
#[must_use]
pub fn profile(name: &str) -> Option<&'static [u8]> {
    find(PROFILES, name)
}

/// The image of the pack `name`, a layer on top of a profile.
#[must_use]
pub fn pack(name: &str) -> Option<&'static [u8]> {
    find(PACKS, name)
}

/// The same, with every ask a deny, for profiles that ask nobody.
#[must_use]
pub fn strict_pack(name: &str) -> Option<&'static [u8]> {
    find(STRICT_PACKS, name)
}

fn find(all: &'static [(&str, &[u8])], wanted: &str) -> Option<&'static [u8]> {
    let found = all.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, image)| *image)
}
