//! Where conditions, patterns and texts lie in an image. Whoever has just started looks at few of them, and each
//! window of 64 KiB that these lie in is a page fault: so what one rule looks at lies together, and first what
//! every command comes to. The three kinds share one part of the file, in which each counts in
//! records of its own size.

use std::collections::BTreeMap;

use evaluator::image::format::{
    ExceptionRecord, NO_CONDITION, NodeRecord, PatternRecord, PolicyRecord, RuleRecord,
    WebhookRecord, node,
};

use crate::sections::Sections;

/// Bytes of the part that are given to one kind at a time: a multiple of the sizes of all records, so that nothing is
/// lost between them. Small enough that what one rule looks at is in one place all the same.
const PIECE: usize = 10 * STEP;

/// Records of every kind can begin at a multiple of this.
const STEP: usize = 48;

/// What is left of the piece that one kind was given last.
#[derive(Clone, Copy, Default)]
struct Room {
    next: usize,
    end: usize,
}

/// The kinds, as indices of their rooms.
const NODES: usize = 0;
const PATTERNS: usize = 1;
const TEXTS: usize = 2;

/// The part that conditions, patterns and texts share, while it grows, and where in it what was put.
pub struct Layout<'s> {
    from: &'s Sections,
    /// The bytes.
    pub bytes: Vec<u8>,
    rooms: [Room; 3],
    nodes: BTreeMap<u32, u32>,
    patterns: BTreeMap<u32, u32>,
    texts: BTreeMap<(u32, u32), u32>,
}

impl<'s> Layout<'s> {
    /// Puts what `from` holds in the order of its use: what every call is compared with (scopes), the parts of
    /// rules as they are filed, the conditions of rules that are filed nowhere.
    pub fn of(from: &'s Sections) -> Self {
        let (nodes, patterns, texts) = Default::default();
        let mut layout =
            Self { from, bytes: Vec::new(), rooms: Default::default(), nodes, patterns, texts };
        for policy in &from.policies {
            layout.scope(policy);
        }
        for entry in &from.tables.entries {
            layout.root(entry.node);
        }
        for rule in &from.rules {
            layout.root(rule.node);
        }
        layout
    }

    /// As it stands in the image, but for its name.
    fn scope(&mut self, policy: &PolicyRecord) -> PolicyRecord {
        let mut optional = |pattern: u32| match pattern.checked_sub(1) {
            Some(index) => self.patterns(index, 1) + 1,
            None => 0,
        };
        let (agent, session) = (optional(policy.agent), optional(policy.session));
        let tools = self.patterns(policy.tools, policy.tools_len);
        PolicyRecord { agent, session, tools, ..*policy }
    }

    /// As it stands in the image.
    pub fn policy(&mut self, policy: &PolicyRecord) -> PolicyRecord {
        PolicyRecord { name: self.text(policy.name, policy.name_len), ..self.scope(policy) }
    }

    /// As it stands in the image.
    pub fn rule(&mut self, rule: &RuleRecord) -> RuleRecord {
        RuleRecord {
            name: self.text(rule.name, rule.name_len),
            message: self.text(rule.message, rule.message_len),
            node: self.root(rule.node),
            ..*rule
        }
    }

    /// As it stands in the image.
    pub fn exception(&mut self, entry: &ExceptionRecord) -> ExceptionRecord {
        ExceptionRecord {
            policy: self.text(entry.policy, entry.policy_len),
            rule: self.text(entry.rule, entry.rule_len),
            first: self.patterns(entry.first, entry.count),
            ..*entry
        }
    }

    /// As it stands in the image.
    pub fn webhook(&mut self, webhook: &WebhookRecord) -> WebhookRecord {
        WebhookRecord { url: self.text(webhook.url, webhook.url_len), ..*webhook }
    }

    /// Where the condition with the root `index` is.
    pub fn root(&mut self, index: u32) -> u32 {
        if index == NO_CONDITION { NO_CONDITION } else { self.conditions(index, 1) }
    }

    /// How many conditions, patterns and bytes of text there is room for up to the last.
    pub fn counts(&self) -> [u32; 3] {
        let room = |size| count(self.bytes.len() / size);
        [room(NodeRecord::SIZE), room(PatternRecord::SIZE), count(self.bytes.len())]
    }

    /// Where nodes side by side are, with all that they refer to.
    fn conditions(&mut self, first: u32, len: u32) -> u32 {
        if len == 0 {
            return 0;
        }
        if let Some(found) = self.nodes.get(&first) {
            return *found;
        }
        let from = self.from;
        let all = range(&from.nodes, first, len);
        let at = self.reserve(NODES, all.len() * NodeRecord::SIZE);
        let index = count(at / NodeRecord::SIZE);
        self.nodes.insert(first, index);
        for (offset, record) in all.iter().enumerate() {
            let moved = match record.kind {
                node::ALL | node::ANY | node::NOT => self.conditions(record.first, record.count),
                _ => self.patterns(record.first, record.count),
            };
            let moved = NodeRecord { first: moved, ..*record };
            self.write(at + offset * NodeRecord::SIZE, |put| moved.encode(put));
        }
        index
    }

    /// Where a run of patterns is, with its texts.
    fn patterns(&mut self, first: u32, len: u32) -> u32 {
        if len == 0 {
            return 0;
        }
        if let Some(found) = self.patterns.get(&first) {
            return *found;
        }
        let from = self.from;
        let all = range(&from.patterns, first, len);
        let at = self.reserve(PATTERNS, all.len() * PatternRecord::SIZE);
        let index = count(at / PatternRecord::SIZE);
        self.patterns.insert(first, index);
        for (offset, record) in all.iter().enumerate() {
            let moved = PatternRecord { text: self.text(record.text, record.len), ..*record };
            self.write(at + offset * PatternRecord::SIZE, |put| moved.encode(put));
        }
        index
    }

    /// Where a text is.
    fn text(&mut self, offset: u32, len: u32) -> u32 {
        if let Some(found) = self.texts.get(&(offset, len)) {
            return *found;
        }
        let text = range(&self.from.text, offset, len);
        let at = self.reserve(TEXTS, text.len());
        self.write(at, |put| put(text));
        self.texts.insert((offset, len), count(at));
        count(at)
    }

    /// Makes room for `len` bytes of one kind. What is large has a piece of its own.
    fn reserve(&mut self, kind: usize, len: usize) -> usize {
        let mut room = self.rooms.get(kind).copied().unwrap_or_default();
        if room.end - room.next < len {
            let at = self.bytes.len().next_multiple_of(STEP);
            let is_large = len > PIECE / 4;
            let end = at + if is_large { len } else { PIECE };
            self.bytes.resize(end, 0);
            if is_large {
                return at;
            }
            room = Room { next: at, end };
        }
        let at = room.next;
        room.next += len;
        if let Some(slot) = self.rooms.get_mut(kind) {
            *slot = room;
        }
        at
    }

    fn write(&mut self, at: usize, encode: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let mut slots = self.bytes.iter_mut().skip(at);
        encode(&mut |field| {
            for (byte, slot) in field.iter().zip(slots.by_ref()) {
                *slot = *byte;
            }
        });
    }
}

fn range<T>(all: &[T], first: u32, len: u32) -> &[T] {
    let first = first as usize;
    all.get(first..first.saturating_add(len as usize)).unwrap_or_default()
}

/// A length as the format stores it.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
