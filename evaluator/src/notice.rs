//! The one line that a stopped agent reads. It is written for a language model and for the person
//! beside it: what was not run, which rule, why, and what to do now. Everything quoted is escaped,
//! single quotes included, so that the line can travel through a shell in single quotes.

use crate::action::Action;
use crate::escape;
use crate::request::{Call, Request};
use crate::settle::Settled;
use crate::verdict::{Reason, Verdict};

/// Longest part of a command or message that the line quotes, in bytes.
const QUOTED: usize = 400;

/// A buffer that cuts off what does not fit.
struct Line<'b> {
    out: &'b mut [u8],
    len: usize,
}

impl Line<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let free = self.out.get_mut(self.len..).unwrap_or(&mut []);
        let mut written = 0_usize;
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
            written = written.saturating_add(1);
        }
        self.len = self.len.saturating_add(written);
    }

    /// Puts foreign bytes: escaped, at most [`QUOTED`] of them, single quotes as `’`.
    fn quote(&mut self, bytes: &[u8]) {
        let head = bytes.get(..QUOTED).unwrap_or(bytes);
        for (index, part) in head.split(|byte| *byte == b'\'').enumerate() {
            if index > 0 {
                self.put("’".as_bytes());
            }
            escape::visible(part, &mut |piece| self.put(piece));
        }
        if bytes.len() > QUOTED {
            self.put("…".as_bytes());
        }
    }
}

/// Writes the line for a call that was not permitted, newline included, and returns its length.
/// `id` is the event's; its last four characters are quoted.
pub fn denial(
    out: &mut [u8],
    verdict: &Verdict<'_>,
    request: &Request<'_>,
    settled: &Settled,
    id: &[u8; 26],
) -> usize {
    let Some((newline, body)) = out.split_last_mut() else {
        return 0;
    };
    *newline = b'\n';
    let mut line = Line { out: body, len: 0 };
    line.put(b"rampart: denied: ");
    what(&mut line, verdict, request);
    line.put(b" [");
    line.quote(if verdict.policy.is_empty() {
        verdict.reason.name().as_bytes()
    } else {
        verdict.policy
    });
    if !verdict.rule.is_empty() {
        line.put(b"/");
        line.quote(verdict.rule);
    }
    line.put(b"] ");
    why(&mut line, verdict);
    if matches!(verdict.action, Action::Ask | Action::Webhook) {
        line.put(match settled.answered_by {
            "on_no_approver" if verdict.action == Action::Webhook => {
                b" It needs the word of another service, and none can be asked here."
            }
            "webhook" => b" The service that has to be asked said no.",
            "webhook-failed" => b" The service that has to be asked gave no answer.",
            "on_no_approver" => {
                b" It needs the approval of a person, and nobody can be asked here."
            }
            "approver" => b" A person was asked, and said no.",
            "expired" => b" A person was asked, and nobody answered in time.",
            _ => b"",
        });
    }
    let is_operation = request.call.is_operation();
    line.put(match is_operation {
        true => b" (it was not done; do not retry in another form; ",
        false => b" (nothing on this line ran; do not retry in another form; ",
    });
    // A command that was not understood cannot be named in a policy.
    line.put(match verdict.reason {
        _ if is_operation => b"a person can change the policy; id ",
        Reason::Rule | Reason::Default => b"a person can: rampart allow --id ",
        _ => b"a person can change the policy; id ",
    });
    line.put(id.get(22..).unwrap_or(&[]));
    line.put(b")");
    let len = line.len;
    if let Some(end) = out.get_mut(len) {
        *end = b'\n';
    }
    len.saturating_add(1).min(out.len())
}

/// What was not run: the command that decided, and the call it came in if that is another.
fn what(line: &mut Line<'_>, verdict: &Verdict<'_>, request: &Request<'_>) {
    if request.call.is_operation() {
        return call(line, request);
    }
    let command = verdict.tree.commands.get(verdict.command as usize);
    let words = command.map_or(&[][..], |command| verdict.tree.words(command.words));
    if words.is_empty() {
        return call(line, request);
    }
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.put(b" ");
        }
        if line.len > QUOTED {
            return line.put("…".as_bytes());
        }
        line.quote(verdict.tree.bytes(word.text));
    }
    if verdict.command != 0 {
        line.put(b" (in: ");
        call(line, request);
        line.put(b")");
    }
}

fn call(line: &mut Line<'_>, request: &Request<'_>) {
    match request.call {
        Call::Exec { file, argv } => {
            if argv.is_empty() {
                line.quote(file);
            }
            let stop = line.len.saturating_add(QUOTED);
            for index in 0..argv.len() {
                if index > 0 {
                    line.put(b" ");
                }
                if line.len > stop {
                    return line.put("…".as_bytes());
                }
                line.quote(argv.get(index).unwrap_or(&[]));
            }
        }
        Call::Shell(text) => line.quote(text.trim_ascii()),
        Call::Operation { hook, program } => {
            line.put(hook.as_bytes());
            line.put(b"(");
            line.quote(request.path.or(request.url).unwrap_or(&[]));
            line.put(b") to ");
            line.quote(request.tool);
            line.put(b", by ");
            line.quote(program);
        }
        Call::Nothing => {
            line.quote(request.tool);
            for part in [request.path, request.url].into_iter().flatten() {
                line.put(b" ");
                line.quote(part);
            }
        }
    }
}

fn why(line: &mut Line<'_>, verdict: &Verdict<'_>) {
    if !verdict.message.is_empty() {
        return line.quote(verdict.message);
    }
    line.put(match verdict.reason {
        Reason::Rule => b"A rule of the policy forbids it.",
        Reason::Default => b"No rule of the policy allows it.",
        Reason::TooComplex => b"It is too complex to be judged; split it into simple commands.",
        Reason::Unparseable => b"It cannot be parsed, so it cannot be judged; write it plainly.",
        Reason::CorruptImage => {
            b"The compiled policy is corrupt; a person has to compile it again."
        }
        Reason::NoMemory => b"There was no memory to judge it.",
        Reason::Unseen => b"It cannot be seen, so it cannot be judged.",
    });
}
