//! What a tool put out: may the agent see it? Asked after the call, of the rules that have a
//! response condition; no other rule is looked at.

use crate::action::Action;
use crate::command::{Parts, Tree, understand};
use crate::image::Image;
use crate::image::format::{NO_CONDITION, Section, rule_flag};
use crate::request::Request;
use crate::scratch::Scratch;
use crate::verdict::{Reason, Verdict};
use crate::world::World;

use super::condition::Judge;
use super::found::{Fault, Found};
use super::{answer, cover, fired, refused};

/// Judges the output of `request`, of which `world` knows whether it matches
/// ([`World::output_matches`]), against `images`, lowest layer first. Where no rule fires it is
/// allowed. What asks for consent before a call is a deny here: the call is over, and nobody can
/// be asked whether it was meant.
///
/// The same bounds as [`super::decide`]; every response rule is looked at.
pub fn decide_response<'a>(
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
    let (tree, rest) = understand(request, world, parts);
    let mut found = Found::new(&mut *scratch.matches);
    let mut judge = Judge::new(images, request, world, &tree, rest);
    let searched = (0_u32..)
        .zip(images)
        .try_for_each(|(position, image)| judge.search_response(image, position, &mut found));
    let matched = found.into_matches();
    if let Err(fault) = searched {
        return refused(tree, matched, fault);
    }
    let mut verdict = Verdict {
        action: Action::Allow,
        reason: Reason::Default,
        policy: b"",
        rule: b"",
        message: b"",
        command: cover::first(&tree),
        matched,
        tree,
        on_no_approver: None,
        taint: 0,
        unsure: false,
    };
    match fired(images, &tree, matched) {
        Ok(Some(winner)) => answer(&mut verdict, images, winner.hit),
        Ok(None) => {}
        Err(fault) => return refused(tree, matched, fault),
    }
    if verdict.action.is_restrictive() {
        verdict.action = Action::Deny;
    }
    verdict
}

impl<'j, 't> Judge<'j, 't>
where
    't: 'j,
{
    /// Finds the response rules of `image` that hold.
    fn search_response(
        &mut self,
        image: &Image<'_>,
        position: u32,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        let tree: &'j Tree<'t> = self.tree;
        self.scope = None;
        for number in 0..image.count(Section::Rules) {
            let rule = image.rule(number).ok_or(Fault::Corrupt)?;
            if rule.flags & rule_flag::RESPONSE == 0 || rule.node == NO_CONDITION {
                continue;
            }
            let place = (position, number);
            if self.is_about_request(&rule) {
                self.try_rule(image, place, (&rule, rule.node), None, found)?;
                continue;
            }
            for at in tree.commands.iter().enumerate() {
                self.try_rule(image, place, (&rule, rule.node), Some(at), found)?;
            }
        }
        Ok(())
    }
}
