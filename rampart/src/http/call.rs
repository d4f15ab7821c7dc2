//! A call as it is shown to people and told to services.

use crate::cases::{Call, Case};

/// The call as text that a shell reads; empty for a tool that starts nothing.
pub fn as_shell(case: &Case) -> Vec<u8> {
    match &case.call {
        Call::Shell(line) => line.clone(),
        Call::Argv(argv) => crate::bytes::shell_line(argv.iter().map(Vec::as_slice)),
        Call::Nothing => Vec::new(),
    }
}

/// The call in one line.
pub fn shown(case: &Case) -> String {
    let text = crate::bytes::visible;
    match &case.call {
        Call::Shell(line) => text(line),
        Call::Argv(argv) => crate::bytes::command_line(argv.iter().map(Vec::as_slice)),
        Call::Nothing => {
            let parts = [Some(&case.tool), case.path.as_ref(), case.url.as_ref()];
            let parts: Vec<String> = parts.into_iter().flatten().map(|part| text(part)).collect();
            parts.join(" ")
        }
    }
}
