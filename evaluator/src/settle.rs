//! What an `ask` or `webhook` comes to where there is no second party to answer it.

use crate::action::Action;
use crate::verdict::{Reason, Verdict};

/// The end of a verdict: whether the call goes ahead, and on whose word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whether the call goes ahead.
    pub permitted: bool,
    /// Who answered for a missing second party: `on_no_approver`, `fail-open`, or empty if the
    /// verdict needed none.
    pub answered_by: &'static str,
}

/// Settles `verdict` without a second party. `fail_open` is the user's `RAMPART_FAIL_OPEN`, set
/// at the root of the tree; a policy's own `on_no_approver` wins over it, and rules that need no
/// second party always hold. Without either the answer is no.
#[must_use]
pub fn settle(verdict: &Verdict<'_>, fail_open: Option<bool>) -> Settled {
    match verdict.action {
        Action::Allow | Action::Watch => Settled { permitted: true, answered_by: "" },
        Action::Deny => {
            // Not a rule's no, but no answer at all: this is what the fail mode is for.
            let undecided = matches!(verdict.reason, Reason::NoMemory | Reason::Unseen);
            if undecided && fail_open == Some(true) {
                Settled { permitted: true, answered_by: "fail-open" }
            } else {
                Settled { permitted: false, answered_by: "" }
            }
        }
        Action::Ask | Action::Webhook => match (verdict.on_no_approver, fail_open) {
            (Some(answer), _) => {
                Settled { permitted: answer.permits(), answered_by: "on_no_approver" }
            }
            (None, Some(true)) => Settled { permitted: true, answered_by: "fail-open" },
            (None, _) => Settled { permitted: false, answered_by: "on_no_approver" },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(action: Action, reason: Reason, on_no_approver: Option<Action>) -> Verdict<'static> {
        Verdict { action, reason, on_no_approver, ..Verdict::unseen(b"") }
    }

    #[test]
    fn who_answers_when_nobody_is_there() {
        use Action::{Allow, Ask, Deny, Watch, Webhook};
        use Reason::{CorruptImage, NoMemory, Rule, Unseen};
        let cases = [
            (Allow, Rule, None, None, true, ""),
            (Watch, Rule, Some(Deny), Some(false), true, ""),
            (Deny, Rule, Some(Allow), Some(true), false, ""),
            (Deny, CorruptImage, Some(Allow), Some(true), false, ""),
            (Deny, NoMemory, None, Some(true), true, "fail-open"),
            (Deny, NoMemory, None, None, false, ""),
            (Deny, Unseen, None, Some(true), true, "fail-open"),
            (Deny, Unseen, Some(Allow), Some(false), false, ""),
            (Ask, Rule, None, None, false, "on_no_approver"),
            (Ask, Rule, None, Some(false), false, "on_no_approver"),
            (Ask, Rule, None, Some(true), true, "fail-open"),
            (Ask, Rule, Some(Deny), Some(true), false, "on_no_approver"),
            (Ask, Rule, Some(Allow), Some(false), true, "on_no_approver"),
            (Webhook, Rule, None, None, false, "on_no_approver"),
        ];
        for (action, reason, stated, fail_open, permitted, answered_by) in cases {
            let got = settle(&verdict(action, reason, stated), fail_open);
            assert_eq!(
                got,
                Settled { permitted, answered_by },
                "{action:?} {stated:?} {fail_open:?}"
            );
        }
    }
}
