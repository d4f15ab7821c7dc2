//! The bytes of an image: one flat little-endian file that is mapped read-only and used in place.
//!
//! `docs/image-format.md` is the overview. Reasons first. The interposer reads this in a fresh process, often for a single verdict, so
//! nothing is parsed or relocated: records have a fixed size, refer to each other by index and to
//! text by offset, and are decoded one by one when a verdict touches them. Every read is checked
//! against the mapped length: a corrupt file is an error, never a crash. Nothing here is trusted
//! to be consistent. Layers are separate images, so that a lower one cannot be dropped.
//!
//! ```text
//! Header | where each section lies | sections, each an array of one record type, 8-byte aligned
//! ```
//! Nodes, patterns and text are one part, each counted in its own size, so that what one rule looks at lies together.
//!
//! The writer is `policy_schema::compile`; both sides use the records below.

/// First bytes of every image.
pub const MAGIC: [u8; 8] = *b"RAMPART\0";

/// Version of this format. An image of another version is refused.
pub const VERSION: u32 = 10;

/// Size of [`Header`] plus the section table, in bytes: where the first section may start.
pub const FIRST_SECTION: usize = Header::SIZE + Section::COUNT * SectionEntry::SIZE;

/// Defines a fixed-size little-endian record, with `SIZE`, `decode` and `encode`.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:tt,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }

        impl $name {
            /// Encoded size in bytes.
            pub const SIZE: usize = 0 $(+ size_of::<$ty>())*;

            /// The record that starts at `bytes`, or `None` if they are too few.
            #[must_use]
            pub fn decode(bytes: &[u8]) -> Option<Self> {
                let mut rest = bytes;
                $(
                    let (head, tail) = rest.split_first_chunk::<{ size_of::<$ty>() }>()?;
                    let $field = $ty::from_le_bytes(*head);
                    rest = tail;
                )*
                let _ = rest;
                Some(Self { $($field,)* })
            }

            /// Calls `put` with the encoded fields in order: `SIZE` bytes in all.
            pub fn encode(&self, put: &mut dyn FnMut(&[u8])) {
                $(put(&self.$field.to_le_bytes());)*
            }
        }
    };
}

record! {
    /// The start of the file.
    Header {
        /// [`MAGIC`] as a little-endian number.
        magic: u64,
        /// [`VERSION`].
        version: u32,
        /// Length of the whole image in bytes.
        length: u32,
        /// First half of the SHA-256 of the sources and options it was compiled from.
        digest_low: u128,
        /// Second half.
        digest_high: u128,
        /// [`checksum`] of everything behind the header. Checked by `rampart`; the library, which
        /// cannot afford to touch every page, checks bounds instead.
        checksum: u64,
        /// Action code of `default_action`, 0 if not stated: then a lower layer's holds, and a
        /// deny where no layer states one.
        default_action: u8,
        /// Action code of `on_no_approver`, 0 if not stated.
        on_no_approver: u8,
        /// Action code of `on_too_complex`, 0 if not stated.
        on_too_complex: u8,
        /// Action code of `on_unparseable`, 0 if not stated.
        on_unparseable: u8,
        /// [`level`] of the layer.
        level: u8,
        /// [`record_events`] code.
        record: u8,
        /// Bits of [`feature`].
        features: u16,
    }
}

/// Where a layer comes from, lowest first.
pub mod level {
    /// A shipped profile.
    pub const BUILT_IN: u8 = 0;
    /// `/etc/rampart`.
    pub const SYSTEM: u8 = 1;
    /// The user's own files, `--policy`.
    pub const USER: u8 = 2;
    /// The project's file: may only restrict. Its allows and its default are ignored.
    pub const PROJECT: u8 = 3;
}

/// Which events are recorded (`record:` in a policy).
pub mod record_events {
    /// Every verdict.
    pub const ALL: u8 = 0;
    /// Only what some rule matched, or what was not simply allowed.
    pub const NOTABLE: u8 = 1;
}

/// What an image contains, so that a verdict builds only what some rule looks at.
pub mod feature {
    /// Rules look at the text form of commands.
    pub const TEXT: u16 = 1;
    /// Rules look at operands as paths.
    pub const PATHS: u16 = 2;
    /// Holds nothing, and stands for the standard policy that the reader has compiled in: so the
    /// most usual layer need not be mapped once more.
    pub const STANDARD: u16 = 4;
    /// Rules look at what running programs do themselves ([`Section::Gate`]).
    pub const OPERATIONS: u16 = 1 << 13;
    /// `rampart run` is to have the kernel put every start to a supervisor, where that can be had.
    pub const ENFORCE_BEST: u16 = 1 << 14;
    /// The same, and nothing is to be started where it cannot be had.
    pub const ENFORCE_KERNEL: u16 = 1 << 15;
}

record! {
    /// Where one section lies.
    SectionEntry {
        /// Offset of its first record from the start of the image, in bytes.
        offset: u32,
        /// Number of records (bytes, for [`Section::Text`] and [`Section::Filter`]).
        count: u32,
    }
}

/// The sections, in the order of their table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Section {
    /// [`PolicyRecord`]s, in evaluation order (by priority).
    Policies = 0,
    /// [`RuleRecord`]s, in evaluation order, those of a policy together.
    Rules,
    /// [`NodeRecord`]s.
    Nodes,
    /// [`PatternRecord`]s.
    Patterns,
    /// [`BucketRecord`]s: a hash table from program name to rules. The count is a power of two.
    Buckets,
    /// [`EntryRecord`]s, ascending by rule inside each bucket.
    Entries,
    /// [`BucketRecord`]s: a hash table from pieces of text ([`super::gram`]) to rules, and one more
    /// bucket with all rules that are filed under pieces. Empty if none is.
    Pieces,
    /// Bits of the pieces, by hash; a power of two of bytes.
    Filter,
    /// [`ExceptionRecord`]s: what `disable` and `lock` say.
    Exceptions,
    /// [`WebhookRecord`]s, ascending by rule. No verdict looks at them: only whoever asks the service.
    Webhooks,
    /// Words of [`super::gate`]: what running programs do that a rule may be about. No verdict looks
    /// at them: only whoever asks for one. Empty if no rule is.
    Gate,
    /// Bytes of names, messages and patterns.
    Text,
}

impl Section {
    /// How many there are.
    pub const COUNT: usize = 12;
}

record! {
    /// A policy: a scope and its rules.
    PolicyRecord {
        /// Name: offset in the text section.
        name: u32,
        /// Length of the name.
        name_len: u32,
        /// Pattern index + 1 for `match.agent`; 0 for every agent.
        agent: u32,
        /// Pattern index + 1 for `match.session`; 0 for every session.
        session: u32,
        /// First pattern of `match.tool`.
        tools: u32,
        /// Number of tool patterns; 0 for every tool.
        tools_len: u32,
        /// First rule.
        rules: u32,
        /// Number of rules.
        rules_len: u32,
        /// A code of [`by`]: whose calls it is about.
        by: u32,
    }
}

record! {
    /// A rule.
    RuleRecord {
        /// Policy it belongs to.
        policy: u32,
        /// Name: offset in the text section. A rule without a name has its 1-based position.
        name: u32,
        /// Length of the name.
        name_len: u32,
        /// Message: offset in the text section.
        message: u32,
        /// Length of the message.
        message_len: u32,
        /// Root condition node; [`NO_CONDITION`] for a rule that always matches.
        node: u32,
        /// Action code.
        action: u8,
        /// Bits of [`rule_flag`].
        flags: u8,
        /// Severity 0 (unstated) to 4 (critical).
        severity: u8,
        /// Bits of [`taint`]: what a call that it holds for brings to its tree.
        taint: u8,
        /// Seconds since the epoch after which the rule is void; 0 for never.
        expires_at: u64,
    }
}

/// [`RuleRecord::node`] of a rule without conditions.
pub const NO_CONDITION: u32 = u32::MAX;

/// Properties of a rule.
pub mod rule_flag {
    /// Its conditions look only at the request (agent, session, path …), never at commands.
    pub const REQUEST_ONLY: u8 = 1;
    /// It has a response condition, and never fires before a call.
    pub const RESPONSE: u8 = 2;
    /// Used up by the first call that it grants (`once:`). Only a second party can use it up, so
    /// in process such a rule grants nothing.
    pub const ONCE: u8 = 4;
    /// An allow that a person wrote for this very case (`rampart allow`): it beats ask, webhook,
    /// watch and the default, never a deny.
    pub const OPERATOR: u8 = 64;
    /// Its conditions look at commands only where there are any (*either* in [`super::node`]).
    pub const EITHER: u8 = 8;
    /// Some condition looks at the text of commands. Only such a rule looks at shell text as a
    /// whole, which is no command of its own.
    pub const TEXT: u8 = 16;
}

record! {
    /// A condition. Groups refer to other nodes, tests to patterns.
    NodeRecord {
        /// A code of [`node`].
        kind: u8,
        /// Bits whose meaning the kind says.
        flags: u8,
        /// Always 0.
        reserved: u16,
        /// First child node or pattern.
        first: u32,
        /// Number of children or patterns.
        count: u32,
        /// A number whose meaning the kind says.
        number: u32,
    }
}

pub mod by;

pub mod taint;

pub mod node;

pub mod context;

record! {
    /// A pattern.
    PatternRecord {
        /// A code of [`pattern`].
        class: u8,
        /// Bits: 1 = ASCII case is folded.
        flags: u8,
        /// The [`super::gram::key`] of what every path or word that it matches holds; 0 if there is
        /// no such thing.
        key: u16,
        /// Offset in the text section.
        text: u32,
        /// Length in bytes.
        len: u32,
    }
}

/// How a pattern is to be matched, decided when it is compiled (`glob` has the semantics).
pub mod pattern {
    /// Equal bytes.
    pub const LITERAL: u8 = 1;
    /// A command-style glob of the original's dialect.
    pub const GLOB: u8 = 2;
    /// A path glob: `*`, `?` and classes stay inside a path segment, `**` crosses.
    pub const PATH_GLOB: u8 = 3;
    /// Occurs anywhere.
    pub const SUBSTRING: u8 = 4;
    /// A regular expression, as source: [`crate::World::output_matches`] tells.
    pub const REGEX: u8 = 20;
}

/// `PatternRecord::flags`: ASCII case is folded.
pub const FOLD_CASE: u8 = 1;

record! {
    /// The rules that can match a program whose [`program_hash`] falls into this bucket. The
    /// bucket behind the last power-of-two index holds the rules for every program.
    BucketRecord {
        /// First entry.
        first: u32,
        /// Number of entries.
        count: u32,
    }
}

record! {
    /// One rule in a bucket.
    EntryRecord {
        /// Index of the rule.
        rule: u32,
        /// Root of the part of its condition that can hold for the programs of the bucket. The
        /// parts of a rule in all its buckets are alternatives: together they are the rule's own.
        node: u32,
        /// Hash of the program name or the piece of text that it is filed under; other names and
        /// pieces may fall into the same bucket. Nothing in a bucket for all.
        key: u32,
    }
}

record! {
    /// One entry of `disable` or `lock`.
    ExceptionRecord {
        /// A code of [`exception`].
        kind: u8,
        /// 1 for what is used up by the first call (`once`).
        flags: u8,
        /// Always 0.
        reserved: u16,
        /// Name of the policy: offset in the text section.
        policy: u32,
        /// Its length.
        policy_len: u32,
        /// Name of the rule: offset in the text section.
        rule: u32,
        /// Its length; 0 for every rule of the policy.
        rule_len: u32,
        /// First pattern of the one command that it is about, all literal: its words, or its text.
        first: u32,
        /// Number of them; 0 for every command.
        count: u32,
        /// Seconds since the epoch after which it is void; 0 for never.
        expires_at: u64,
    }
}

record! {
    /// Whom a rule with [`crate::Action::Webhook`] asks.
    WebhookRecord {
        /// Index of the rule.
        rule: u32,
        /// Address: offset in the text section.
        url: u32,
        /// Its length.
        url_len: u32,
        /// How long to wait for the answer, in milliseconds.
        timeout_ms: u32,
        /// 1 if no answer allows.
        flags: u32,
    }
}

/// Kinds of [`ExceptionRecord`].
pub mod exception {
    /// The rule does not hold, for one command by its words.
    pub const DISABLE_WORDS: u8 = 1;
    /// The rule does not hold, for one command by its text, or for all.
    pub const DISABLE: u8 = 2;
    /// No layer may disable the rule. Only the system's layer says so.
    pub const LOCK: u8 = 3;
}

/// The hash of a program name (last path component), ASCII case folded: 32-bit FNV-1a.
#[must_use]
pub fn program_hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}

/// The checksum of an image's body: 64-bit FNV-1a. Finds accidents, not malice.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
