//! What holds for every verdict: the tree is consistent, the same input gives the same answer, and
//! what is written about it is one clean line.

use super::{judge_by_standard, judge_on_demand};
use evaluator::command::{Run, Span, Tree};
use evaluator::event::{Event, EventFlags, Outcome, write_line};
use evaluator::{Action, Reason, Request, Verdict, notice, settle};

/// Longest event line, as every entrance gives it.
const LINE: usize = 64 * 1024;

/// Everything that holds for a verdict on `request` by the standard policy.
pub fn sound(request: &Request<'_>) {
    let first = judge_by_standard(request, |verdict| {
        well_formed(&verdict.tree);
        assert_ne!(verdict.reason, Reason::NoMemory, "scratch_len is enough");
        assert_ne!(verdict.reason, Reason::CorruptImage);
        let commands = verdict.tree.commands.len().max(1);
        assert!((verdict.command as usize) < commands, "deciding command");
        for found in verdict.matched {
            assert!((found.command as usize) < commands, "matched command");
            let action = u8::try_from(found.action).ok().and_then(Action::from_code);
            let restricts = action.is_some_and(Action::is_restrictive);
            // What is not known counts as a match for restrictions, without being a hit.
            assert!(found.hits > 0 || restricts, "a match without a hit");
        }
        said(request, verdict);
        summary(verdict)
    });
    // The scratch now holds what the first verdict left there.
    let second = judge_by_standard(request, summary);
    assert_eq!(first, second, "the same input, another verdict");
    let third = judge_on_demand(request, summary);
    assert_eq!(first, third, "a directory that is asked for, another verdict");
}

fn summary(verdict: &Verdict<'_>) -> (Action, Reason, Vec<u8>, u32, usize, usize) {
    (
        verdict.action,
        verdict.reason,
        verdict.rule.to_vec(),
        verdict.command,
        verdict.matched.len(),
        verdict.tree.commands.len(),
    )
}

/// Every index and span of `tree` lies inside it, and provenance has no cycle.
pub fn well_formed(tree: &Tree<'_>) {
    let run = |run: Run, len: usize| {
        let end = run.first as usize + run.count as usize;
        assert!(run.count == 0 || end <= len, "run {run:?} of {len}");
    };
    let span = |span: Span| {
        let end = span.start as usize + span.len as usize;
        assert!(span.len == 0 || end <= tree.text.len(), "span {span:?}");
    };
    for (index, command) in tree.commands.iter().enumerate() {
        run(command.words, tree.words.len());
        run(command.assignments, tree.words.len());
        run(command.redirects, tree.redirects.len());
        span(command.cwd);
        span(command.stdin);
        assert!(command.parent as usize <= index, "a child before its parent");
        assert!(command.pipes_into as usize <= tree.commands.len());
    }
    for word in tree.words {
        span(word.text);
    }
    for redirect in tree.redirects {
        span(redirect.target.text);
    }
}

/// What is written about a verdict is one line each, bounded, and without control characters.
fn said(request: &Request<'_>, verdict: &Verdict<'_>) {
    let settled = settle(verdict, None);
    let mut out = vec![0; LINE];
    let event = Event {
        id: *b"01ARZ3NDEKTSV4RRFFQ69G5FAV",
        time_us: 1_700_000_000_000_000,
        mono_us: u64::MAX,
        took_us: u64::MAX,
        pid: 2,
        ppid: 1,
        uid: 1000,
        hook: "check",
        request,
        verdict,
        outcome: Outcome::Denied,
        answered_by: settled.answered_by,
        tree: b"t",
        flags: EventFlags::default(),
    };
    let len = write_line(&event, &mut out);
    one_line(&out[..len]);
    assert!(len > 2 && out[0] == b'{' && out[len - 2] == b'}', "no object");
    let len = notice::denial(&mut out[..4096], verdict, request, &settled, &event.id);
    one_line(&out[..len]);
}

fn one_line(line: &[u8]) {
    let (last, body) = line.split_last().expect("an empty line");
    assert_eq!(*last, b'\n');
    let shown = String::from_utf8_lossy(body);
    assert!(!body.iter().any(|byte| *byte < 0x20 || *byte == 0x7f), "control characters: {shown}");
}
