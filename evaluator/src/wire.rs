//! What goes over the evaluator's socket, as bytes: one header and a body of tagged fields, little
//! endian. Both ends use this module (`docs/wire-format.md` has the reasons): the library, which
//! has no heap, and the `rampart` command. It only reads and writes slices; a body that does not
//! parse wholly is no body.

/// First bytes of every packet.
pub const MAGIC: [u8; 4] = *b"RMPT";

/// Version of the format. A peer with another one is refused by a [`Kind::Refused`] of ours.
pub const VERSION: u16 = 1;

/// Length of a header in bytes.
pub const HEADER: usize = 16;

/// Longest packet, header included, in bytes. A longer body travels in a sealed memfd beside its
/// header.
pub const PACKET: usize = 64 * 1024;

/// Longest body in bytes: more than Linux lets any program be started with (6 MiB, execve(2)).
pub const LARGEST: usize = 8 * 1024 * 1024;

/// Header flag: the body is the content of the one descriptor that comes with the packet.
const IN_MEMFD: u32 = 1;

/// The flag of a request that is the only one of its connection.
const IS_ONLY: u32 = 2;

/// Length of a field's tag, padding and length in bytes.
const FIELD: usize = 8;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// Judge this call; nobody is asked.
    Judge = 1,
    /// Ask a person about this call; the answer may take long.
    Ask = 2,
    /// Is the process that asks, as the kernel knows it, covered by an approval? No body.
    Covered = 3,
    /// Which approvals are pending? No body.
    List = 4,
    /// Approve or deny one.
    Resolve = 5,
    /// What became of an approval?
    Why = 6,
    /// What state is the evaluator in? No body.
    Status = 7,
    /// Put these events into the log; the answer comes when they are durable.
    Record = 8,
    /// What is the SHA-256 of this file, as the process that asks sees it?
    Digest = 9,
    /// May the process that asks use what holds once, or, with [`Tag::Scope`] `once`, use it up?
    Once = 10,
    /// What has the tree of the process that asks come by ([`Tag::Tree`])? With [`Tag::Taint`], it comes by
    /// that, too.
    Taint = 11,
    /// A process of the tree ([`Tag::Tree`]) has made so many more calls ([`Tag::Number`]) of those that a rule
    /// ([`Tag::Owner`], [`Tag::Rule`]) counts within so many seconds ([`Tag::Duration`]): how many has the tree?
    Count = 12,
    /// The answer to the first three, and to the last four.
    Answer = 0x81,
    /// The answer to the others: one JSON value in [`Tag::Text`].
    Report = 0x82,
    /// The request was not understood or not permitted; [`Tag::Text`] says why.
    Refused = 0x8f,
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Judge,
        Self::Ask,
        Self::Covered,
        Self::List,
        Self::Resolve,
        Self::Why,
        Self::Status,
        Self::Record,
        Self::Digest,
        Self::Once,
        Self::Taint,
        Self::Count,
        Self::Answer,
        Self::Report,
        Self::Refused,
    ];

    fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == code)
    }
}

/// What a field says. Fields with tags that this version does not know are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Tag {
    /// Tool class; `exec` if absent.
    Tool = 1,
    /// File to be executed.
    File = 2,
    /// One argument, in order; as often as there are any.
    Argument = 3,
    /// Text for a shell, in place of file and arguments.
    Shell = 4,
    /// Working directory, absolute; absent if not known.
    Directory = 5,
    /// One `NAME=value` of the environment; as often as there are any.
    Variable = 6,
    /// Name of the agent.
    Agent = 7,
    /// Label of the session.
    Session = 8,
    /// How deep the agent is nested: `u32`.
    AgentDepth = 9,
    /// Id of the guarded tree.
    Tree = 10,
    /// Digest of the policy that made the asker ask, 32 bytes.
    Policy = 11,
    /// That policy's rule, as people see it.
    Rule = 12,
    /// The rule's own words.
    Message = 13,
    /// How long the asker waits, in seconds: `u32`.
    Timeout = 14,
    /// One event as a line of JSON, without its newline; as often as there are any.
    Event = 15,
    /// An action's code (`Action as u8`): one byte.
    Action = 20,
    /// Why, or on whose word: text.
    By = 21,
    /// Id of an approval.
    Approval = 22,
    /// Text or JSON, UTF-8.
    Text = 23,
    /// How long a grant holds, in seconds: `u32`.
    Duration = 24,
    /// `once`, `for`, `always` or `deny`; with [`Kind::Ask`] `verdict`: a person is asked only if the evaluator's
    /// own policy asks, which only the helper may want.
    Scope = 25,
    /// SHA-256 of a file, 32 bytes.
    Sha256 = 26,
    /// Name of the policy of [`Tag::Rule`].
    Owner = 27,
    /// When something is void, in seconds since the epoch: `u64`; 0 for never.
    Ends = 28,
    /// The process that the request is about, where its supervisor asks for it: `u32`.
    Process = 30,
    /// What a tree has come by, bits of `image::format::taint`: one byte.
    Taint = 31,
    /// How many: `u32`.
    Number = 32,
    /// The function by which a running program does it itself; [`Tag::File`] is the program then.
    Hook = 33,
    /// File that a tool would touch.
    Path = 40,
    /// Address that a tool would open.
    Url = 41,
    /// One `name=value` of a tool's parameters; as often as there are any.
    Parameter = 42,
}

impl Tag {
    /// Whether a body may hold several of it.
    const fn repeats(code: u16) -> bool {
        code == Self::Argument as u16
            || code == Self::Variable as u16
            || code == Self::Event as u16
            || code == Self::Parameter as u16
    }
}

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Too short for a header, or not ours.
    NoHeader,
    /// Another version of the format: the one the peer speaks.
    Version(u16),
    /// A kind that this version does not know.
    Kind(u16),
    /// The body is not as long as the header says, or longer than allowed.
    Length,
    /// A field that does not end inside the body, a flag or padding that is not zero, or a field
    /// twice that stands once.
    Field,
}

impl Malformed {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoHeader => "it is no packet of Rampart's",
            Self::Version(_) => "it speaks another version of the wire format",
            Self::Kind(_) => "it asks for something that this version does not know",
            Self::Length => "its length is not what its header says, or above the limit",
            Self::Field => "one of its fields is malformed",
        }
    }
}

/// The start of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the packet is.
    pub kind: Kind,
    /// Length of the body in bytes, at most [`LARGEST`].
    pub length: u32,
    /// Whether the body is the content of the descriptor that comes with the packet.
    pub in_memfd: bool,
    /// Whether the connection is for this request alone: it ends with the answer.
    pub is_only: bool,
}

impl Header {
    /// Reads the header of `packet` and checks that what follows is the body, or nothing if that
    /// is in a memfd.
    ///
    /// # Errors
    /// If it is malformed in any way.
    pub fn read(packet: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (head, body) = packet.split_at_checked(HEADER).ok_or(Malformed::NoHeader)?;
        let (magic, rest) = head.split_at_checked(4).ok_or(Malformed::NoHeader)?;
        if magic != MAGIC {
            return Err(Malformed::NoHeader);
        }
        let version = u16_at(rest, 0).ok_or(Malformed::NoHeader)?;
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let kind = u16_at(rest, 2).ok_or(Malformed::NoHeader)?;
        let kind = Kind::from_code(kind).ok_or(Malformed::Kind(kind))?;
        let length = u32_at(rest, 4).ok_or(Malformed::NoHeader)?;
        let flags = u32_at(rest, 8).ok_or(Malformed::NoHeader)?;
        if flags & !(IN_MEMFD | IS_ONLY) != 0 {
            return Err(Malformed::Field);
        }
        let (in_memfd, is_only) = (flags & IN_MEMFD != 0, flags & IS_ONLY != 0);
        let here = if in_memfd { 0 } else { length as usize };
        if body.len() != here || length as usize > LARGEST {
            return Err(Malformed::Length);
        }
        Ok((Self { kind, length, in_memfd, is_only }, body))
    }

    /// The header as bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; HEADER] {
        let flags = if self.in_memfd { IN_MEMFD } else { 0 };
        let flags = flags | if self.is_only { IS_ONLY } else { 0 };
        let mut out = [0; HEADER];
        let parts = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &(self.kind as u16).to_le_bytes(),
            &self.length.to_le_bytes(),
            &flags.to_le_bytes(),
        ];
        for (to, from) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        out
    }
}

/// Calls `put` with the pieces of one field. `value` is at most [`LARGEST`] bytes.
pub fn field(tag: Tag, value: &[u8], put: &mut dyn FnMut(&[u8])) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    put(&(tag as u16).to_le_bytes());
    put(&[0; 2]);
    put(&length.to_le_bytes());
    put(value);
}

/// A body whose fields are all in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    /// Checks every field of `bytes`.
    ///
    /// # Errors
    /// If one is malformed, or stands twice although it may not.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > LARGEST {
            return Err(Malformed::Length);
        }
        let (mut rest, mut seen) = (bytes, 0_u64);
        while !rest.is_empty() {
            let (code, _, next) = split(rest).ok_or(Malformed::Field)?;
            rest = next;
            if code >= 64 || Tag::repeats(code) {
                continue;
            }
            let bit = 1_u64 << code;
            if seen & bit != 0 {
                return Err(Malformed::Field);
            }
            seen |= bit;
        }
        Ok(Self(bytes))
    }

    /// The field `tag`, the first if there are several.
    #[must_use]
    pub fn one(self, tag: Tag) -> Option<&'a [u8]> {
        self.all(tag).next()
    }

    /// Every field `tag`, in order.
    pub fn all(self, tag: Tag) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            loop {
                let (code, value, next) = split(rest)?;
                rest = next;
                if code == tag as u16 {
                    return Some(value);
                }
            }
        })
    }

    /// The field `tag` as a number; `None` if it is absent or not four bytes.
    #[must_use]
    pub fn number(self, tag: Tag) -> Option<u32> {
        self.one(tag)?.try_into().ok().map(u32::from_le_bytes)
    }
}

/// The first field of `bytes`: its tag, its value, and what follows.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(FIELD)?;
    let (code, zero, length) = (u16_at(head, 0)?, u16_at(head, 2)?, u32_at(head, 4)?);
    let (value, rest) = rest.split_at_checked(length as usize)?;
    (zero == 0).then_some((code, value, rest))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}
