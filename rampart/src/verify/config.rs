//! The file that `rampart verify serve` is configured by: what the agent is for, rules on effects, and,
//! where one is to be asked, a model. It names a key's file, never the key.

use super::weigh::Decision;
use crate::audit::config::trusted;
use crate::failure::Failure;
use evaluator::effects::Kind;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Rules on effects: the first that fits decides about an effect.
    pub rules: Vec<Rule>,
    /// Most questions a minute that are looked at.
    pub rate: Option<u32>,
    /// A file with the key that questions are signed with, as `key` in `webhook.yaml`.
    pub key: Option<PathBuf>,
    /// What tells this configuration from every other.
    #[serde(skip)]
    pub digest: [u8; 32],
}

/// A rule on effects.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names of effects.
    #[serde(deserialize_with = "kinds")]
    pub effects: Vec<Kind>,
    /// Globs on what the effect is on; without, whatever it is.
    #[serde(default)]
    pub on: Vec<String>,
    /// What it comes to.
    pub decision: Decision,
    /// Whether a model's `allow` counts where this rule asks.
    #[serde(default)]
    pub verifier_may_allow: bool,
}

fn kinds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Kind>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let kind = |name: &String| {
        Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = Kind::ALL.map(Kind::name).join(", ");
            serde::de::Error::custom(format!("`{name}` is no effect; there are {known}"))
        })
    };
    names.iter().map(kind).collect()
}

impl Config {
    /// The file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, others may write to it, or it says what cannot be meant.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let failed =
            |what: &str| Failure::usage(format!("cannot use `{}`: {what}", path.display()));
        let text = trusted(path)?.ok_or_else(|| failed("there is no such file"))?;
        let mut config = Self::parse(&text).map_err(|why| failed(&why))?;
        config.digest = Sha256::digest(text.as_bytes()).into();
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let options = serde_saphyr::options! { strict_booleans: true };
        let config: Self = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| error.to_string())?;
        for rule in &config.rules {
            if rule.verifier_may_allow && rule.decision != Decision::Ask {
                return Err("`verifier_may_allow` is for rules that ask".to_owned());
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_may_say() {
        let good = "rules:\n  - {effects: [sends], on: ['https://ci.example/**'], decision: allow}\n  \
                    - {effects: [changes_shared], decision: ask, verifier_may_allow: true}\nrate: 3\n";
        let config = Config::parse(good).unwrap();
        assert_eq!((config.rules.len(), config.rate), (2, Some(3)));
        for (text, part) in [
            ("rules: [{effects: [flies], decision: ask}]", "no effect"),
            ("rules: [{effects: [sends], decision: maybe}]", "maybe"),
            (
                "rules: [{effects: [sends], decision: allow, verifier_may_allow: true}]",
                "for rules that ask",
            ),
            ("tasks: x", "tasks"),
        ] {
            let found = Config::parse(text).unwrap_err();
            assert!(found.contains(part), "{text}: {found}");
        }
    }
}
