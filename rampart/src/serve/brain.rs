//! The policy in force, and verdicts by it. A policy is replaced as a whole while requests are being
//! judged by the one before it, so it is shared and never changed; what a verdict needs of memory
//! belongs to the thread that makes it.

use super::files::KnownFiles;
use super::peer::Peer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::launch::program::Facts;
use crate::policy::Layers;
use crate::verdict::world::FileSystem;
use evaluator::image::format::Section;
use evaluator::{Image, Request, Verdict, decide};
use policy_schema::OwnedScratch;

/// A policy that was checked whole.
#[derive(Debug)]
pub struct InForce {
    /// Its layers.
    pub layers: Layers,
    rules: usize,
}

impl InForce {
    /// Checks `layers`.
    ///
    /// # Errors
    /// If one is not intact.
    pub fn new(layers: Layers) -> Result<Self, Failure> {
        let count = |image: &Image<'_>| image.count(Section::Rules) as usize;
        let rules = layers.images()?.iter().map(count).sum();
        Ok(Self { layers, rules })
    }

    /// The images. They opened before and have not changed; if one does not, there is none, and
    /// everything is denied.
    pub fn images(&self) -> Vec<Image<'_>> {
        let opened = self.layers.all.iter().map(|layer| Image::open(&layer.bytes));
        opened.collect::<Result<_, _>>().unwrap_or_default()
    }
}

/// Working memory for verdicts.
#[derive(Default)]
pub struct Brain {
    scratch: OwnedScratch,
    files: KnownFiles,
}

impl Brain {
    /// What the file of `asked` is.
    pub fn facts(&mut self, asked: &Asked) -> Facts {
        if asked.shell.is_some() { Facts::default() } else { self.files.of(&asked.path()) }
    }

    /// Judges `asked`, which came from `peer`, and gives the verdict to `tell`.
    pub fn judge<R>(
        &mut self,
        policy: &InForce,
        (asked, facts): (&Asked, &Facts),
        peer: &Peer,
        tell: impl FnOnce(&Verdict<'_>, &Request<'_>) -> R,
    ) -> R {
        let world = FileSystem::seen_by(peer.uid, peer.process);
        let images = policy.images();
        asked.with_request(facts, |request| {
            self.scratch.fit(request, policy.rules);
            let mut scratch = self.scratch.borrow();
            tell(&decide(&images, request, &world, &mut scratch), request)
        })
    }
}
