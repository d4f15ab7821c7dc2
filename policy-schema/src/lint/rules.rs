//! Findings about a policy, a rule, and what its `when` says as a whole.

use evaluator::Action;
use evaluator::image::format::by;

use super::{Lint, items, key, member};
use crate::diagnostic::did_you_mean;
use crate::document::{Condition, Policy, Rule};
use crate::yaml::{Kind, Node};

/// The classes of tools that hosts know. Others are allowed: a host may bring its own.
const TOOLS: [&str; 19] = [
    "delete",
    "connect",
    "listen",
    "exec",
    "read",
    "write",
    "edit",
    "fetch",
    "http",
    "browser",
    "web_fetch",
    "web_search",
    "mcp",
    "mcp-dangerous",
    "mcp-destructive",
    "agent",
    "memory",
    "message",
    "process",
];

/// Tools that touch a file or an address and start nothing.
const QUIET: [&str; 7] = ["read", "write", "edit", "fetch", "http", "web_fetch", "web_search"];

/// Conditions on the file or address of a call, which a command does not have.
const OF_CALLS: [&str; 4] = ["path_matches", "path_not_matches", "url_matches", "domain_matches"];

impl Lint<'_> {
    /// What is odd about `policy`, written as `node`.
    pub fn policy(&mut self, policy: &Policy, node: &Node) {
        let name = &policy.name;
        self.policy.clone_from(&name.value);
        self.by = policy.scope.by;
        if policy.rules.is_empty() && member(node, "rules").is_some() {
            let message = format!("policy `{}` has no rules", name.value);
            self.warn(&name.range, ("empty-policy", message.into(), "add a rule, or remove it"));
        }
        let scope = member(node, "match");
        for tool in items(scope.and_then(|scope| member(scope, "tool"))) {
            self.tool(tool);
        }
        let tools: Vec<&str> = policy.scope.tools.iter().map(|tool| tool.text.as_str()).collect();
        for (rule, node) in policy.rules.iter().zip(items(member(node, "rules"))) {
            self.rule(rule, node, &tools);
        }
    }

    fn tool(&mut self, node: &Node) {
        let Kind::Text(name) = &node.kind else {
            return;
        };
        if TOOLS.contains(&name.as_str()) || name.contains(['*', '?', '[']) {
            return;
        }
        if let Some(meant) = did_you_mean(name, TOOLS) {
            let message = format!("no host has a tool class `{name}`");
            let help = format!("did you mean `{meant}`?");
            self.warn(&node.range, ("unknown-tool", message.into(), &help));
        }
    }

    fn rule(&mut self, rule: &Rule, node: &Node, tools: &[&str]) {
        let place = &rule.range;
        let when = member(node, "when");
        if let (Some(now), Some(end)) = (self.now, rule.expires_at)
            && now >= end
        {
            let place = key(node, "expires_at").unwrap_or_else(|| place.clone());
            let message = format!("rule `{}/{}` has expired", self.policy, rule.name);
            self.warn(&place, ("expired", message.into(), "remove it, or extend its time"));
        }
        if let Some(place) = key(node, "once").filter(|_| rule.once && rule.action != Action::Allow)
        {
            let message = "`once` has no effect: only an allow can be used up";
            self.warn(&place, ("useless-key", message.into(), "remove it"));
        }
        for (name, action) in [("webhook", Action::Webhook), ("ask", Action::Ask)] {
            if let Some(place) = key(node, name).filter(|_| rule.action != action) {
                let message = format!("`{name}` has no effect on a rule with another action");
                let help = format!("write `action: {name}`, or remove it");
                self.warn(&place, ("useless-key", message.into(), &help));
            }
        }
        let is_empty = when.is_none_or(|when| match &when.kind {
            Kind::Map(entries) => entries.is_empty(),
            _ => true,
        });
        if is_empty && rule.action == Action::Allow {
            let message = format!(
                "rule `{}/{}` has no conditions: it allows every call in scope",
                self.policy, rule.name
            );
            self.warn(place, ("allows-everything", message.into(), "say `when`"));
        } else if is_empty {
            let message = format!(
                "rule `{}/{}` has no conditions: it always matches",
                self.policy, rule.name
            );
            self.note(
                place,
                ("no-conditions", message.into(), "`when: {default: true}` says so openly"),
            );
        }
        if rule.message.is_empty() && matches!(rule.action, Action::Deny | Action::Ask) {
            let message = format!("rule `{}/{}` has no message", self.policy, rule.name);
            let help = "whoever is stopped reads it: say what to do instead";
            self.note(place, ("no-message", message.into(), help));
        }
        if let Some(when) = when {
            self.out_of_scope(rule, when, tools);
            self.depth(when);
            self.condition(when);
        }
    }

    /// Conditions that no call of the policy's tools can fulfil.
    fn out_of_scope(&mut self, rule: &Rule, when: &Node, tools: &[&str]) {
        if tools.is_empty() {
            return;
        }
        if tools == ["exec"] {
            for name in OF_CALLS {
                if let Some(place) = key(when, name) {
                    let message = format!(
                        "`{name}` never holds for a tool `exec`: commands are no such call"
                    );
                    let help = match name {
                        "path_matches" | "path_not_matches" => {
                            "write `operands`, `reads` or `writes`"
                        }
                        _ => "write `operand_matches`",
                    };
                    self.warn(&place, ("never-in-scope", message.into(), help));
                }
            }
        }
        if self.by != by::AGENT {
            return;
        }
        let looks = rule.condition.any_part(&Condition::looks_at_commands);
        let is_quiet = tools.iter().all(|tool| QUIET.contains(tool));
        let has_other = rule.condition.any_part(&|part| {
            matches!(part, Condition::Any(_) | Condition::Not(_) | Condition::Response { .. })
        });
        if looks && is_quiet && !has_other {
            let message = format!(
                "rule `{}/{}` looks at commands, but its policy is only about {}",
                self.policy,
                rule.name,
                tools.join(", ")
            );
            let help = "add `exec` to `match.tool`, or look at `path_matches` and `domain_matches`";
            let place = &rule.range;
            self.warn(place, ("never-in-scope", message.into(), help));
        }
    }

    fn depth(&mut self, when: &Node) {
        let Some(depth) = member(when, "agent_depth") else {
            return;
        };
        let number = |key: &str| {
            let node = member(depth, key)?;
            let text = self.source.text.get(node.defined.clone())?;
            std::str::from_utf8(text).ok()?.parse::<u64>().ok()
        };
        let (least, most) = (number("gte").unwrap_or(0), number("lte").unwrap_or(u64::MAX));
        let exact = number("eq");
        if least > most || exact.is_some_and(|exact| exact < least || exact > most) {
            let place = key(when, "agent_depth").unwrap_or_else(|| depth.range.clone());
            let message = "no depth fulfils this";
            self.warn(
                &place,
                ("never-matches", message.into(), "`gte` is the least, `lte` the most"),
            );
        }
    }
}
