//! The keys of a condition (`when`), and of what is nested in it.

use evaluator::TargetKinds;
use evaluator::command::Via;
use evaluator::effects::Kind;
use evaluator::image::format::{context, taint};
use evaluator::sql::effect;

use super::Holds::{self, Choice, Either, Flag, Form, Integer, Items, List, Named, Patterns, Text};
use super::file::DURATION;
use super::{Key, Mapping, key, required};
use crate::read_condition::FACTS;

/// A program or a first operand: no path and no arguments.
const PROGRAM: Holds = Items(&Either(&[Form("^[^/ ]+$", "x"), Holds::ListName]), 1);
const FLAG: Holds = Either(&[Form(r"^[-+][\s\S]", "-x"), Holds::ListName]);
const FLAGS: Holds = Items(&Either(&[FLAG, List(&FLAG, 1)]), 1);
const VARIABLE: Holds =
    Items(&Either(&[Form(r"^[A-Za-z_][A-Za-z0-9_]*(=[\s\S]*)?$", "A=b"), Holds::ListName]), 1);
const ZEROES: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const SHA256: Holds = Items(&Either(&[Form("^[0-9A-Fa-f]{64}$", ZEROES), Holds::ListName]), 1);
static SUB: Holds = Holds::Mapping(&CONDITION);

/// One or more of the words that an expression makes.
macro_rules! set {
    ($names:expr) => {
        Items(&Choice(|| $names), 1)
    };
}

/// A condition.
#[rustfmt::skip]
pub static CONDITION: Mapping = Mapping {
    name: "condition",
    what: "a condition",
    keys: &[
        key("command_matches", Patterns, "The command's words, joined by blanks (command globs)."),
        key("command_contains", Patterns, "Text in them. Joined with `command_matches` by OR."),
        key("command_not_matches", Patterns, "Commands that are left out (command globs)."),
        key("command_env_assignments", Patterns, "Variables that it assigns: NAME, or NAME=value (globs)."),
        key("path_matches", Patterns, "The file of a read, write or edit tool (path globs)."),
        key("path_not_matches", Patterns, "Files that are left out (path globs)."),
        key("url_matches", Patterns, "The address (command globs)."),
        key("domain_matches", Patterns, "The host of the address."),
        key("response_matches", Patterns, "What the tool put out (regular expressions). Never before a call."),
        key("response_not_matches", Patterns, "None of these in what the tool put out."),
        key("session_matches", Patterns, "The session's label (command globs)."),
        key("session_not_matches", Patterns, "Sessions that are left out."),
        key("agent_depth", Holds::Mapping(&DEPTH), "How many agents deep the call is."),
        key("tool_param_matches", Named(&Patterns, 1), "Some parameter of the tool matches, without case."),
        key("call_count", Holds::Mapping(&CALL_COUNT), "How often a tool was called of late."),
        key("default", Flag, "`true`: always."),
        key("program", PROGRAM, "Names of the program; its directory and case do not count."),
        key("subcommand", PROGRAM, "The first operand, as `push` in `git -C dir push`."),
        key("flags", FLAGS, "Every entry has to be there; an entry is a flag or a list of alternatives."),
        key("operands", Patterns, "Some argument is such a path, once resolved (path globs)."),
        key("operand_matches", Patterns, "Some argument that is no flag, as it is (command globs)."),
        key("reads", Patterns, "Paths that it reads."),
        key("writes", Patterns, "Paths that it writes."),
        key("redirects_to", Patterns, "Paths that a redirection writes."),
        key("pipes_into", PROGRAM, "Programs that its output flows into."),
        key("inside", set!(Via::ALL.iter().map(|via| via.name()).collect()), "What it was found in."),
        key("env", VARIABLE, "Variables that it would see: NAME, or NAME=glob."),
        key("user", Patterns, "Users that it would run as: names or numbers."),
        key("cwd_matches", Patterns, "The directory that it would run in (path globs)."),
        key("agent", Patterns, "The agent's name (command globs)."),
        key("parent", PROGRAM, "Names of the program that asks."),
        key("exe_path", Patterns, "The file that its program is (path globs)."),
        key("exe_sha256", SHA256, "SHA-256 of that file."),
        key("written_by_agent", Flag, "Whether the tree has written its program, or the script of an interpreter."),
        key("tainted", set!(super::names(&taint::NAMES)), "What the tree has come by, all of them (rules with `taint`)."),
        key("context", Holds::Mapping(&CONTEXT), "What it would act on: clusters, accounts, branches, hosts."),
        key("target", set!(TargetKinds::NAMES.iter().map(|(_, name)| *name).collect()), "What kind of file is executed."),
        key("fact", set!(super::names(FACTS)), "What the code that it runs is."),
        key("sql", set!(super::names(&effect::NAMES)), "What SQL that it is given does."),
        key("effects", set!(super::names(&Kind::names())), "What it would do (`rampart explain`)."),
        key("any", List(&SUB, 1), "One of these conditions holds."),
        key("all", List(&SUB, 1), "All of these conditions hold."),
        key("not", Holds::Mapping(&CONDITION), "These conditions do not all hold."),
    ],
    hints: &[
        ("tool", "`tool` belongs to the policy's `match`"),
        ("session", "write `session_matches`"),
        ("cwd", "write `cwd_matches`"),
        ("kube_context", "write `context: {kube_context: …}`"),
        ("aws_profile", "write `context: {aws_profile: …}`"),
        ("git_branch", "write `context: {git_branch: …}`"),
        ("host", "write `context: {host: …}`"),
        ("uid", "write `user`"),
        ("command", "write `program`, or `command_matches` for a text pattern"),
        ("path", "write `path_matches`, or `operands` for the arguments of a command"),
        ("writes_to", "write `writes`"),
        ("written_by_tree", "write `written_by_agent`"),
        ("reads_from", "write `reads`"),
    ],
    needs: &[],
};

const MOST_AGENTS: i64 = 1_000_000;

/// `agent_depth`.
#[rustfmt::skip]
pub static DEPTH: Mapping = Mapping {
    name: "agent_depth",
    what: "`agent_depth`",
    keys: &[
        key("gte", Integer(0, MOST_AGENTS), "At least."),
        key("lte", Integer(0, MOST_AGENTS), "At most."),
        key("eq", Integer(0, MOST_AGENTS), "Exactly."),
    ],
    hints: &[],
    needs: &["gte", "lte", "eq"],
};

/// `call_count`.
#[rustfmt::skip]
pub static CALL_COUNT: Mapping = Mapping {
    name: "call_count",
    what: "`call_count`",
    keys: &[
        key("tool", Text, "The tool that is counted; without it, the call's own."),
        required("gte", Integer(0, 1000), "At least so many calls, this one included."),
        required("window", DURATION, "In so much time, at most 30d."),
    ],
    hints: &[],
    needs: &[],
};

/// `context`: its keys are those that the evaluator knows.
#[rustfmt::skip]
pub static CONTEXT: Mapping = Mapping {
    name: "context",
    what: "`context`",
    keys: &CONTEXTS,
    hints: &[
        ("namespace", "write `kube_namespace`"),
        ("profile", "write `aws_profile`"),
        ("account", "write `aws_account`"),
        ("project", "write `gcloud_project`"),
        ("workspace", "write `terraform_workspace`"),
        ("remote", "write `git_remote`"),
        ("branch", "write `git_branch`"),
        ("hostname", "write `host`"),
    ],
    needs: &CONTEXT_NAMES,
};

const ABOUT: &str = "As the tool itself would find it (command globs).";
#[allow(clippy::indexing_slicing, reason = "while compiling, and within the length")]
static CONTEXTS: [Key; context::NAMES.len()] = {
    let mut all = [key("", Patterns, ABOUT); context::NAMES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at].name = context::NAMES[at].0;
        at += 1;
    }
    all
};
#[allow(clippy::indexing_slicing, reason = "while compiling, and within the length")]
static CONTEXT_NAMES: [&str; context::NAMES.len()] = {
    let mut all = [""; context::NAMES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = context::NAMES[at].0;
        at += 1;
    }
    all
};
