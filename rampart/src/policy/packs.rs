//! Packs: shipped rules about one field each, joined to one layer of their own.

use super::{Layer, Origin};
use crate::failure::Failure;
use policy_schema::{Layer as Level, Options, Source, compile};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The layer of these packs, or `None` for none. With `is_strict`, what they ask about is denied.
/// A project's are compiled for its level, where they may only restrict.
///
/// # Errors
/// Exit status 2 if there is no such pack.
pub fn layer(
    names: &BTreeSet<String>,
    is_strict: bool,
    level: Level,
) -> Result<Option<Layer>, Failure> {
    let sources = if is_strict { policies::STRICT_PACK_SOURCES } else { policies::PACK_SOURCES };
    if let Some(unknown) = names.iter().find(|name| !sources.iter().any(|(known, _)| known == name))
    {
        return Err(unknown_pack(unknown));
    }
    let chosen: Vec<Source<'_>> = sources
        .iter()
        .filter(|(name, _)| names.contains(*name))
        .map(|(name, text)| Source { name, text: text.as_bytes() })
        .collect();
    if chosen.is_empty() {
        return Ok(None);
    }
    let options = Options { layer: level, run_examples: false };
    let image = compile(&chosen, &options).map_err(|found| super::source::refused(&found))?;
    let origin = Origin::Packs(names.iter().cloned().collect());
    Ok(Some(Layer { origin, bytes: Cow::Owned(image) }))
}

/// The packs that `names` mean; `all` is every one that does not stand apart.
///
/// # Errors
/// Exit status 2 if there is no such pack.
pub fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<BTreeSet<String>, Failure> {
    let mut chosen = BTreeSet::new();
    for name in names {
        if name == "all" {
            let all = policies::PACK_SOURCES.iter().map(|(name, _)| *name);
            chosen.extend(all.filter(|name| !policies::APART.contains(name)).map(str::to_owned));
        } else if policies::pack(name).is_some() {
            chosen.insert(name.to_owned());
        } else {
            return Err(unknown_pack(name));
        }
    }
    Ok(chosen)
}

/// The failure for a pack that is not shipped: names those that are.
pub fn unknown_pack(name: &str) -> Failure {
    let known: Vec<&str> = policies::PACK_SOURCES.iter().map(|(name, _)| *name).collect();
    Failure::usage(format!(
        "there is no pack `{}`; the shipped ones are {}, and `all`",
        crate::bytes::visible(name.as_bytes()),
        known.join(", ")
    ))
}
