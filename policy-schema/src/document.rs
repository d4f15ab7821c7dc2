//! A policy file as typed data: what it says, with the place of everything that a later stage
//! may have to complain about.

use std::ops::Range;

use evaluator::command::CommandFlags;
use evaluator::image::format::node;
use evaluator::{Action, TargetKinds};

/// A value and the bytes of the source it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the source.
    pub range: Range<usize>,
}

/// One policy file.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// What happens to a call that no rule is about.
    pub default_action: Option<Action>,
    /// What an ask comes to with nobody to answer: `Allow` or `Deny`.
    pub on_no_approver: Option<Action>,
    /// What happens past a counted limit: `Allow`, `Ask` or `Deny`.
    pub on_too_complex: Option<Action>,
    /// What happens to shell text that does not parse: `Allow`, `Ask` or `Deny`.
    pub on_unparseable: Option<Action>,
    /// Which verdicts are recorded.
    pub record: Option<Record>,
    /// What has to stand before commands besides the library.
    pub enforce: Option<Enforce>,
    /// What nobody in a guarded tree is to read, write or start, with all that is below.
    pub out_of_reach: Vec<At<String>>,
    /// The shipped packs that the file takes in, for whoever loads it; `None` if it does not say.
    pub packs: Option<Packs>,
    /// The rules that it switches off.
    pub disable: Vec<Disable>,
    /// The rules that no layer may switch off.
    pub lock: Vec<RuleName>,
    /// The policies, in file order.
    pub policies: Vec<Policy>,
    /// Whom to tell.
    pub notify: Option<Notify>,
    /// Test cases that the file brings; metadata for `rampart policy test`.
    pub tests: Vec<TestCase>,
}

/// A rule of some layer, `policy/rule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleName {
    /// The policy.
    pub policy: String,
    /// The rule; `None` for every one of the policy (`policy/*`).
    pub rule: Option<String>,
    /// Where it stands.
    pub range: Range<usize>,
}

/// One entry of `disable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disable {
    /// What is switched off.
    pub name: RuleName,
    /// For which command; for every one if `None`.
    pub command: Option<ExactCommand>,
    /// Seconds since the epoch after which it is void.
    pub expires_at: Option<u64>,
    /// Used up by the first call that it lets through.
    pub once: bool,
}

/// One command and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExactCommand {
    /// By its text: what a shell is given, or words joined by single blanks.
    Text(String),
    /// By its words.
    Words(Vec<String>),
}

/// Which shipped packs a file takes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packs {
    /// Every one.
    All,
    /// These, in file order; none if empty.
    Named(Vec<At<String>>),
}

/// What has to stand before the commands of a tree, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enforce {
    /// The library.
    Interposer,
    /// The kernel as well, where that can be had.
    Best,
    /// The kernel as well, or nothing is started.
    Kernel,
}

/// Which verdicts are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Every one.
    All,
    /// What a rule matched, or what was not simply allowed.
    Notable,
}

/// Where notices of verdicts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// The address to post to.
    pub url: String,
    /// Format of the post: `auto`, `slack`, `discord`, `teams`, `openclaw` or `webhook`.
    pub platform: String,
    /// The actions to tell of; empty for deny and ask.
    pub on: Vec<String>,
}

/// One test case of a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCase {
    /// What it shows.
    pub name: String,
    /// The tool that is called.
    pub tool: String,
    /// The agent that calls it; empty for none.
    pub agent: String,
    /// The call's parameters.
    pub params: Vec<(String, String)>,
    /// The expected action.
    pub expect: Action,
    /// A glob that the message must match; empty for any.
    pub expect_message: String,
    /// Where it stands.
    pub range: Range<usize>,
}

/// A scope and its rules, of which the first that matches answers.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name, unique in a layer.
    pub name: At<String>,
    /// What it is for.
    pub description: String,
    /// Lower is evaluated first; 100 where unstated.
    pub priority: i64,
    /// Whether it is in force.
    pub enabled: bool,
    /// Which calls it is about.
    pub scope: Scope,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// Which calls a policy is about.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Glob on the agent's name; every agent if `None`.
    pub agent: Option<Pattern>,
    /// Glob on the session label; every session if `None`.
    pub session: Option<Pattern>,
    /// Globs on the tool class; every tool if empty.
    pub tools: Vec<Pattern>,
    /// Whose calls: a code of `evaluator::image::format::by`.
    pub by: u32,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name; its 1-based position where it has none.
    pub name: String,
    /// Why it is there, in one sentence.
    pub description: String,
    /// What it answers.
    pub action: Action,
    /// When.
    pub condition: Condition,
    /// What whoever is stopped should know.
    pub message: String,
    /// 0 (unstated), 1 low, 2 medium, 3 high, 4 critical.
    pub severity: u8,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// Calls that it must and must not fire for.
    pub examples: Examples,
    /// Seconds since the epoch after which it is void.
    pub expires_at: Option<u64>,
    /// Used up by the first call that it grants.
    pub once: bool,
    /// What a call that it holds for brings to its tree: bits of `evaluator::image::format::taint`.
    pub taint: u8,
    /// Mirror a host's own prompt into the daemon.
    pub ask_audit: bool,
    /// Never a host's own prompt.
    pub ask_headless_only: bool,
    /// The service that a `webhook` rule asks.
    pub webhook: Option<Webhook>,
    /// Where it stands.
    pub range: Range<usize>,
}

/// The second party of a `webhook` rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where to post the call.
    pub url: String,
    /// How long to wait, in milliseconds; at most 30,000.
    pub timeout_ms: u64,
    /// Whether no answer allows.
    pub fail_open: bool,
}

/// Calls that a rule must and must not fire for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    /// It must fire for these.
    pub matching: Vec<At<Example>>,
    /// It must not fire for these.
    pub not_matching: Vec<At<Example>>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Example {
    /// Text for a shell.
    Shell(String),
    /// An argument vector.
    Argv(Vec<String>),
    /// A call of another tool, by its path or its address.
    Tool {
        /// The tool class.
        tool: String,
        /// The file.
        path: Option<String>,
        /// The address.
        url: Option<String>,
        /// The running program that does it itself, if none of an agent's tools does.
        program: Option<String>,
    },
}

/// A pattern and how it is matched: `evaluator::image::format::pattern`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// How it is matched.
    pub class: u8,
    /// Whether ASCII case is folded.
    pub fold_case: bool,
    /// The pattern.
    pub text: String,
}

/// When a rule fires. Mirrors `evaluator::image::format::node`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// All of them hold; never empty.
    All(Vec<Condition>),
    /// Some of them hold; never empty.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// Some of the patterns matches what a kind of node (`format::node`) looks at.
    Matches {
        /// The kind of node.
        node: u8,
        /// Its flags.
        flags: u8,
        /// The alternatives; never empty.
        patterns: Vec<Pattern>,
    },
    /// The tree has written what the command runs.
    Written,
    /// The tree has come by all of these (`evaluator::image::format::taint`).
    Tainted(u8),
    /// Some step of the provenance is in this set (bit `1 << Via`).
    Inside(u32),
    /// The file to be executed is of one of these kinds.
    Target(TargetKinds),
    /// The command has one of these properties.
    Fact(CommandFlags),
    /// SQL that the command gets does one of these (`evaluator::sql::effect`).
    Sql(u32),
    /// The command has one of these effects (`evaluator::effects::Kinds`).
    Effects(u32),
    /// The agent depth compares.
    AgentDepth {
        /// 1 for at least, 2 for at most, 3 for equal.
        compare: u8,
        /// With this.
        depth: u32,
    },
    /// A tool was called so often in a window; the call itself counts.
    CallCount {
        /// The tool; the call's own if `None`.
        tool: Option<String>,
        /// At least so often, at most 1,000.
        at_least: u32,
        /// Length of the window in seconds, at most 30 days.
        window: u64,
    },
    /// The tool's output matches: never before a call.
    Response {
        /// Regular expressions of which one must match; empty for any output.
        matching: Vec<String>,
        /// Regular expressions of which none may.
        not_matching: Vec<String>,
    },
}

impl Condition {
    /// Whether some part of it, at any depth, is one that `is` accepts.
    pub fn any_part(&self, is: &dyn Fn(&Condition) -> bool) -> bool {
        is(self)
            || match self {
                Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any_part(is)),
                Self::Not(part) => part.any_part(is),
                _ => false,
            }
    }

    /// Whether this part looks at the text of a command.
    pub fn looks_at_text(&self) -> bool {
        matches!(self, Self::Matches { node: node::COMMAND_GLOB | node::COMMAND_CONTAINS, .. })
    }

    /// Whether this part looks at one command at a time, but at the call where that runs nothing.
    pub fn looks_at_either(&self) -> bool {
        let Self::Matches { node, .. } = self else {
            return false;
        };
        matches!(*node, node::CWD | node::ENV | node::USER)
    }

    /// How much work a verdict has with this part, compared with others: a name is compared
    /// before arguments, and these before paths and before the command's text is put together.
    pub fn cost(&self) -> usize {
        match self {
            Self::All(parts) => parts.iter().map(Self::cost).min().unwrap_or(0),
            Self::Any(parts) => parts.iter().map(Self::cost).sum(),
            Self::Not(part) => part.cost(),
            Self::Matches { node, flags, patterns } => {
                let each = match *node {
                    node::PROGRAM => 1,
                    node::SUBCOMMAND | node::FLAG => 2,
                    node::PIPES_INTO => 3,
                    node::OPERAND if *flags & 1 == 0 => 4,
                    node::WRITES | node::READS | node::ENV_ASSIGNS => 6,
                    node::EXE_PATH | node::EXE_SHA256 => 4096,
                    node::OPERAND | node::PATH => 16,
                    node::COMMAND_GLOB | node::COMMAND_CONTAINS => 32,
                    _ => 4,
                };
                each * patterns.len()
            }
            Self::Written => 2048,
            // The evaluator is asked.
            Self::Tainted(_) => 1 << 19,
            Self::Sql(_) => 64,
            Self::Effects(_) => 128,
            Self::Response { .. } => 1024,
            // Last of all: being asked for a count means that all else holds.
            Self::CallCount { .. } => 1 << 20,
            _ => 0,
        }
    }

    /// Whether this part itself, not what it groups, looks at one command at a time.
    pub fn looks_at_commands(&self) -> bool {
        match self {
            Self::Matches { node, .. } => matches!(
                *node,
                node::COMMAND_GLOB
                    | node::COMMAND_CONTAINS
                    | node::PROGRAM
                    | node::FLAG
                    | node::OPERAND
                    | node::READS
                    | node::WRITES
                    | node::REDIRECTS_TO
                    | node::PIPES_INTO
                    | node::ENV_ASSIGNS
                    | node::SUBCOMMAND
                    | node::EXE_PATH
                    | node::EXE_SHA256
                    | node::CONTEXT
            ),
            Self::Inside(_) | Self::Fact(_) | Self::Sql(_) | Self::Effects(_) | Self::Written => {
                true
            }
            _ => false,
        }
    }
}
