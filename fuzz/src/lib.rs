//! What the fuzz targets share. See [`checks`].

pub mod checks;

// The command is no library: what its targets read stands in files that need little else of it.
mod bytes {
    /// As the command's own.
    pub fn visible(bytes: &[u8]) -> String {
        let mut shown = Vec::new();
        evaluator::escape::visible(bytes, &mut |piece| shown.extend_from_slice(piece));
        String::from_utf8_lossy(&shown).into_owned()
    }
}
#[path = "."]
mod cases {
    #[path = "../../rampart/src/cases/strict.rs"]
    pub mod strict;
}
#[path = "."]
mod mcp {
    #[allow(dead_code, reason = "not all of it is fuzzed")]
    #[path = "../../rampart/src/mcp/message.rs"]
    pub mod message;
}
#[path = "checks/mcp.rs"]
pub mod mcp_messages;
