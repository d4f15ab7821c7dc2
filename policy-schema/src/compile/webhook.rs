//! Whom a rule asks, to its record.

use evaluator::image::format::WebhookRecord;

use crate::document::Webhook;

use super::Builder;

impl Builder {
    /// Adds the service that the rule with the index `rule` asks.
    pub fn webhook(&mut self, rule: u32, webhook: &Webhook) {
        let (url, url_len) = self.sections.text(webhook.url.as_bytes());
        let timeout_ms = u32::try_from(webhook.timeout_ms).unwrap_or(u32::MAX);
        let flags = u32::from(webhook.fail_open);
        let record = WebhookRecord { rule, url, url_len, timeout_ms, flags };
        self.sections.webhooks.push(record);
    }
}
