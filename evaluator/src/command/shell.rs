//! The state of understanding: an abstract shell that reads text as a shell does and notes what
//! it would run instead of running it.

use super::arena::Store;
use super::limits::{Step, Stop};
use super::{Command, CommandFlags, Outcome, Parts, Redirect, Run, Span, Tree, Var, Via, Word};
use crate::request::{Argv, Call};
use crate::{Request, World};

/// See the module.
pub(super) struct Shell<'r, 's> {
    pub text: Store<'s, u8>,
    pub words: Store<'s, Word>,
    pub commands: Store<'s, Command>,
    pub redirects: Store<'s, Redirect>,
    pub vars: Store<'s, Var>,
    pub outcome: Outcome,
    #[expect(dead_code, reason = "scripts are read from the next version on")]
    pub world: &'r dyn World,
}

impl<'r, 's> Shell<'r, 's> {
    /// An abstract shell that works in `scratch`.
    pub fn new(_request: &Request<'r>, world: &'r dyn World, scratch: Parts<'s>) -> Self {
        Self {
            text: Store::new(scratch.text, 4),
            words: Store::new(scratch.words, 3),
            commands: Store::new(scratch.commands, 0),
            redirects: Store::new(scratch.redirects, 2),
            vars: Store::new(scratch.vars, 0),
            outcome: Outcome::Complete,
            world,
        }
    }

    /// Understands `request`; the tree and the unused text.
    pub fn understand(mut self, request: &Request<'r>) -> (Tree<'s>, &'s mut [u8]) {
        let done = match request.call {
            Call::Exec { argv, .. } => self.call(argv),
            Call::Shell(text) => self.root(text),
            Call::Nothing => Ok(()),
        };
        if done == Err(Stop::Limit) {
            self.outcome = Outcome::TooComplex;
        }
        let (text, rest) = self.text.into_parts();
        let tree = Tree {
            text,
            words: self.words.into_parts().0,
            commands: self.commands.into_parts().0,
            redirects: self.redirects.into_parts().0,
            outcome: self.outcome,
        };
        (tree, rest)
    }

    fn call(&mut self, argv: &dyn Argv) -> Step {
        let first = self.words.len();
        for index in 0..argv.len() {
            let word = self.keep_bytes(argv.get(index).unwrap_or(&[]))?;
            self.words.push(Word {
                text: word,
                flags: super::WordFlags::default(),
            })?;
        }
        self.commands.push(Command {
            words: Run {
                first: first as u32,
                count: self.words.len().saturating_sub(first) as u32,
            },
            ..Command::default()
        })?;
        Ok(())
    }

    fn root(&mut self, text: &[u8]) -> Step {
        self.keep_bytes(text)?;
        self.commands.push(Command {
            via: Via::Call,
            flags: CommandFlags::WRAPPER,
            ..Command::default()
        })?;
        Ok(())
    }

    fn keep_bytes(&mut self, bytes: &[u8]) -> Step<Span> {
        let start = self.text.push_all(bytes)?;
        Ok(Span {
            start: start as u32,
            len: bytes.len() as u32,
        })
    }
}
