//! Stage 4, decide.
use crate::{Image, Request, Scratch, Verdict, World};

/// Judges `request` against `images`, lowest layer first.
pub fn decide<'a>(
    images: &[Image<'a>],
    request: &Request<'_>,
    world: &dyn World,
    scratch: &'a mut Scratch<'_>,
) -> Verdict<'a> {
    let _ = (images, request, world);
    Verdict {
        action: crate::Action::Deny,
        reason: crate::Reason::NoMemory,
        policy: b"",
        rule: b"",
        message: b"",
        command: 0,
        matched: &[],
        tree: crate::command::Tree {
            text: &*scratch.text,
            words: &*scratch.words,
            commands: &*scratch.commands,
            redirects: &*scratch.redirects,
            outcome: crate::command::Outcome::Complete,
        },
        on_no_approver: None,
    }
}
