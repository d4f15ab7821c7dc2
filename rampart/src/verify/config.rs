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
    /// What the agent is there for, in words. A model is told it.
    pub task: String,
    /// Rules on effects: the first that fits decides about an effect.
    pub rules: Vec<Rule>,
    /// The model to ask; none by default.
    pub model: Option<Model>,
    /// What asking it may cost.
    pub budget: Budget,
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

/// A model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// How it is spoken to.
    pub provider: Provider,
    /// What it is called there.
    pub name: String,
    /// Where, without the path of the protocol; each provider has a default.
    pub url: Option<String>,
    /// File with the key.
    pub key: Option<PathBuf>,
    /// Name of a credential of systemd's (`LoadCredential=`) that is the key.
    pub credential: Option<String>,
    /// How long its answer is waited for: 4s by default. The `timeout` of the webhook rule has to be
    /// longer.
    pub timeout: Option<String>,
    /// What a million tokens cost, in the budget's currency.
    #[serde(default)]
    pub price: Price,
    /// How long an answer holds for the same question: 24h by default, `0s` for not at all.
    pub cache: Option<String>,
    /// What it is asked about, by what effects come to: `allow` and `ask` by default. What is denied never is.
    pub about: Option<Vec<Decision>>,
}

/// How a model is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI's chat completions, which many others speak.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Ollama's chat.
    Ollama,
}

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Price {
    /// Of a question.
    pub input: f64,
    /// Of an answer.
    pub output: f64,
}

/// What may be spent a day (UTC).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Calls of the model.
    pub calls: Option<u64>,
    /// Money.
    pub cost: Option<f64>,
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
        if let Some(model) = &config.model {
            for text in [&model.timeout, &model.cache].into_iter().flatten() {
                if policy_schema::time::duration_ms(text).is_none() {
                    return Err(format!("`{text}` is no duration; write it as in `4s`"));
                }
            }
            if model.key.is_some() && model.credential.is_some() {
                return Err("`key` and `credential` are two keys; state one".to_owned());
            }
            if config.budget.cost.is_some() && model.price.input <= 0.0 && model.price.output <= 0.0
            {
                return Err("a budget in money needs the model's `price`".to_owned());
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
        let good = "task: tests\nrules:\n  - {effects: [sends], on: ['https://ci.example/**'], decision: allow}\n  \
                    - {effects: [changes_shared], decision: ask, verifier_may_allow: true}\n\
                    model: {provider: ollama, name: m, price: {input: 1}}\nbudget: {calls: 3, cost: 0.5}\n";
        let config = Config::parse(good).unwrap();
        assert_eq!((config.rules.len(), config.budget.calls), (2, Some(3)));
        for (text, part) in [
            ("rules: [{effects: [flies], decision: ask}]", "no effect"),
            ("rules: [{effects: [sends], decision: maybe}]", "maybe"),
            (
                "rules: [{effects: [sends], decision: allow, verifier_may_allow: true}]",
                "for rules that ask",
            ),
            ("tasks: x", "tasks"),
            ("model: {provider: openai, name: m, timeout: soon}", "no duration"),
            ("model: {provider: openai, name: m, key: /k, credential: c}", "two keys"),
            ("model: {provider: openai, name: m}\nbudget: {cost: 1}", "price"),
            ("model: {provider: eliza, name: m}", "eliza"),
        ] {
            let found = Config::parse(text).unwrap_err();
            assert!(found.contains(part), "{text}: {found}");
        }
    }
}
