//! Three-valued answers, and words against patterns.

use crate::glob;
use crate::image::Image;
use crate::image::format::{FOLD_CASE, PatternRecord, pattern};

use super::found::Fault;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tri {
    /// It does not.
    No,
    /// Cannot be known here.
    Unknown,
    /// It does.
    Yes,
}

impl From<bool> for Tri {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl From<Option<bool>> for Tri {
    fn from(holds: Option<bool>) -> Self {
        holds.map_or(Self::Unknown, Self::from)
    }
}

impl Tri {
    /// The stronger of two answers that stand for alternatives.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// Whether `value` matches pattern `index`.
pub fn one(image: &Image<'_>, index: u32, value: &[u8]) -> Result<Tri, Fault> {
    of_record(image, &image.pattern_record(index).ok_or(Fault::Corrupt)?, value)
}

/// Whether `value` matches the pattern with this record.
pub fn of_record(image: &Image<'_>, record: &PatternRecord, value: &[u8]) -> Result<Tri, Fault> {
    // Most patterns are names, and most names have another length.
    if record.class == pattern::LITERAL && record.len as usize != value.len() {
        return Ok(Tri::No);
    }
    let text = image.text(record.text, record.len).ok_or(Fault::Corrupt)?;
    matches(record, text, value)
}

/// The records of a run of patterns.
pub fn records<'a>(
    image: &Image<'a>,
    first: u32,
    count: u32,
) -> Result<impl Iterator<Item = PatternRecord> + use<'a>, Fault> {
    let run = image.pattern_run(first, count).ok_or(Fault::Corrupt)?;
    Ok(run.iter().filter_map(|bytes| PatternRecord::decode(bytes)))
}

/// Whether `value` matches some pattern of a run.
pub fn patterns(image: &Image<'_>, first: u32, count: u32, value: &[u8]) -> Result<Tri, Fault> {
    let mut any = Tri::No;
    for record in records(image, first, count)? {
        any = any.or(of_record(image, &record, value)?);
        if any == Tri::Yes {
            break;
        }
    }
    Ok(any)
}

/// Whether `value` matches one pattern.
pub fn matches(record: &PatternRecord, text: &[u8], value: &[u8]) -> Result<Tri, Fault> {
    let fold = record.flags & FOLD_CASE != 0;
    Ok(match record.class {
        pattern::LITERAL if fold => Tri::from(value.eq_ignore_ascii_case(text)),
        pattern::LITERAL => Tri::from(value == text),
        pattern::GLOB => Tri::from(glob::command(text, value, fold)),
        pattern::PATH_GLOB => Tri::from(glob::path(text, value, fold)),
        pattern::SUBSTRING => Tri::from(glob::find(value, text, fold).is_some()),
        _ => return Err(Fault::Corrupt),
    })
}
