//! One policy and one working memory for many verdicts.

use crate::failure::Failure;
use crate::policy::Layers;
use evaluator::command::{Command, Redirect, Var, Word};
use evaluator::image::format::Section;
use evaluator::{Call, Image, Request, RuleMatch, Scratch, ScratchLen, Verdict, World, decide};

/// Judges requests against the layers in force.
pub struct Judge<'p> {
    images: Vec<Image<'p>>,
    rules: usize,
    memory: Memory,
}

impl<'p> Judge<'p> {
    /// # Errors
    /// If a layer is not intact.
    pub fn new(layers: &'p Layers) -> Result<Self, Failure> {
        let images = layers.images()?;
        let rules = images
            .iter()
            .map(|image| image.count(Section::Rules) as usize)
            .sum();
        Ok(Self {
            images,
            rules,
            memory: Memory::default(),
        })
    }

    /// Judges `request` and gives the verdict to `tell`, whose answer is returned.
    pub fn judge<R>(
        &mut self,
        request: &Request<'_>,
        world: &dyn World,
        tell: impl FnOnce(&Verdict<'_>, &[Image<'p>]) -> R,
    ) -> R {
        let (input, args) = size(request);
        self.memory
            .grow(evaluator::scratch::scratch_len(input, args, self.rules));
        let mut scratch = self.memory.scratch();
        let images: Vec<Image<'_>> = self.images.clone();
        let verdict = decide(&images, request, world, &mut scratch);
        tell(&verdict, &self.images)
    }
}

/// Bytes and number of arguments that understanding starts from.
fn size(request: &Request<'_>) -> (usize, usize) {
    match request.call {
        Call::Nothing => (0, 0),
        Call::Shell(text) => (text.len(), 0),
        Call::Exec { file, argv } => {
            let lengths = (0..argv.len()).filter_map(|index| argv.get(index));
            let bytes = lengths.fold(file.len(), |sum, arg| sum + arg.len() + 1);
            (bytes, argv.len())
        }
    }
}

/// The working memory that `decide` wants, kept between verdicts.
#[derive(Default)]
struct Memory {
    text: Vec<u8>,
    words: Vec<Word>,
    commands: Vec<Command>,
    redirects: Vec<Redirect>,
    vars: Vec<Var>,
    matches: Vec<RuleMatch>,
}

impl Memory {
    fn grow(&mut self, len: ScratchLen) {
        fn to<T: Default + Clone>(slice: &mut Vec<T>, len: usize) {
            if slice.len() < len {
                slice.resize(len, T::default());
            }
        }
        to(&mut self.text, len.text);
        to(&mut self.words, len.words);
        to(&mut self.commands, len.commands);
        to(&mut self.redirects, len.redirects);
        to(&mut self.vars, len.vars);
        to(&mut self.matches, len.matches);
    }

    fn scratch(&mut self) -> Scratch<'_> {
        Scratch {
            text: &mut self.text,
            words: &mut self.words,
            commands: &mut self.commands,
            redirects: &mut self.redirects,
            vars: &mut self.vars,
            matches: &mut self.matches,
        }
    }
}
