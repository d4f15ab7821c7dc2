//! The policy in force, and verdicts by it. A policy is replaced as a whole while requests are being
//! judged by the one before it, so it is shared and never changed; what a verdict needs of memory
//! belongs to the thread that makes it.

use super::counters::{self, Counting, Key, Shared};
use super::files::KnownFiles;
use super::once::{self, SharedUses, Uses};
use super::requests::now;
use super::taints::Keeper;
use super::tallies;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::launch::program::Facts;
use crate::policy::Layers;
use crate::process::who::User;
use crate::process::{Asker, Process};
use crate::verdict::since::Since;
use crate::verdict::world::FileSystem;
use evaluator::image::format::Section;
use evaluator::{Image, Request, Verdict, decide};
use policy_schema::OwnedScratch;
use sha2::{Digest, Sha256};

/// A policy that was checked whole.
#[derive(Debug)]
pub struct InForce {
    /// Its layers.
    pub layers: Layers,
    /// Their [`digest`].
    pub digest: [u8; 32],
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
        let digest = digest(&layers);
        Ok(Self { layers, digest, rules })
    }

    /// The images. They opened before and have not changed; if one does not, there is none, and
    /// everything is denied.
    pub fn images(&self) -> Vec<Image<'_>> {
        let opened = self.layers.all.iter().map(|layer| Image::open(&layer.bytes));
        opened.collect::<Result<_, _>>().unwrap_or_default()
    }
}

/// The tree that a process with this environment lives in; empty if that is not known.
fn tree_of(environment: &Environment) -> Vec<u8> {
    environment
        .value("RAMPART_TREE")
        .map(|tree| tree.as_encoded_bytes().to_vec())
        .unwrap_or_default()
}

/// What tells two policies apart: every byte of every layer.
pub fn digest(layers: &Layers) -> [u8; 32] {
    let mut digest = Sha256::new();
    for layer in &layers.all {
        digest.update((layer.bytes.len() as u64).to_le_bytes());
        digest.update(&layer.bytes);
    }
    digest.finalize().into()
}

/// Working memory for verdicts.
#[derive(Default)]
pub struct Brain {
    scratch: OwnedScratch,
    files: KnownFiles,
    counters: Shared,
    /// What held once and was used up.
    pub uses: SharedUses,
    /// What trees have come by.
    pub taints: Keeper,
    /// How often the programs of trees did things themselves.
    pub tallies: tallies::Shared,
}

impl Brain {
    /// One that knows what was used up.
    pub fn counting(uses: Uses) -> Self {
        Self { uses: uses.shared(), ..Self::default() }
    }

    /// One for a tree of which somebody else keeps what it has come by.
    pub fn with(taints: Keeper) -> Self {
        Self { taints, ..Self::default() }
    }

    /// What the file of `asked` is.
    pub fn facts(&mut self, asked: &Asked) -> Facts {
        if asked.shell.is_some() { Facts::default() } else { self.files.of(&asked.path()) }
    }

    /// One for another thread, which counts with this one.
    pub fn another(&self) -> Self {
        Self {
            counters: self.counters.clone(),
            uses: self.uses.clone(),
            taints: self.taints.clone(),
            tallies: self.tallies.clone(),
            ..Self::default()
        }
    }

    /// The counts, for who judges elsewhere.
    pub fn shared(&self) -> Shared {
        self.counters.clone()
    }

    /// Counts a call of `process` under each of `keys`.
    pub fn count(&self, keys: Vec<Key>, process: Process) {
        counters::count(&self.counters, keys, (process, now() / 1000));
    }

    /// Judges `asked`, a call of `asker`, a process of `user`, and gives the verdict to `tell`. Its answer is
    /// returned, with the counts that the verdict looked at.
    pub fn judge<R>(
        &mut self,
        policy: &InForce,
        (asked, facts): (&Asked, &Facts),
        (user, asker): (User, Asker),
        tell: impl FnOnce(&Verdict<'_>, &Request<'_>) -> R,
    ) -> (R, Vec<Key>) {
        let files = FileSystem::seen_by(user, asker)
            .running(&asked.file)
            .since(Since::of(&asked.environment))
            .in_tree(self.taints.clone(), tree_of(&asked.environment))
            .counted_by(once::by(&self.uses, user, asker));
        let images = policy.images();
        let tree = asked.hook.is_some().then(|| tree_of(&asked.environment));
        let Self { scratch, counters, tallies, .. } = self;
        asked.with_request(facts, |request| {
            let caller = (user, request.caller.session);
            let world = Counting::new(files, counters, caller, (asker, now() / 1000))
                .made_in(&asked.cwd)
                .of_tree(tree.as_deref().map(|tree| (&*tallies, tree)));
            scratch.fit(request, policy.rules);
            let mut scratch = scratch.borrow();
            let told = tell(&decide(&images, request, &world, &mut scratch), request);
            (told, world.touched())
        })
    }
}
