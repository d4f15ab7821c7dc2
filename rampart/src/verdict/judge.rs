//! One policy and one working memory for many verdicts.

use super::response::{self, Patterns};
use super::world::FileSystem;
use crate::failure::Failure;
use crate::policy::Layers;
use evaluator::image::format::Section;
use evaluator::{Image, Request, Verdict, World, decide};
use policy_schema::OwnedScratch;

/// Judges requests against the layers in force.
pub struct Judge<'p> {
    images: Vec<Image<'p>>,
    rules: usize,
    scratch: OwnedScratch,
    /// What outputs were searched for so far.
    pub patterns: Patterns,
}

impl<'p> Judge<'p> {
    /// # Errors
    /// If a layer is not intact.
    pub fn new(layers: &'p Layers) -> Result<Self, Failure> {
        let images = layers.images()?;
        let rules = images.iter().map(|image| image.count(Section::Rules) as usize).sum();
        Ok(Self { images, rules, scratch: OwnedScratch::default(), patterns: Patterns::default() })
    }

    /// Judges `request` and gives the verdict to `tell`, whose answer is returned.
    pub fn judge<R>(
        &mut self,
        request: &Request<'_>,
        world: &dyn World,
        tell: impl FnOnce(&Verdict<'_>, &[Image<'p>]) -> R,
    ) -> R {
        let images: Vec<Image<'_>> = self.images.clone();
        if let Some(mut scratch) = self.scratch.quick(request) {
            let verdict = decide(&images, request, world, &mut scratch);
            if !verdict.lacked_memory() {
                return tell(&verdict, &self.images);
            }
        }
        self.scratch.fit(request, self.rules);
        let mut scratch = self.scratch.borrow();
        let verdict = decide(&images, request, world, &mut scratch);
        tell(&verdict, &self.images)
    }

    /// The same for what the call put out, by the policy's response rules.
    pub fn judge_output<R>(
        &mut self,
        call: (&Request<'_>, &[u8]),
        files: &FileSystem,
        tell: impl FnOnce(&Verdict<'_>, &[Image<'p>]) -> R,
    ) -> R {
        let scratch = (&mut self.scratch, self.rules);
        let images: Vec<Image<'_>> = self.images.clone();
        let world = (files, &self.patterns);
        response::judge(&images, scratch, call, world, |verdict| tell(verdict, &self.images))
    }
}
