//! Working memory for verdicts where there is a heap.

use evaluator::command::{Command, Redirect, Var, Word};
use evaluator::scratch::scratch_len;
use evaluator::{Call, Request, RuleMatch, Scratch, ScratchLen};

/// A [`Scratch`] that owns its memory and can be used for one verdict after another.
#[derive(Default)]
pub struct OwnedScratch {
    text: Vec<u8>,
    words: Vec<Word>,
    commands: Vec<Command>,
    redirects: Vec<Redirect>,
    vars: Vec<Var>,
    matches: Vec<RuleMatch>,
}

/// Longest input that is tried with little memory, in bytes.
const SMALL: usize = 1024;

/// Longest input that memory is brought for, in bytes: more than Linux lets any program be
/// started with (6 MiB, execve(2)), so what is longer can be judged "too complex".
const LARGEST: usize = 8 * 1024 * 1024;

impl OwnedScratch {
    /// Memory that suffices for `request` against images that hold `rules` rules in all.
    #[must_use]
    pub fn for_request(request: &Request<'_>, rules: usize) -> Self {
        let mut scratch = Self::default();
        scratch.fit(request, rules);
        scratch
    }

    /// Memory for a first attempt at `request`, whose verdict counts unless it lacked memory
    /// ([`evaluator::Verdict::lacked_memory`]). `None` for a request that is not small.
    pub fn quick(&mut self, request: &Request<'_>) -> Option<Scratch<'_>> {
        let (input, args) = size(request);
        if input > SMALL || args > ScratchLen::QUICK.words / 4 {
            return None;
        }
        // Of text there is all that could be needed: a path that finds no room would be taken for one
        // that cannot be known.
        let text = scratch_len(input, args, 0).text;
        self.grow(ScratchLen { text, ..ScratchLen::QUICK });
        Some(self.borrow())
    }

    /// Grows the memory to what `request` against `rules` rules may need, for inputs up to
    /// 8 MiB. It never shrinks.
    pub fn fit(&mut self, request: &Request<'_>, rules: usize) {
        let (input, args) = size(request);
        self.grow(scratch_len(input, args, rules));
    }

    fn grow(&mut self, len: ScratchLen) {
        fn grow<T: Default + Clone>(slice: &mut Vec<T>, len: usize) {
            if slice.len() < len {
                slice.resize(len, T::default());
            }
        }
        if self.text.len() < len.text {
            // Fresh memory, which is not touched as long as it is not used.
            self.text = vec![0; len.text];
        }
        grow(&mut self.words, len.words);
        grow(&mut self.commands, len.commands);
        grow(&mut self.redirects, len.redirects);
        grow(&mut self.vars, len.vars);
        grow(&mut self.matches, len.matches);
    }

    /// The memory, for [`evaluator::decide()`].
    pub fn borrow(&mut self) -> Scratch<'_> {
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

/// Bytes and number of arguments of `request`, as far as memory is brought for them.
fn size(request: &Request<'_>) -> (usize, usize) {
    let (input, args) = match request.call {
        Call::Exec { file, argv } => {
            let lengths = (0..argv.len()).filter_map(|index| argv.get(index));
            let bytes: usize = lengths.map(|arg| arg.len() + 1).sum();
            (bytes + file.len(), argv.len())
        }
        Call::Shell(text) => (text.len(), 0),
        Call::Operation { program, .. } => (program.len(), 1),
        Call::Nothing => (0, 0),
    };
    let paths = request.path.map_or(0, <[u8]>::len) + request.url.map_or(0, <[u8]>::len);
    ((input + paths).min(LARGEST), args.min(LARGEST))
}
