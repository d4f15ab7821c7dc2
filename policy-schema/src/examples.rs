//! t
use crate::diagnostic::{Diagnostic, Source};
use crate::document::Document;
/// t
pub fn run(_: &[Source<'_>], _: &[Document], _: &[u8]) -> Vec<Diagnostic> {
    Vec::new()
}
