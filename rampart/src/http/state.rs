//! What is in force, and how the evaluator is.

use super::message::Reply;
use super::routes::Asked;
use super::{Context, Problem};
use crate::directories::Directories;
use crate::policy::{Layers, inventory, recipe};
use crate::serve::requests::now;
use evaluator::image::format::Section;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// It lives: its loop answers.
pub fn health(context: &Context, _: &Asked<'_>) -> Result<Reply, Problem> {
    context.front.look(|_| ())?;
    Ok(Reply::json(200, &json!({ "status": "ok" })))
}

/// As `rampart status`.
pub fn status(context: &Context, _: &Asked<'_>) -> Result<Reply, Problem> {
    let value = context.front.look(|desk| {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "mode": "enforce",
            "socket": desk.name,
            "pid": std::process::id(),
            "uptime_s": now().saturating_sub(desk.started) / 1000,
            "requests": desk.answered.load(Ordering::Relaxed),
            "pending_approvals": desk.approvals.count_pending(),
            "policy_count": count(&desk.policy.layers, Section::Policies),
            "rule_count": count(&desk.policy.layers, Section::Rules),
        })
    })?;
    Ok(Reply::json(200, &value))
}

/// For Prometheus.
pub fn metrics(context: &Context, _: &Asked<'_>) -> Result<Reply, Problem> {
    let (pending, policies, uptime) = context.front.look(|desk| {
        let policies = count(&desk.policy.layers, Section::Policies);
        let uptime = now().saturating_sub(desk.started) / 1000;
        (desk.approvals.count_pending(), policies, uptime)
    })?;
    let text = context.metrics.text(pending, policies, uptime);
    Ok(Reply::of(200, "text/plain; version=0.0.4", text.into_bytes()))
}

/// Every policy and rule in force, as `rampart rules --json`.
pub fn policies(context: &Context, _: &Asked<'_>) -> Result<Reply, Problem> {
    let policy = context.front.look(|desk| desk.policy.clone())?;
    let found = inventory::inventory(&policy.layers);
    let found = found.map_err(|failure| Problem::new(503, failure.message))?;
    let value = serde_json::to_value(&found).unwrap_or_default();
    Ok(Reply::json(200, &value))
}

/// How much is in force, and where it is from.
pub fn summary(context: &Context, _: &Asked<'_>) -> Result<Reply, Problem> {
    let policy = context.front.look(|desk| desk.policy.clone())?;
    let images = policy.images();
    let layers: Vec<Value> = policy
        .layers
        .all
        .iter()
        .zip(&images)
        .map(|(layer, image)| {
            json!({
                "from": layer.origin.to_string(),
                "digest": crate::policy::digest(image),
                "policies": image.count(Section::Policies),
                "rules": image.count(Section::Rules),
            })
        })
        .collect();
    let value = json!({
        "default_action": inventory::effective_default(&images).name(),
        "policy_count": count(&policy.layers, Section::Policies),
        "rule_count": count(&policy.layers, Section::Rules),
        "layers": layers,
    });
    Ok(Reply::json(200, &value))
}

/// As `rampart policy reload`. The evaluator's own policy follows its files by itself.
pub fn reload(context: &Context, _: &Asked<'_>) -> Result<Reply, Problem> {
    let started = Instant::now();
    let all = recipe::reload(&Directories::from_environment());
    let all = all.map_err(|failure| Problem::new(503, failure.message))?;
    let failed: Vec<&str> = all
        .iter()
        .filter_map(|one| one.result.as_ref().err().map(|failure| failure.message.as_str()))
        .collect();
    let (policies, rules) = context.front.look(|desk| {
        let of = |section| count(&desk.policy.layers, section);
        (of(Section::Policies), of(Section::Rules))
    })?;
    let value = json!({
        "success": failed.is_empty(),
        "errors": failed,
        "policies_loaded": policies,
        "rules_total": rules,
        "reload_time_ms": started.elapsed().as_secs_f64() * 1000.0,
    });
    Ok(Reply::json(200, &value))
}

fn count(layers: &Layers, section: Section) -> usize {
    let images = layers.images().unwrap_or_default();
    images.iter().map(|image| image.count(section) as usize).sum()
}
