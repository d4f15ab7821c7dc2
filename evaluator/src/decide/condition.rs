//! Evaluating a rule's conditions. Answers are three-valued: what cannot be known here counts as
//! a match for restrictive rules only, and `not` does not turn ignorance into knowledge.

use core::cell::Cell;

use crate::action::Action;
use crate::command::{Command, Tree};
use crate::image::Image;
use crate::image::format::{
    NO_CONDITION, NodeRecord, PolicyRecord, RuleRecord, Section, by, node, rule_flag,
};
use crate::request::{Call, Request};
use crate::world::{Answer, World};

use super::alike::Alike;
use super::flow::Flows;
use super::found::Fault;
pub use super::patterns::{Tri, matches, one, patterns};
use super::seen::Seen;
use super::spelling::Spellings;
use super::text::Forms;

/// Groups deeper than this are never compiled: a corrupt image.
const MAX_DEPTH: u32 = 32;

/// Tests that every verdict may take, and more for each byte of the call. Long scripts take up to
/// 10 for a byte; what is nested so that the same words are looked at again and again ends here.
const TESTS: u64 = 1 << 17;
const TESTS_PER_BYTE: u64 = 32;

/// Bytes of text that count as one test.
const BYTES_PER_TEST: usize = 32;

fn tests_for(request: &Request<'_>) -> u64 {
    let bytes = match request.call {
        Call::Exec { argv, .. } => {
            let sizes = (0..argv.len()).filter_map(|index| argv.get(index));
            sizes.fold(0, |sum, arg| arg.len().saturating_add(sum).saturating_add(1))
        }
        Call::Shell(text) => text.len(),
        Call::Nothing | Call::Operation { .. } => 0,
    };
    TESTS.saturating_add(TESTS_PER_BYTE.saturating_mul(bytes as u64))
}

/// What every test looks at, and the memory it works in.
pub struct Judge<'j, 't> {
    /// The layers, lowest first.
    pub images: &'j [Image<'j>],
    /// The call.
    pub request: &'j Request<'j>,
    /// Answers about the world.
    pub world: &'j dyn World,
    /// What the call would run.
    pub tree: &'j Tree<'t>,
    /// Text forms of the command at hand.
    pub forms: Forms<'j>,
    /// Memory for one line of text.
    pub line: &'j mut [u8],
    /// The paths that were looked at.
    pub spellings: Spellings<'j>,
    /// The caller's home directory, if it is known.
    pub home: Option<&'j [u8]>,
    /// Whether the rule at hand grants: every spelling has to match instead of any.
    pub grants: bool,
    /// Who is counted if the rule at hand counts: its policy and its name.
    pub rule: Option<RuleRecord>,
    /// Condition nodes that may still be visited for this rule.
    fuel: u32,
    /// Tests of a word against a pattern that this verdict may still take.
    tests: Cell<u64>,
    /// The policy whose scope was looked at last, and whether it includes the call.
    pub scope: Option<(u32, bool)>,
    /// Which commands are the same.
    pub alike: Alike<'j>,
    /// What commands flow into.
    pub flows: Flows,
    /// What the program of the command at hand is called, and which command that is.
    pub named: Cell<Option<(usize, Names<'j>)>>,
    /// What the paths of the command at hand hold.
    pub seen: Seen<'j>,
}

/// What a program is called ([`Judge::names`]).
pub type Names<'j> = [Option<&'j [u8]>; 3];

/// A command of the tree and its index.
pub type At<'t> = (usize, &'t Command);

impl<'j, 't> Judge<'j, 't> {
    /// A judge that works in `memory`.
    pub fn new(
        images: &'j [Image<'j>],
        request: &'j Request<'j>,
        world: &'j dyn World,
        tree: &'j Tree<'t>,
        memory: &'j mut [u8],
    ) -> Self {
        let (alike, memory) = Alike::new(tree, memory);
        let eighth = memory.len() / 8;
        let (seen, memory) = memory.split_at_mut_checked(eighth).unwrap_or((&mut [], &mut []));
        let half = memory.len() / 2;
        let (text, paths) = memory.split_at_mut_checked(half).unwrap_or((&mut [], &mut []));
        let half = paths.len() / 2;
        let (line, paths) = paths.split_at_mut_checked(half).unwrap_or((&mut [], &mut []));
        let home = request.env.get(b"HOME");
        let home = home.filter(|home| home.first() == Some(&b'/'));
        let forms = Forms::new(text);
        Self {
            images,
            request,
            world,
            tree,
            forms,
            line,
            spellings: Spellings::new(paths, request.cwd),
            home,
            grants: false,
            rule: None,
            fuel: 0,
            tests: Cell::new(tests_for(request)),
            scope: None,
            alike,
            flows: Flows::new(0),
            named: Cell::new(None),
            seen: Seen::new(seen),
        }
    }

    /// Whether the part `node` of `rule` holds for the command at hand (or for the request, where
    /// there is none); `Unknown` if it counts as holding because something is not known.
    pub fn holds(
        &mut self,
        image: &Image<'_>,
        rule: &RuleRecord,
        node: u32,
        at: Option<At<'j>>,
    ) -> Result<Tri, Fault> {
        let action = Action::from_code(rule.action).ok_or(Fault::Corrupt)?;
        self.grants = action == Action::Allow;
        self.rule = Some(*rule);
        if self.expired(rule) || !self.in_scope(image, rule.policy)? {
            return Ok(Tri::No);
        }
        self.fuel = image.count(Section::Nodes).saturating_add(1);
        let found = match rule.node {
            NO_CONDITION => Tri::Yes,
            _ => self.node(image, node, at, MAX_DEPTH)?,
        };
        let is_open = found == Tri::Unknown && !action.is_restrictive();
        // Only a second party can use a rule up.
        let is_once = self.grants && found == Tri::Yes && rule.flags & rule_flag::ONCE != 0;
        if is_open || is_once && !self.may_use_rule(image, rule)? {
            return Ok(Tri::No);
        }
        Ok(found)
    }

    /// Whether the rule's time is over. Where the time is not known, a grant is.
    fn expired(&self, rule: &RuleRecord) -> bool {
        rule.expires_at != 0
            && match self.world.now() {
                Answer::Value(now) => now >= rule.expires_at,
                Answer::Absent | Answer::Unavailable => self.grants,
            }
    }

    fn in_scope(&mut self, image: &Image<'_>, policy: u32) -> Result<bool, Fault> {
        if let Some((known, inside)) = self.scope
            && known == policy
        {
            return Ok(inside);
        }
        let record = image.policy(policy).ok_or(Fault::Corrupt)?;
        let inside = self.scope_includes(image, &record)?;
        self.scope = Some((policy, inside));
        Ok(inside)
    }

    fn scope_includes(&self, image: &Image<'_>, policy: &PolicyRecord) -> Result<bool, Fault> {
        let caller = &self.request.caller;
        let is_about = match policy.by {
            by::AGENT => !self.request.call.is_operation(),
            by::PROGRAM => self.request.call.is_operation(),
            by::ANY => true,
            _ => return Err(Fault::Corrupt),
        };
        if !is_about {
            return Ok(false);
        }
        for (index, value) in [(policy.agent, caller.agent), (policy.session, caller.session)] {
            if let Some(index) = index.checked_sub(1)
                && one(image, index, value)? == Tri::No
            {
                return Ok(false);
            }
        }
        let tools = patterns(image, policy.tools, policy.tools_len, self.request.tool)?;
        Ok(policy.tools_len == 0 || tools != Tri::No)
    }

    /// Counts `tests` tests of words against patterns.
    pub fn spend(&self, tests: u32) -> Result<(), Fault> {
        let left = self.tests.get().checked_sub(tests.into());
        self.tests.set(left.ok_or(Fault::TooComplex)?);
        Ok(())
    }

    /// Counts `tests` tests of a text of `len` bytes: long ones take longer.
    pub fn spend_on(&self, tests: u32, len: usize) -> Result<(), Fault> {
        let steps = u32::try_from(len / BYTES_PER_TEST).unwrap_or(u32::MAX);
        self.spend(tests.saturating_mul(steps.saturating_add(1)))
    }

    /// How many tests were taken.
    pub fn work(&self) -> u64 {
        tests_for(self.request).saturating_sub(self.tests.get())
    }

    /// Evaluates one condition node.
    fn node(
        &mut self,
        image: &Image<'_>,
        index: u32,
        at: Option<At<'j>>,
        depth: u32,
    ) -> Result<Tri, Fault> {
        self.fuel = self.fuel.checked_sub(1).ok_or(Fault::Corrupt)?;
        self.spend(1)?;
        let depth = depth.checked_sub(1).ok_or(Fault::Corrupt)?;
        let record = image.node(index).ok_or(Fault::Corrupt)?;
        let children = record.first..record.first.saturating_add(record.count);
        match record.kind {
            node::ALL => {
                if record.number != 0 && at.is_some_and(|(_, command)| command.pipes_into == 0) {
                    return Ok(Tri::No);
                }
                let mut all = Tri::Yes;
                for child in children {
                    match self.node(image, child, at, depth)? {
                        Tri::No => return Ok(Tri::No),
                        Tri::Unknown => all = Tri::Unknown,
                        Tri::Yes => {}
                    }
                }
                Ok(all)
            }
            node::ANY => {
                let mut any = Tri::No;
                for child in children {
                    any = any.or(self.node(image, child, at, depth)?);
                    if any == Tri::Yes {
                        break;
                    }
                }
                Ok(any)
            }
            node::NOT => self.negated(image, record.first, at, depth),
            _ => self.test(image, &record, at),
        }
    }

    /// `not` asks the opposite question, so "every spelling" and "any spelling" change places.
    fn negated(
        &mut self,
        image: &Image<'_>,
        child: u32,
        at: Option<At<'j>>,
        depth: u32,
    ) -> Result<Tri, Fault> {
        self.grants = !self.grants;
        let inner = self.node(image, child, at, depth);
        self.grants = !self.grants;
        Ok(match inner? {
            Tri::Yes => Tri::No,
            Tri::Unknown => Tri::Unknown,
            Tri::No => Tri::Yes,
        })
    }

    fn test(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: Option<At<'j>>,
    ) -> Result<Tri, Fault> {
        if matches!(record.kind, node::CWD | node::ENV | node::USER) && self.is_whole_text(at) {
            return Ok(Tri::No);
        }
        if let Some(tri) = self.request_test(image, record, at)? {
            return Ok(tri);
        }
        match at {
            Some(at) => self.command_test(image, record, at),
            None => Ok(Tri::No),
        }
    }
}
