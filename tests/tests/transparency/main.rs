//! An allowed program cannot tell that it is guarded: the same output, the same errors, the same
//! exit status, the same effect, with and without the library. Each case runs once bare and once
//! guarded, in directories of its own at the same path, under the standard policy or an open one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod calls;
mod twice;
mod work;
