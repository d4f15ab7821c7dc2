//! The policy language: YAML to typed document, diagnostics, and the compiler to an image.
//!
//! The stages, in order; each is one module:
//!
//! | stage | module | in → out |
//! | --- | --- | --- |
//! | parse | [`yaml`] | text → nodes that know their place |
//! | read | [`keys`], [`read_policy`], `read_rule`, `read_condition`, `read_lists`, `read_exceptions`, `read_surroundings`, [`out_of_reach`], [`limits`] | nodes → [`document::Document`] and diagnostics |
//! | compile | `compile`, [`locked`], `index`, `layout`, `sections` | documents of one layer → image bytes |
//! | lint | [`mod@lint`] | documents and nodes → what is probably not meant |
//! | try | `examples` | the rules' own examples against the image |
//!
//! Every mistake is a [`Diagnostic`] with its place; reading goes on after one, so that one run
//! finds them all. Nothing here does I/O: who calls brings the text and the names.

#![forbid(unsafe_code)]

mod checks;
mod compile;
pub mod diagnostic;
pub mod document;
pub mod examples;
mod gate;
mod index;
pub mod keys;
mod layout;
pub mod limits;
pub mod lint;
pub mod locked;
pub mod needs;
pub mod out_of_reach;
mod read_condition;
mod read_exceptions;
mod read_lists;
mod read_patterns;
pub mod read_policy;
mod read_rule;
mod read_suite;
mod read_surroundings;
mod reader;
pub mod schema;
mod scratch;
mod sections;
pub mod time;
pub mod yaml;

use sha2::{Digest, Sha256};

pub use compile::{Compiled, compile, compile_locked, compile_with_warnings, stand_in};
pub use diagnostic::{Diagnostic, Source};
use evaluator::image::format::level;
pub use read_suite::{Suite, read_suite};
pub use scratch::OwnedScratch;
pub use yaml::MAX_SOURCE;

/// Where a layer comes from, lowest first. A project's layer may only restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layer {
    /// A shipped profile.
    BuiltIn,
    /// `/etc/rampart`.
    System,
    /// The user's own files.
    #[default]
    User,
    /// The project's file.
    Project,
}

impl Layer {
    /// The code stored in an image (`evaluator::image::format::level`).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::BuiltIn => level::BUILT_IN,
            Self::System => level::SYSTEM,
            Self::User => level::USER,
            Self::Project => level::PROJECT,
        }
    }
}

/// How a layer is compiled.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where it comes from.
    pub layer: Layer,
    /// Whether the rules' examples are run; a failing one refuses the policy.
    pub run_examples: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { layer: Layer::User, run_examples: true }
    }
}

/// Files whose allows an operator wrote for one case each, without their `.yaml` or `.yml`.
const OPERATOR_FILES: [&str; 2] = ["user-overrides", "auto-allowed"];

impl Options {
    /// Whether the allows in `source` are an operator's own, which beat an ask: those of
    /// `user-overrides.yaml` and `auto-allowed.yaml` in the user's or the system's layer.
    #[must_use]
    pub fn is_operator(&self, source: &Source<'_>) -> bool {
        let file = source.name.rsplit('/').next().unwrap_or(source.name);
        let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"));
        matches!(self.layer, Layer::User | Layer::System)
            && stem.is_some_and(|stem| OPERATOR_FILES.contains(&stem))
    }

    /// The digest that an image of `sources` carries, as `Header::digest_low` and `digest_high`:
    /// SHA-256 of the compiler's and the format's version, the options and the texts. Names do not count, except
    /// for what [`Options::is_operator`] makes of them.
    #[must_use]
    pub fn digest(&self, sources: &[Source<'_>]) -> (u128, u128) {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(evaluator::image::format::VERSION.to_le_bytes());
        hash.update([0, self.layer.code()]);
        for source in sources {
            hash.update([u8::from(self.is_operator(source))]);
            hash.update((source.text.len() as u64).to_le_bytes());
            hash.update(source.text);
        }
        let (mut low, mut high) = ([0; 16], [0; 16]);
        for (index, byte) in hash.finalize().iter().enumerate() {
            let half = if index < 16 { &mut low } else { &mut high };
            if let Some(slot) = half.get_mut(index % 16) {
                *slot = *byte;
            }
        }
        (u128::from_le_bytes(low), u128::from_le_bytes(high))
    }
}
