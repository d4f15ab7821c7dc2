//! Conditions about how often something happened, as nodes.

use evaluator::image::format::{self, NodeRecord, node};

use super::{Builder, count, plain};
use crate::document::Pattern;

impl Builder {
    /// `call_count`: the window in seconds as text, and the tool if there is one.
    pub(super) fn call_count(
        &mut self,
        tool: Option<&str>,
        at_least: u32,
        window: u64,
    ) -> NodeRecord {
        let mut texts = vec![window.to_string()];
        texts.extend(tool.map(str::to_owned));
        let literal = |text| Pattern { class: format::pattern::LITERAL, fold_case: false, text };
        let patterns: Vec<Pattern> = texts.into_iter().map(literal).collect();
        NodeRecord {
            first: self.patterns(&patterns),
            count: count(patterns.len()),
            number: at_least,
            ..plain(node::CALL_COUNT)
        }
    }
}
