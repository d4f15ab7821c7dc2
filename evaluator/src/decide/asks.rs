//! What a rule asks for first. Most rules on every program need a fact or a provenance that few commands
//! have; a command without any of them is not compared with these rules one by one.

use crate::command::Command;
use crate::image::Image;
use crate::image::format::{BucketRecord, NO_CONDITION, NodeRecord, node};

use super::condition::{At, Judge};
use super::found::{Fault, Found};

/// Alternatives that are looked at before their rule is.
const FEW: u32 = 4;

/// Trees of fewer commands are not worth looking at all rules beforehand.
const FEW_COMMANDS: usize = 4;

/// Facts and provenances of which a command needs one.
#[derive(Clone, Copy, Default)]
struct Asks {
    facts: u32,
    inside: u32,
}

impl Asks {
    /// What the part of a rule at `index` asks for first, if it asks for nothing else before that;
    /// `Err` if it is corrupt.
    fn of(image: &Image<'_>, index: u32) -> Result<Option<Self>, Fault> {
        if index == NO_CONDITION {
            return Ok(None);
        }
        let record = image.node(index).ok_or(Fault::Corrupt)?;
        match record.kind {
            node::ALL if record.count > 0 => {
                Ok(Self::of_record(&image.node(record.first).ok_or(Fault::Corrupt)?))
            }
            node::ANY if record.count <= FEW => {
                let mut all = Self::default();
                for child in record.first..record.first.saturating_add(record.count) {
                    match Self::of_record(&image.node(child).ok_or(Fault::Corrupt)?) {
                        Some(asks) => all = all.or(asks),
                        None => return Ok(None),
                    }
                }
                Ok(Some(all))
            }
            _ => Ok(Self::of_record(&record)),
        }
    }

    fn of_record(record: &NodeRecord) -> Option<Self> {
        match record.kind {
            node::COMMAND_FACT => Some(Self { facts: record.number, inside: 0 }),
            node::INSIDE => Some(Self { facts: 0, inside: record.number }),
            _ => None,
        }
    }

    const fn or(self, other: Self) -> Self {
        Self { facts: self.facts | other.facts, inside: self.inside | other.inside }
    }

    /// Whether `command` has none of it.
    fn in_vain(self, command: &Command) -> bool {
        command.flags.0 & self.facts == 0 && u32::from(command.inside) & self.inside == 0
    }
}

/// What the rules on every program of an image ask for.
#[derive(Clone, Copy)]
pub struct Asked {
    bucket: BucketRecord,
    asks: Asks,
    /// A bit for each rule that asks for something else.
    others: u64,
}

impl Asked {
    /// Those of `bucket`, if they are worth knowing for `commands` commands.
    pub fn of(
        image: &Image<'_>,
        bucket: BucketRecord,
        commands: usize,
    ) -> Result<Option<Self>, Fault> {
        if commands < FEW_COMMANDS || bucket.count > u64::BITS {
            return Ok(None);
        }
        let mut asked = Self { bucket, asks: Asks::default(), others: 0 };
        for position in 0..bucket.count {
            let index = bucket.first.saturating_add(position);
            let entry = image.entry(index).ok_or(Fault::Corrupt)?;
            match Asks::of(image, entry.node)? {
                Some(asks) => asked.asks = asked.asks.or(asks),
                None => asked.others |= 1 << position,
            }
        }
        Ok(Some(asked))
    }
}

impl<'j> Judge<'j, '_> {
    /// Looks at the rules on every program, `always`, for one command.
    pub fn rules_on_all(
        &mut self,
        image: &Image<'_>,
        position: u32,
        (always, asked): (BucketRecord, Option<Asked>),
        at: At<'j>,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        let (_, command) = at;
        if let Some(asked) = asked.filter(|asked| asked.asks.in_vain(command)) {
            self.spend(always.count.saturating_sub(asked.others.count_ones()))?;
            let mut others = asked.others;
            while others != 0 {
                let index = asked.bucket.first.saturating_add(others.trailing_zeros());
                let entry = image.entry(index).ok_or(Fault::Corrupt)?;
                self.entry(image, position, entry, Some(at), found)?;
                others &= others.wrapping_sub(1);
            }
            return Ok(());
        }
        for index in always.first..always.first.saturating_add(always.count) {
            let entry = image.entry(index).ok_or(Fault::Corrupt)?;
            match Asks::of(image, entry.node)? {
                Some(asks) if asks.in_vain(command) => self.spend(1)?,
                _ => self.entry(image, position, entry, Some(at), found)?,
            }
        }
        Ok(())
    }
}
