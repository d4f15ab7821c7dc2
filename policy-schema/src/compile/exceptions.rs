//! `disable` and `lock` to their records.

use evaluator::image::format::{ExceptionRecord, exception, pattern};

use crate::document::{Document, ExactCommand, Pattern, RuleName};

use super::{Builder, count};

impl Builder {
    /// Adds what a file switches off and locks.
    pub fn exceptions(&mut self, document: &Document) {
        for entry in &document.disable {
            let (kind, texts) = match &entry.command {
                None => (exception::DISABLE, Vec::new()),
                Some(ExactCommand::Text(text)) => (exception::DISABLE, vec![text.clone()]),
                Some(ExactCommand::Words(words)) => (exception::DISABLE_WORDS, words.clone()),
            };
            let record = self.named(kind, &entry.name);
            let literal = |text| Pattern { class: pattern::LITERAL, fold_case: false, text };
            let patterns: Vec<Pattern> = texts.into_iter().map(literal).collect();
            let first = self.patterns(&patterns);
            self.sections.exceptions.push(ExceptionRecord {
                flags: u8::from(entry.once),
                first,
                count: count(patterns.len()),
                expires_at: entry.expires_at.unwrap_or(0),
                ..record
            });
        }
        for name in &document.lock {
            let record = self.named(exception::LOCK, name);
            self.sections.exceptions.push(record);
        }
    }

    fn named(&mut self, kind: u8, name: &RuleName) -> ExceptionRecord {
        let (policy, policy_len) = self.sections.text(name.policy.as_bytes());
        let (rule, rule_len) = self.sections.text(name.rule.as_deref().unwrap_or("").as_bytes());
        ExceptionRecord { kind, policy, policy_len, rule, rule_len, ..ExceptionRecord::default() }
    }
}
