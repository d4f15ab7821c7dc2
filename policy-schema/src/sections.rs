//! The sections of an image while they grow, and how they are laid out in the file.

use std::collections::BTreeMap;

use evaluator::image::format::{
    self, BucketRecord, EntryRecord, ExceptionRecord, Header, MAGIC, NodeRecord, PatternRecord,
    PolicyRecord, RuleRecord, Section, SectionEntry, VERSION, WebhookRecord, feature, node,
};

use crate::gate::Gate;
use crate::index::{Index, Tables};
use crate::layout::Layout;

/// The records of every section but the table itself.
#[derive(Default)]
pub struct Sections {
    /// In evaluation order.
    pub policies: Vec<PolicyRecord>,
    /// In evaluation order.
    pub rules: Vec<RuleRecord>,
    /// Children of a group side by side.
    pub nodes: Vec<NodeRecord>,
    /// Patterns of a node side by side.
    pub patterns: Vec<PatternRecord>,
    /// In file order.
    pub exceptions: Vec<ExceptionRecord>,
    /// Ascending by rule.
    pub webhooks: Vec<WebhookRecord>,
    /// What running programs do that a rule may be about.
    pub gate: Gate,
    /// The index.
    pub tables: Tables,
    /// Texts one behind the other, equal ones once.
    pub text: Vec<u8>,
    known: BTreeMap<Vec<u8>, u32>,
    features: u16,
}

impl Sections {
    /// Adds `bytes` to the text section, or finds them again: offset and length.
    pub fn text(&mut self, bytes: &[u8]) -> (u32, u32) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if let Some(offset) = self.known.get(bytes) {
            return (*offset, len);
        }
        let offset = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.extend_from_slice(bytes);
        self.known.insert(bytes.to_vec(), offset);
        (offset, len)
    }

    /// Notes what a verdict has to build for a node of this kind.
    pub fn note(&mut self, kind: u8, flags: u8) {
        self.features |= match kind {
            node::COMMAND_GLOB | node::COMMAND_CONTAINS => feature::TEXT,
            node::OPERAND if flags & 1 != 0 => feature::PATHS,
            node::READS | node::WRITES | node::REDIRECTS_TO => feature::PATHS,
            _ => 0,
        };
    }

    /// Lays the program index out as the bucket and entry sections.
    pub fn place(&mut self, index: &Index) {
        self.tables = index.tables();
    }
}

/// Writes the file: `header` gets its magic, version, length, features and checksum here.
pub fn write_image(mut header: Header, sections: &Sections) -> Vec<u8> {
    let mut layout = Layout::of(sections);
    let mut body = Body { bytes: vec![0; format::FIRST_SECTION], table: Default::default() };
    let policies: Vec<_> = sections.policies.iter().map(|it| layout.policy(it)).collect();
    let rules: Vec<_> = sections.rules.iter().map(|it| layout.rule(it)).collect();
    let exceptions: Vec<_> = sections.exceptions.iter().map(|it| layout.exception(it)).collect();
    let webhooks: Vec<_> = sections.webhooks.iter().map(|it| layout.webhook(it)).collect();
    let tables = &sections.tables;
    let node = |entry: &EntryRecord| EntryRecord { node: layout.root(entry.node), ..*entry };
    let entries: Vec<_> = tables.entries.iter().map(node).collect();
    body.section(Section::Policies, &policies, PolicyRecord::encode);
    body.section(Section::Rules, &rules, RuleRecord::encode);
    body.section(Section::Filter, &tables.filter, |byte, put| put(&[*byte]));
    body.section(Section::Pieces, &tables.pieces, BucketRecord::encode);
    body.section(Section::Buckets, &tables.buckets, BucketRecord::encode);
    body.section(Section::Entries, &entries, EntryRecord::encode);
    body.shared(&layout);
    body.section(Section::Exceptions, &exceptions, ExceptionRecord::encode);
    body.section(Section::Webhooks, &webhooks, WebhookRecord::encode);
    let gate = sections.gate.words();
    body.section(Section::Gate, &gate, |word, put| put(&word.to_le_bytes()));
    let Body { mut bytes, table } = body;
    let mut front = Vec::with_capacity(format::FIRST_SECTION - Header::SIZE);
    for entry in table {
        entry.encode(&mut |field| front.extend_from_slice(field));
    }
    overwrite(&mut bytes, Header::SIZE, &front);
    header.magic = u64::from_le_bytes(MAGIC);
    header.version = VERSION;
    header.length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    header.features |= sections.features | sections.tables.features;
    if !gate.is_empty() {
        header.features |= feature::OPERATIONS;
    }
    header.checksum = format::checksum(bytes.get(Header::SIZE..).unwrap_or_default());
    front.clear();
    header.encode(&mut |field| front.extend_from_slice(field));
    overwrite(&mut bytes, 0, &front);
    bytes
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (slot, byte) in bytes.iter_mut().skip(at).zip(with) {
        *slot = *byte;
    }
}

struct Body {
    bytes: Vec<u8>,
    table: [SectionEntry; Section::COUNT],
}

impl Body {
    /// Appends a section, 8-byte aligned.
    fn section<T>(
        &mut self,
        section: Section,
        records: &[T],
        encode: impl Fn(&T, &mut dyn FnMut(&[u8])),
    ) {
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        self.begin(section, count);
        for record in records {
            encode(record, &mut |field| self.bytes.extend_from_slice(field));
        }
    }

    /// Appends the part that three sections share.
    fn shared(&mut self, layout: &Layout<'_>) {
        let sections = [Section::Nodes, Section::Patterns, Section::Text];
        for (section, count) in sections.into_iter().zip(layout.counts()) {
            self.begin(section, count);
        }
        self.bytes.extend_from_slice(&layout.bytes);
    }

    /// Says that a section of `count` records begins here.
    fn begin(&mut self, section: Section, count: u32) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let offset = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        if let Some(slot) = self.table.get_mut(section as usize) {
            *slot = SectionEntry { offset, count };
        }
    }
}
