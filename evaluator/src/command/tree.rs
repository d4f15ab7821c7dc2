//! The result of understanding: simple commands with provenance, in arenas that the caller owns.
//!
//! Everything refers to everything else by index, so the types are plain data and the tree can
//! lie in a zeroed mapping. Words hold *values* (after quoting and expansion), not source text.

/// Stands in a word's text for a part whose value is not known (a variable from outside, the
/// output of a program). NUL cannot occur in an argument, so it is free to mean this.
pub const UNKNOWN: u8 = 0;

/// A piece of [`Tree::text`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

/// One word of a command: its value as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Word {
    /// The value; unknown parts are one [`UNKNOWN`] byte each.
    pub text: Span,
    /// What else is known of it.
    pub flags: WordFlags,
}

/// Properties of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WordFlags(pub u32);

impl WordFlags {
    /// At least one part is not known (the text holds an [`UNKNOWN`]).
    pub const PARTIAL: Self = Self(1);
    /// Nothing of it is known.
    pub const DYNAMIC: Self = Self(2);
    /// Holds unquoted `*`, `?` or `[`: the shell may replace it by any number of paths.
    pub const GLOB: Self = Self(4);
    /// May become several words or none (an unquoted expansion of unknown value).
    pub const SPLITS: Self = Self(8);
    /// Some part of it was quoted in the source.
    pub const QUOTED: Self = Self(16);
    /// Bookkeeping: holds what was downloaded, or decoded from something unknown.
    pub(crate) const FETCHED: Self = Self(1 << 16);
    /// Bookkeeping: holds what was decoded while understanding.
    pub(crate) const DECODED: Self = Self(1 << 17);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Whether any flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A run of elements in one of the tree's arenas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Run {
    /// Index of the first element.
    pub first: u32,
    /// Number of elements.
    pub count: u32,
}

/// One simple command that the call can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Command {
    /// Its words; the first is the program. Empty for a command of assignments or redirections only.
    pub words: Run,
    /// `NAME=value` words before the program.
    pub assignments: Run,
    /// Redirections, in [`Tree::redirects`].
    pub redirects: Run,
    /// Index + 1 of the command that this one was found in; 0 at the top.
    pub parent: u32,
    /// How it was found in its parent.
    pub via: Via,
    /// Every step of its provenance but the call itself: `1 << Via`.
    pub inside: u16,
    /// Properties.
    pub flags: CommandFlags,
    /// Index + 1 of the command that its standard output flows into; 0 if none.
    pub pipes_into: u32,
    /// Directory it would run in, where a `cd` before it made that known; else empty, and
    /// [`CommandFlags::CWD_CHANGED`] says whether the request's own directory still holds.
    pub cwd: Span,
    /// What flows into its standard input, where known (here-document, `echo … |`).
    pub stdin: Span,
    /// Where in the request it stands: byte offset in the shell text, or argument index.
    pub at: u32,
}

/// How a command was found in its parent: one step of its provenance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Via {
    /// It is the call itself.
    #[default]
    Call = 0,
    /// Run by a wrapper that changes nothing of note (`env`, `nohup`, `timeout` …).
    Wrapper,
    /// Run with other privileges (`sudo`, `doas`, `su -c`, `pkexec` …).
    Privilege,
    /// Text given to a shell (`sh -c`, a tool's shell text, `system(3)`).
    Shell,
    /// `$( )`, backticks, `<( )` or `>( )`.
    Substitution,
    /// `eval`, `source`, `trap`.
    Eval,
    /// Decoded from base64, hex or the like on its way into something that runs it.
    Decoded,
    /// Text that flows into the standard input of something that runs it.
    Stdin,
    /// Found in code of another language (`python -c`, `perl -e` …).
    Interpreter,
    /// Read from a script file.
    Script,
    /// Run on another machine (`ssh`).
    Remote,
    /// Run in another container (`docker exec`, `kubectl exec` …).
    Container,
    /// Built by a program that runs what it reads or finds (`xargs`, `find -exec`, `parallel`).
    Batch,
    /// The body of a function, where it is called.
    Function,
}

impl Via {
    /// Name in policies (`inside:`), events and explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Wrapper => "wrapper",
            Self::Privilege => "sudo",
            Self::Shell => "shell",
            Self::Substitution => "substitution",
            Self::Eval => "eval",
            Self::Decoded => "decoded",
            Self::Stdin => "stdin",
            Self::Interpreter => "interpreter",
            Self::Script => "script",
            Self::Remote => "ssh",
            Self::Container => "container",
            Self::Batch => "batch",
            Self::Function => "function",
        }
    }

    /// Every way, in the order of its code (`ALL[v as usize] == v`).
    pub const ALL: [Self; 14] = [
        Self::Call,
        Self::Wrapper,
        Self::Privilege,
        Self::Shell,
        Self::Substitution,
        Self::Eval,
        Self::Decoded,
        Self::Stdin,
        Self::Interpreter,
        Self::Script,
        Self::Remote,
        Self::Container,
        Self::Batch,
        Self::Function,
    ];
}

/// Properties of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CommandFlags(pub u32);

impl CommandFlags {
    /// It does nothing but run other commands, which stand in the tree as its children (`sudo`,
    /// `env`, `sh -c`, `eval`, a function …). Granting rules need not cover its own line. What
    /// does more than that (`docker run`, `git -c`, `npx`, `find`) has children without it.
    pub const WRAPPER: Self = Self(1);
    /// Runs text that cannot be known here (`curl … | sh`, `bash "$x"`, `rev | sh`).
    pub const UNKNOWN_CODE: Self = Self(2);
    /// A `cd` to somewhere unknown stands before it, or `cwd` is set.
    pub const CWD_CHANGED: Self = Self(4);
    /// Something unknown flows into its standard input.
    pub const STDIN_UNKNOWN: Self = Self(8);
    /// A shell keyword's own effect, not a program (`[[`, an assignment alone).
    pub const BUILTIN: Self = Self(16);
    /// Defines a function that calls itself in the background or through a pipe.
    pub const FORK_BOMB: Self = Self(32);
    /// Unknown, *remote* or decoded data flows into something that runs it (a subset of
    /// `UNKNOWN_CODE`: the source downloads or decodes).
    pub const FETCHED_CODE: Self = Self(64);
    /// Bookkeeping: calls a function that is being followed.
    pub(crate) const RECURSES: Self = Self(1 << 16);
    /// Bookkeeping: a command of the tree was found in text that this one is given.
    pub(crate) const RUNS_TEXT: Self = Self(1 << 17);
    /// Bookkeeping: runs a command of the tree and changes nothing of note for it.
    pub(crate) const RUNS_PLAIN: Self = Self(1 << 18);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Whether any flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// One redirection of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Redirect {
    /// The descriptor it changes; -1 for both 1 and 2 (`&>`).
    pub fd: i32,
    /// What it does.
    pub op: RedirectOp,
    /// The file, descriptor or here-document text.
    pub target: Word,
}

/// What a redirection does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum RedirectOp {
    /// `<`
    #[default]
    Read = 0,
    /// `>`, `>|`, `&>`
    Write,
    /// `>>`, `&>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `<&`, `>&`
    Duplicate,
    /// `<<`, `<<-`: the target is the body.
    HereDoc,
    /// `<<<`: the target is the text.
    HereString,
}

/// A shell variable whose value is followed while text is understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Var {
    /// Its name.
    pub name: Span,
    /// Its value; see [`Word`].
    pub value: Word,
    /// What it names and how it was set: bookkeeping of the parser.
    pub scope: u32,
    /// The entry before whose name has the same hash: bookkeeping of the parser.
    pub link: u32,
}

/// How far a text could be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Wholly.
    #[default]
    Complete,
    /// A syntax error: what stands in the tree may run, and so may more.
    Unparseable,
    /// A counted limit was reached: more may run than stands in the tree.
    TooComplex,
}

/// Every simple command that a call can reach, the call itself first.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'s> {
    /// Bytes that spans refer to.
    pub text: &'s [u8],
    /// Words that commands refer to.
    pub words: &'s [Word],
    /// The commands; a parent stands before its children.
    pub commands: &'s [Command],
    /// Redirections that commands refer to.
    pub redirects: &'s [Redirect],
    /// How far it is complete.
    pub outcome: Outcome,
    /// Whether a script was followed in part only: its rest is judged when it runs, or by whoever has
    /// more memory.
    pub is_cut: bool,
    /// Units of counted work that it took; in a verdict's tree, with those of deciding.
    pub work: u64,
}

impl<'s> Tree<'s> {
    /// That of a call that reaches no command.
    pub const EMPTY: Self = Tree {
        text: &[],
        words: &[],
        commands: &[],
        redirects: &[],
        outcome: Outcome::Complete,
        is_cut: false,
        work: 0,
    };

    /// The bytes of `span`; empty if it is out of range.
    #[must_use]
    pub fn bytes(&self, span: Span) -> &'s [u8] {
        let start = span.start as usize;
        let end = start.saturating_add(span.len as usize);
        self.text.get(start..end).unwrap_or(&[])
    }

    /// The words of `run`; empty if it is out of range.
    #[must_use]
    pub fn words(&self, run: Run) -> &'s [Word] {
        let first = run.first as usize;
        let end = first.saturating_add(run.count as usize);
        self.words.get(first..end).unwrap_or(&[])
    }

    /// The redirections of `command`.
    #[must_use]
    pub fn redirects(&self, command: &Command) -> &'s [Redirect] {
        let first = command.redirects.first as usize;
        let end = first.saturating_add(command.redirects.count as usize);
        self.redirects.get(first..end).unwrap_or(&[])
    }

    /// The parent of `command`, if it has one.
    #[must_use]
    pub fn parent(&self, command: &Command) -> Option<&'s Command> {
        self.commands.get((command.parent as usize).checked_sub(1)?)
    }

    /// The program word of `command` and its text, or `None` where it has no words.
    #[must_use]
    pub fn program(&self, command: &Command) -> Option<(&'s Word, &'s [u8])> {
        let word = self.words(command.words).first()?;
        Some((word, self.bytes(word.text)))
    }
}
