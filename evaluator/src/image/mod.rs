//! A compiled policy, as the evaluator reads it: a borrowed byte slice whose every offset is
//! checked when it is used.

pub mod format;
pub mod gate;
pub mod gram;

use crate::action::Action;
use format::{
    BucketRecord, EntryRecord, ExceptionRecord, Header, MAGIC, NodeRecord, PatternRecord,
    PolicyRecord, RuleRecord, Section, SectionEntry, VERSION, WebhookRecord,
};

/// A compiled policy layer. Opening checks the header and the section table; everything else is
/// checked where it is read.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    bytes: &'a [u8],
    /// The decoded header.
    pub header: Header,
    sections: [SectionEntry; Section::COUNT],
}

/// The images of a file: one, or several one behind the other, lowest layer first. A file that
/// holds all layers is replaced as a whole, so that no verdict is made from a mixture.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    rest: &'a [u8],
}

impl<'a> Images<'a> {
    /// The images in `bytes`. The first that is none ends them.
    #[must_use]
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Images<'a> {
    type Item = Result<Image<'a>, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let length = Header::decode(self.rest).map_or(0, |header| header.length as usize);
        let (first, rest) = match self.rest.split_at_checked(length) {
            Some((first, rest)) if !first.is_empty() => (first, rest),
            _ => (self.rest, &[][..]),
        };
        let image = Image::open(first);
        self.rest = if image.is_ok() { rest } else { &[] };
        Some(image)
    }
}

/// Why bytes are no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// Does not start with the magic.
    NotAnImage,
    /// Written in this other version of the format.
    Version(u32),
    /// Shorter or longer than its header says.
    Length,
    /// A section lies outside the file, or the header holds a code that no version wrote.
    Corrupt,
}

impl ImageError {
    /// What is wrong, as part of a sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotAnImage => "is no compiled policy",
            Self::Version(_) => "was compiled by another version of rampart",
            Self::Length => "is cut short or has bytes behind its end",
            Self::Corrupt => "is corrupt",
        }
    }
}

impl<'a> Image<'a> {
    /// Reads the header of `bytes`.
    ///
    /// # Errors
    /// If they are no image of this version, or their length or sections do not fit.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let header = Header::decode(bytes).ok_or(ImageError::NotAnImage)?;
        if header.magic != u64::from_le_bytes(MAGIC) {
            return Err(ImageError::NotAnImage);
        }
        if header.version != VERSION {
            return Err(ImageError::Version(header.version));
        }
        if header.length as usize != bytes.len() {
            return Err(ImageError::Length);
        }
        let mut sections = [SectionEntry::default(); Section::COUNT];
        for (index, slot) in sections.iter_mut().enumerate() {
            let at = Header::SIZE + index * SectionEntry::SIZE;
            *slot = bytes.get(at..).and_then(SectionEntry::decode).ok_or(ImageError::Corrupt)?;
            if slot.offset as usize > bytes.len() {
                return Err(ImageError::Corrupt);
            }
        }
        if header.default_action != 0 && Action::from_code(header.default_action).is_none() {
            return Err(ImageError::Corrupt);
        }
        Ok(Self { bytes, header, sections })
    }

    /// Whether it stands for the compiled-in standard policy ([`format::feature::STANDARD`]).
    #[must_use]
    pub const fn is_stand_in(&self) -> bool {
        self.header.features & format::feature::STANDARD != 0
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the body is what was written (reads every byte).
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.bytes
            .get(Header::SIZE..)
            .is_some_and(|body| format::checksum(body) == self.header.checksum)
    }

    /// Number of records in `section`, as the table says; not yet checked against the file.
    #[must_use]
    pub fn count(&self, section: Section) -> u32 {
        self.sections.get(section as usize).map_or(0, |entry| entry.count)
    }

    fn record(&self, section: Section, index: u32, size: usize) -> Option<&'a [u8]> {
        let entry = self.sections.get(section as usize)?;
        if index >= entry.count {
            return None;
        }
        let at = (index as usize).checked_mul(size)?.checked_add(entry.offset as usize)?;
        self.bytes.get(at..at.checked_add(size)?)
    }

    /// The policy at `index`.
    #[must_use]
    pub fn policy(&self, index: u32) -> Option<PolicyRecord> {
        PolicyRecord::decode(self.record(Section::Policies, index, PolicyRecord::SIZE)?)
    }

    /// The rule at `index`.
    #[must_use]
    pub fn rule(&self, index: u32) -> Option<RuleRecord> {
        RuleRecord::decode(self.record(Section::Rules, index, RuleRecord::SIZE)?)
    }

    /// The condition node at `index`.
    #[must_use]
    pub fn node(&self, index: u32) -> Option<NodeRecord> {
        NodeRecord::decode(self.record(Section::Nodes, index, NodeRecord::SIZE)?)
    }

    /// The pattern at `index`, with its text.
    #[must_use]
    pub fn pattern(&self, index: u32) -> Option<(PatternRecord, &'a [u8])> {
        let record = self.pattern_record(index)?;
        Some((record, self.text(record.text, record.len)?))
    }

    /// The pattern at `index`.
    #[must_use]
    pub fn pattern_record(&self, index: u32) -> Option<PatternRecord> {
        PatternRecord::decode(self.record(Section::Patterns, index, PatternRecord::SIZE)?)
    }

    /// The encoded patterns of a run; `None` if not all are there.
    #[must_use]
    pub fn pattern_run(&self, first: u32, count: u32) -> Option<&'a [[u8; PatternRecord::SIZE]]> {
        let entry = self.sections.get(Section::Patterns as usize)?;
        if first.checked_add(count)? > entry.count {
            return None;
        }
        let at = (first as usize).checked_mul(PatternRecord::SIZE)?;
        let at = at.checked_add(entry.offset as usize)?;
        let len = (count as usize).checked_mul(PatternRecord::SIZE)?;
        Some(self.bytes.get(at..at.checked_add(len)?)?.as_chunks().0)
    }

    /// Bytes of the text section.
    #[must_use]
    pub fn text(&self, offset: u32, len: u32) -> Option<&'a [u8]> {
        let entry = self.sections.get(Section::Text as usize)?;
        let end = offset.checked_add(len)?;
        if end > entry.count {
            return None;
        }
        let start = entry.offset as usize;
        self.bytes.get(start.checked_add(offset as usize)?..start.checked_add(end as usize)?)
    }

    /// The rules that can match a program whose name has this [`format::program_hash`].
    #[must_use]
    pub fn bucket(&self, hash: u32) -> Option<BucketRecord> {
        let buckets = self.count(Section::Buckets).checked_sub(1)?;
        let mask = buckets.checked_sub(1)?;
        self.bucket_at(hash & mask)
    }

    /// The rules that can match whatever the program is.
    #[must_use]
    pub fn any_program(&self) -> Option<BucketRecord> {
        self.bucket_at(self.count(Section::Buckets).checked_sub(1)?)
    }

    fn bucket_at(&self, index: u32) -> Option<BucketRecord> {
        BucketRecord::decode(self.record(Section::Buckets, index, BucketRecord::SIZE)?)
    }

    /// The rules that need the piece of text with this hash; `None` if the table is corrupt.
    #[must_use]
    pub fn piece(&self, hash: u32) -> Option<BucketRecord> {
        let mask = self.count(Section::Pieces).checked_sub(2)?;
        let bytes =
            self.record(Section::Pieces, hash.rotate_right(13) & mask, BucketRecord::SIZE)?;
        BucketRecord::decode(bytes)
    }

    /// All rules that are filed under pieces of text; `None` if none is.
    #[must_use]
    pub fn every_piece(&self) -> Option<BucketRecord> {
        let last = self.count(Section::Pieces).checked_sub(1)?;
        BucketRecord::decode(self.record(Section::Pieces, last, BucketRecord::SIZE)?)
    }

    /// The bits of the pieces.
    #[must_use]
    pub fn filter(&self) -> Option<&'a [u8]> {
        let count = self.count(Section::Filter);
        self.record(Section::Filter, 0, count as usize)
    }

    /// What is asked before a verdict on what a program does itself; `None` if it is corrupt.
    #[must_use]
    pub fn gate(&self) -> Option<gate::Gate<'a>> {
        let words = self.count(Section::Gate) as usize;
        let len = words.checked_mul(gate::WINDOW)?;
        if len == 0 {
            return Some(gate::Gate::default());
        }
        gate::Gate::of(self.record(Section::Gate, 0, len)?)
    }

    /// What `disable` or `lock` says, at `index`.
    #[must_use]
    pub fn exception(&self, index: u32) -> Option<ExceptionRecord> {
        ExceptionRecord::decode(self.record(Section::Exceptions, index, ExceptionRecord::SIZE)?)
    }

    /// Whom the rule with this index asks, if it asks a service.
    #[must_use]
    pub fn webhook(&self, rule: u32) -> Option<WebhookRecord> {
        let at = |index| {
            WebhookRecord::decode(self.record(Section::Webhooks, index, WebhookRecord::SIZE)?)
        };
        let mut all = (0..self.count(Section::Webhooks)).map_while(at);
        all.find(|found| found.rule == rule)
    }

    /// The entry at `index`.
    #[must_use]
    pub fn entry(&self, index: u32) -> Option<EntryRecord> {
        let bytes = self.record(Section::Entries, index, EntryRecord::SIZE)?;
        EntryRecord::decode(bytes)
    }
}
