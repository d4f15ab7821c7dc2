//! The keys of a file, of its policies and of their rules.

use evaluator::image::format::taint;

use super::Holds::{self, AnyCase, Choice, Either, Flag, Form, Integer, Items, List, Named, Text};
use super::{CONDITION, Mapping, PATTERN, key, names, required};
use crate::read_policy::{
    ACTIONS, BY, DEFAULTS, ENFORCED, FALLBACKS, NO_APPROVER, PLATFORMS, RECORDS,
};
use crate::read_rule::SEVERITIES;

const NAME: Holds = Form(r"[\s\S]", "x");
const ACTION: Holds = Choice(|| names(ACTIONS));
const FALLBACK: Holds = Choice(|| names(FALLBACKS));
const RULE_NAME: Holds = Form(r"^[\s\S]+/[^/]+$", "policy/rule");
const VERSION: Holds = Choice(|| vec!["1", ""]);
const TIME: Holds = Form(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][\s\S]*)?$", "2027-01-31T12:00:00Z");
/// Numbers, each with a unit.
pub const DURATION: Holds = Form("^([0-9.]+(ms|s|m|h|d))+$", "1h30m");
const ONCE: &str =
    "Used up by the first call that it lets through, where a second party can do that.";

/// A policy file.
#[rustfmt::skip]
pub static DOCUMENT: Mapping = Mapping {
    name: "file",
    what: "a policy file",
    keys: &[
        key("version", VERSION, "Version of the language."),
        key("default_action", AnyCase(|| names(DEFAULTS)), "Answer to a call that no rule is about; where no layer states it, deny."),
        key("on_no_approver", Choice(|| names(NO_APPROVER)), "What an ask comes to with nobody to answer."),
        key("on_too_complex", FALLBACK, "Answer to a command past a counted limit of understanding. Default: ask."),
        key("on_unparseable", FALLBACK, "Answer to text that a shell would run and that does not parse. Default: ask."),
        key("record", Choice(|| names(RECORDS)), "Which verdicts are recorded. `notable` leaves out what was simply allowed."),
        key("enforce", Choice(|| names(ENFORCED)), "What `rampart run` has to put before commands besides the library. `kernel`: a supervisor, or nothing is started; `best`: where it can be had."),
        key("out_of_reach", List(&Form(r"^~?(/[^/*?\[{\\]+)+$", "~/.ssh"), 0), "Paths that nobody in a guarded tree reads, writes or starts, with all that is below: `/…` or `~/…`, no patterns. Under the supervisor the kernel holds them where it can."),
        key("packs", Either(&[Choice(|| vec!["all"]), Items(&Form("^[a-z0-9-]+$", "git"), 0)]), "Shipped packs that are in force beside this file."),
        key("lists", Named(&List(&PATTERN, 1), 0), "Named lists, which patterns refer to by `{list: name}`."),
        key("disable", List(&Either(&[RULE_NAME, Holds::Mapping(&DISABLE)]), 0), "Rules that do not hold. User's and system's policy only."),
        key("lock", List(&RULE_NAME, 0), "Rules that nobody may disable. System's policy only."),
        key("policies", List(&Holds::Mapping(&POLICY), 0), "What is guarded."),
        key("notify", Holds::Mapping(&NOTIFY), "Whom to tell of verdicts."),
        key("tests", List(&Holds::Mapping(&TEST), 0), "Test cases for `rampart policy test`. They change no verdict."),
    ],
    hints: &[],
    needs: &[],
};

/// A test suite: a file with test cases for a policy that lies elsewhere.
#[rustfmt::skip]
pub static SUITE: Mapping = Mapping {
    name: "suite",
    what: "a test suite",
    keys: &[
        key("version", VERSION, "Version of the language."),
        required("policy", NAME, "The policy that the cases are for: a file beside this one, or a shipped profile."),
        key("tests", List(&Holds::Mapping(&TEST), 0), "The cases."),
    ],
    hints: &[],
    needs: &[],
};

/// One policy.
#[rustfmt::skip]
pub static POLICY: Mapping = Mapping {
    name: "policy",
    what: "a policy",
    keys: &[
        required("name", NAME, "Unique in a layer; records and messages name rules `policy/rule`."),
        key("description", Text, "For people."),
        key("priority", Integer(-1_000_000_000, 1_000_000_000), "Lower is looked at first; 100 if absent or 0."),
        key("enabled", Flag, "`false` leaves the policy out."),
        key("match", Holds::Mapping(&SCOPE), "Which calls it is about; without it, all."),
        key("rules", List(&Holds::Mapping(&RULE), 0), "In order: the first that holds answers for the policy."),
    ],
    hints: &[("when", "`when` belongs to a rule")],
    needs: &[],
};

/// `match`: which calls a policy is about.
#[rustfmt::skip]
pub static SCOPE: Mapping = Mapping {
    name: "match",
    what: "`match`",
    keys: &[
        key("agent", Text, "The agent's name (command glob)."),
        key("session", Text, "The session's label (command glob)."),
        key("tool", Items(&PATTERN, 0), "The tools: exec, read, write, edit, fetch … (command globs)."),
        key("by", Choice(|| names(BY)), "Whose calls: `agent` (default) what agents ask for, `program` what running programs do themselves, `any` both."),
    ],
    hints: &[],
    needs: &[],
};

/// One rule.
#[rustfmt::skip]
pub static RULE: Mapping = Mapping {
    name: "rule",
    what: "a rule",
    keys: &[
        key("name", Text, "Its name in records and messages; without one its position."),
        key("description", Text, "For people."),
        required("action", ACTION, "`watch` allows and marks the record; `log` is its old name."),
        key("when", Holds::Mapping(&CONDITION), "When it holds; every key has to. Without it, always."),
        key("message", Text, "What whoever is stopped reads: why, and what to do instead."),
        key("severity", Choice(|| names(SEVERITIES)), "For records and reports."),
        key("technique", Items(&Form(r"^T[0-9]{4}(\.[0-9]{3})?$", "T1059.004"), 0), "ATT&CK techniques that it is about."),
        key("examples", Holds::Mapping(&EXAMPLES), "Calls that it is tried on when the policy is compiled."),
        key("expires_at", TIME, "Void from then on (RFC 3339)."),
        key("once", Flag, ONCE),
        key("taint", Items(&Choice(|| names(&taint::NAMES)), 1), "What a call that it holds for brings to its tree (`tainted`)."),
        key("added", TIME, "When it was written, for people."),
        key("ask", Holds::Mapping(&ASK), "Details of `action: ask`."),
        key("webhook", Holds::Mapping(&WEBHOOK), "Whom `action: webhook` asks."),
    ],
    hints: &[
        ("match", "`match` belongs to the policy; a rule says `when`"),
        ("reason", "write `message`"),
        ("require_approval", "write `action: ask`"),
    ],
    needs: &[],
};

/// `ask`.
#[rustfmt::skip]
pub static ASK: Mapping = Mapping {
    name: "ask",
    what: "`ask`",
    keys: &[
        key("audit", Flag, "Record the answer."),
        key("headless_only", Flag, "Ask only where there is no terminal."),
    ],
    hints: &[],
    needs: &[],
};

/// `webhook`.
#[rustfmt::skip]
pub static WEBHOOK: Mapping = Mapping {
    name: "webhook",
    what: "`webhook`",
    keys: &[
        required("url", Form("^(https?://|unix:/)", "https://localhost/"), "The address to ask, or `unix:` and the path of a socket."),
        key("timeout", DURATION, "How long to wait: 5s if absent, at most 30s."),
        key("fail_open", Flag, "Whether no answer is an allow."),
    ],
    hints: &[],
    needs: &[],
};

/// `examples`.
#[rustfmt::skip]
pub static EXAMPLES: Mapping = Mapping {
    name: "examples",
    what: "`examples`",
    keys: &[
        key("match", EXAMPLE_LIST, "Calls on which the rule holds."),
        key("not_match", EXAMPLE_LIST, "Calls on which it does not."),
    ],
    hints: &[],
    needs: &[],
};
const EXAMPLE_LIST: Holds = List(&Either(&[Text, Holds::Mapping(&EXAMPLE)]), 0);

/// An example that is no shell text.
#[rustfmt::skip]
pub static EXAMPLE: Mapping = Mapping {
    name: "example",
    what: "an example",
    keys: &[
        key("argv", List(&Text, 0), "A program and its arguments."),
        key("tool", Text, "The tool that is called."),
        key("path", Text, "The file that it would touch."),
        key("url", Text, "The address that it would touch."),
        key("program", Text, "The running program that does it itself, where no tool of an agent does."),
    ],
    hints: &[],
    needs: &["tool", "argv"],
};

/// `notify`.
#[rustfmt::skip]
pub static NOTIFY: Mapping = Mapping {
    name: "notify",
    what: "`notify`",
    keys: &[
        key("url", Text, "The address to post to."),
        key("platform", Choice(|| PLATFORMS.to_vec()), "Format of the post."),
        key("on", Items(&Text, 0), "The actions to tell of; without it, deny and ask."),
    ],
    hints: &[],
    needs: &[],
};

/// A test case.
#[rustfmt::skip]
pub static TEST: Mapping = Mapping {
    name: "test",
    what: "a test case",
    keys: &[
        key("name", Text, "What it shows."),
        key("tool", Text, "The tool that is called."),
        key("agent", Text, "The agent that calls it."),
        key("params", Named(&Text, 0), "The call's parameters: `command`, `path`, `url` …"),
        required("expect", ACTION, "The action that the call shall get."),
        key("expect_message", Text, "A command glob for the message."),
    ],
    hints: &[],
    needs: &[],
};

/// An entry of `disable`.
#[rustfmt::skip]
pub static DISABLE: Mapping = Mapping {
    name: "disable",
    what: "an entry of `disable`",
    keys: &[
        required("rule", RULE_NAME, "`policy/rule`, or `policy/*`."),
        key("command", Either(&[Form(r"\S", "x"), List(&Text, 1)]), "For exactly this command: words, or text as a shell is given it."),
        key("expires_at", TIME, "Void from then on (RFC 3339)."),
        key("once", Flag, ONCE),
        key("added", TIME, "When it was written, for people."),
    ],
    hints: &[("argv", "write `command: [program, argument]`")],
    needs: &[],
};
