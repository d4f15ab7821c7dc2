//! Stage 4, decide: which rules of which layer hold for the commands that a call can reach, and
//! what that comes to.
//!
//! Inside a policy the first rule that fires answers; across policies and layers the strictest
//! answer counts. A restrictive rule (deny, ask, webhook) and a watch fire if *any* command
//! matches, an allow only if *every* command that needs cover is matched. What cannot be known
//! counts as a match for restrictive rules and as none for the others; what could not be read
//! wholly is answered by `on_too_complex` and `on_unparseable` unless a rule is stricter.

mod alike;
mod asks;
mod command;
mod condition;
mod context;
mod cover;
mod exceptions;
mod flow;
mod found;
mod lines;
mod operands;
mod paths;
mod patterns;
mod pieces;
mod readings;
mod request;
mod response;
mod search;
mod seen;
mod sketch;
mod spelling;
mod statements;
mod surroundings;
mod target;
mod text;
mod views;
mod written;

use crate::action::Action;
use crate::command::{Outcome, Parts, Tree, understand};
use crate::image::Image;
use crate::image::format::{level, rule_flag};
use crate::request::Request;
use crate::scratch::Scratch;
use crate::verdict::{Reason, RuleMatch, Verdict};
use crate::world::World;

pub use cover::needed as commands_to_cover;
pub use response::decide_response;

use condition::Judge;
use found::{Fault, Found};

/// Judges `request` against `images`, lowest layer first.
///
/// Allocates nothing and ends after a bounded amount of work; `scratch` should have the sizes of
/// [`crate::scratch::scratch_len`]. The same input gives the same verdict on any load.
pub fn decide<'a>(
    images: &[Image<'a>],
    request: &Request<'_>,
    world: &dyn World,
    scratch: &'a mut Scratch<'_>,
) -> Verdict<'a> {
    let parts = Parts {
        text: &mut *scratch.text,
        words: &mut *scratch.words,
        commands: &mut *scratch.commands,
        redirects: &mut *scratch.redirects,
        vars: &mut *scratch.vars,
    };
    let (mut tree, rest) = understand(request, world, parts);
    let mut found = Found::new(&mut *scratch.matches);
    let (searched, work) = search(images, request, world, &tree, rest, &mut found);
    tree.work = tree.work.saturating_add(work);
    let matched = found.into_matches();
    match searched {
        Ok(()) => combine(images, request, tree, matched),
        // What was found so far holds; what was not looked at may hold too.
        Err(Fault::TooComplex) => {
            let outcome = Outcome::TooComplex;
            combine(images, request, Tree { outcome, ..tree }, matched)
        }
        Err(fault) => refused(tree, matched, fault),
    }
}

/// Finds every rule that holds for some command, in every image; also says what it took.
fn search(
    images: &[Image<'_>],
    request: &Request<'_>,
    world: &dyn World,
    tree: &Tree<'_>,
    rest: &mut [u8],
    found: &mut Found<'_>,
) -> (Result<(), Fault>, u64) {
    let mut judge = Judge::new(images, request, world, tree, rest);
    for (position, image) in (0_u32..).zip(images) {
        if let Err(fault) = judge.search(image, position, found) {
            return (Err(fault), judge.work());
        }
    }
    (Ok(()), judge.work())
}

/// The verdict where the policy could not be consulted.
const fn refused<'a>(tree: Tree<'a>, matched: &'a [RuleMatch], fault: Fault) -> Verdict<'a> {
    let reason = match fault {
        Fault::Corrupt => Reason::CorruptImage,
        Fault::NoMemory => Reason::NoMemory,
        Fault::TooComplex => Reason::TooComplex,
    };
    Verdict {
        action: Action::Deny,
        reason,
        policy: b"",
        rule: b"",
        message: b"",
        command: 0,
        matched,
        tree,
        on_no_approver: None,
        unsure: false,
        taint: 0,
    }
}

/// What the rules that hold come to.
fn combine<'a>(
    images: &[Image<'a>],
    request: &Request<'_>,
    tree: Tree<'a>,
    matched: &'a [RuleMatch],
) -> Verdict<'a> {
    let mut verdict = Verdict {
        // A program that may run may do what no rule is about.
        action: match request.call.is_operation() {
            true => Action::Allow,
            false => default_action(images),
        },
        reason: Reason::Default,
        policy: b"",
        rule: b"",
        message: b"",
        command: cover::first(&tree),
        matched,
        tree,
        on_no_approver: stated(images, |image| image.header.on_no_approver),
        unsure: false,
        taint: brought(images, matched),
    };
    match fired(images, &tree, matched) {
        Ok(Some(winner)) if winner.own || winner.hit.action > verdict.action as u32 => {
            answer(&mut verdict, images, winner.hit);
        }
        Ok(_) => {}
        Err(fault) => return refused(tree, matched, fault),
    }
    let (limit, reason) = match tree.outcome {
        Outcome::Complete => return verdict,
        Outcome::TooComplex => {
            (stated(images, |image| image.header.on_too_complex), Reason::TooComplex)
        }
        Outcome::Unparseable => {
            (stated(images, |image| image.header.on_unparseable), Reason::Unparseable)
        }
    };
    let limit = limit.unwrap_or(Action::Ask);
    if limit > verdict.action {
        verdict = Verdict {
            action: limit,
            reason,
            policy: b"",
            rule: b"",
            message: b"",
            unsure: false,
            ..verdict
        };
    }
    verdict
}

/// What the rules that surely hold say that the call brings to its tree.
fn brought(images: &[Image<'_>], matched: &[RuleMatch]) -> u8 {
    matched.iter().filter(|hit| hit.hits > 0).fold(0, |bits, hit| {
        let rule = images.get(hit.image as usize).and_then(|image| image.rule(hit.rule));
        bits | rule.map_or(0, |rule| rule.taint)
    })
}

/// Makes `winner` the deciding rule.
fn answer<'a>(verdict: &mut Verdict<'a>, images: &[Image<'a>], winner: RuleMatch) {
    let Some(image) = images.get(winner.image as usize) else {
        return;
    };
    let Some(rule) = image.rule(winner.rule) else {
        return;
    };
    let policy = image.policy(rule.policy);
    verdict.action = Action::from_code(rule.action).unwrap_or(Action::Deny);
    verdict.reason = Reason::Rule;
    verdict.policy = policy.and_then(|found| image.text(found.name, found.name_len)).unwrap_or(b"");
    verdict.rule = image.text(rule.name, rule.name_len).unwrap_or(b"");
    verdict.message = image.text(rule.message, rule.message_len).unwrap_or(b"");
    verdict.command = winner.command;
    verdict.unsure = winner.hits == 0 && verdict.action.is_restrictive();
}

/// The rule that answers.
struct Winner {
    hit: RuleMatch,
    /// Whether some layer that is no project's has an answer: only then the default is overruled
    /// by an answer that is looser.
    own: bool,
}

/// The strictest of the first firing rules of all policies; the earliest of equals. Where that is
/// no deny, an operator's allow goes before it.
fn fired(
    images: &[Image<'_>],
    tree: &Tree<'_>,
    matched: &[RuleMatch],
) -> Result<Option<Winner>, Fault> {
    let needed = cover::needed(tree);
    let mut winner: Option<RuleMatch> = None;
    let mut granted: Option<RuleMatch> = None;
    let mut own = false;
    let mut answered = None;
    for hit in matched {
        let image = images.get(hit.image as usize).ok_or(Fault::Corrupt)?;
        let rule = image.rule(hit.rule).ok_or(Fault::Corrupt)?;
        let action = Action::from_code(rule.action).ok_or(Fault::Corrupt)?;
        let policy = Some((hit.image, rule.policy));
        if policy == answered {
            continue;
        }
        let grants = action == Action::Allow;
        let covered = hit.hits >= needed && tree.outcome == Outcome::Complete;
        if grants && (!covered || image.header.level == level::PROJECT) {
            continue;
        }
        // A restriction that holds only because something is not known must not keep a stricter
        // one behind it from answering, nor a stricter default.
        if grants || hit.hits > 0 || !action.is_restrictive() {
            answered = policy;
            own |= image.header.level != level::PROJECT;
        }
        if grants && rule.flags & rule_flag::OPERATOR != 0 {
            granted = granted.or(Some(*hit));
        }
        if winner.is_none_or(|best| u32::from(rule.action) > best.action) {
            winner = Some(*hit);
        }
    }
    let denied = winner.is_some_and(|best| best.action == Action::Deny as u32);
    Ok(granted.filter(|_| !denied).or(winner).map(|hit| Winner { hit, own }))
}

/// What happens to a call that no rule mentions: the highest layer that is no project's and
/// states it says so, and a project may be stricter. Where none states it, a deny.
fn default_action(images: &[Image<'_>]) -> Action {
    let of = |image: &Image<'_>| Action::from_code(image.header.default_action);
    let own = |image: &&Image<'_>| image.header.level != level::PROJECT;
    let base = images.iter().rev().filter(own).find_map(of).unwrap_or(Action::Deny);
    images.iter().filter(|image| !own(image)).filter_map(of).fold(base, Action::max)
}

/// The strictest action that images state for one of the `on_*` keys; `None` if none does.
fn stated(images: &[Image<'_>], code: impl Fn(&Image<'_>) -> u8) -> Option<Action> {
    images.iter().filter_map(|image| Action::from_code(code(image))).max()
}
