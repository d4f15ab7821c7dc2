//! The header of an image: what the documents state for the whole policy.

use evaluator::Action;
use evaluator::image::format::{Header, feature, record_events};

use crate::Options;
use crate::diagnostic::Source;
use crate::document::{Document, Enforce, Record};

/// The header for `documents`, which were read from `sources`.
pub fn header(sources: &[Source<'_>], documents: &[Document], options: &Options) -> Header {
    let strictest = |of: fn(&Document) -> Option<Action>| {
        documents.iter().filter_map(of).max().map_or(0, |action| action as u8)
    };
    let default_action = documents.iter().find_map(|document| document.default_action);
    let all = |document: &Document| document.record == Some(Record::All);
    let stated = documents.iter().any(|document| document.record.is_some());
    let (digest_low, digest_high) = options.digest(sources);
    Header {
        digest_low,
        digest_high,
        default_action: default_action.map_or(0, |action| action as u8),
        on_no_approver: strictest(|document| document.on_no_approver),
        on_too_complex: strictest(|document| document.on_too_complex),
        on_unparseable: strictest(|document| document.on_unparseable),
        level: options.layer.code(),
        record: if stated && !documents.iter().any(all) {
            record_events::NOTABLE
        } else {
            record_events::ALL
        },
        features: match documents.iter().filter_map(|document| document.enforce).max() {
            Some(Enforce::Kernel) => feature::ENFORCE_KERNEL,
            Some(Enforce::Best) => feature::ENFORCE_BEST,
            Some(Enforce::Interposer) | None => 0,
        },
        ..Header::default()
    }
}
