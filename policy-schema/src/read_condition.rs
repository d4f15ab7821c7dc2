//! Reads `when`: which conditions there are, and what each means for the evaluator. Fields are
//! joined by AND, the values of one field by OR.

use evaluator::TargetKinds;
use evaluator::command::{CommandFlags, Via};
use evaluator::effects::Kind;
use evaluator::image::format::{node, pattern};
use evaluator::sql::effect;

use crate::document::{Condition, Pattern};
use crate::read_patterns::{checked, nonempty, patterns};
use crate::read_rule::taints;
use crate::reader::{Fields, Reader};
use crate::yaml::Node;
use crate::{keys, limits, read_lists, read_surroundings, time};

/// What `fact` may name.
pub const FACTS: &[(&str, u32)] = &[
    ("unknown-code", CommandFlags::UNKNOWN_CODE.0),
    ("fetched-code", CommandFlags::FETCHED_CODE.0),
    ("fork-bomb", CommandFlags::FORK_BOMB.0),
];

/// Conditions whose value is one or more patterns: key, kind of node, its flags, class of the
/// patterns, whether case is folded.
const PATTERNED: &[(&str, u8, u8, u8, bool)] = &[
    ("command_env_assignments", node::ENV_ASSIGNS, 0, pattern::GLOB, false),
    ("path_matches", node::PATH, 0, pattern::PATH_GLOB, false),
    ("url_matches", node::URL, 0, pattern::GLOB, false),
    ("domain_matches", node::DOMAIN, 0, pattern::GLOB, true),
    ("session_matches", node::SESSION, 0, pattern::GLOB, false),
    ("program", node::PROGRAM, 0, pattern::PATH_GLOB, true),
    ("subcommand", node::SUBCOMMAND, 0, pattern::PATH_GLOB, false),
    ("operands", node::OPERAND, 1, pattern::PATH_GLOB, false),
    ("operand_matches", node::OPERAND, 0, pattern::GLOB, false),
    ("reads", node::READS, 0, pattern::PATH_GLOB, false),
    ("writes", node::WRITES, 0, pattern::PATH_GLOB, false),
    ("redirects_to", node::REDIRECTS_TO, 0, pattern::PATH_GLOB, false),
    ("pipes_into", node::PIPES_INTO, 0, pattern::PATH_GLOB, true),
    ("agent", node::AGENT, 0, pattern::GLOB, false),
    ("parent", node::PARENT, 0, pattern::PATH_GLOB, true),
    ("cwd_matches", node::CWD, 0, pattern::PATH_GLOB, false),
    ("exe_path", node::EXE_PATH, 0, pattern::PATH_GLOB, false),
    ("user", node::USER, 0, pattern::LITERAL, false),
];

/// Reads the mapping `when`; `None` if nothing of it can be used.
pub fn read(reader: &mut Reader<'_>, when: &Node, restrictive: bool) -> Option<Condition> {
    let fields = reader.fields(when, &keys::CONDITION)?;
    let mut all = Vec::new();
    command_text(reader, &fields, restrictive, &mut all);
    for (key, node, flags, class, fold_case) in PATTERNED {
        if let Some(value) = fields.get(key) {
            let patterns = patterns(reader, value, key, *class, *fold_case);
            let patterns = checked(reader, key, patterns);
            push(&mut all, *node, *flags, patterns);
        }
    }
    flags(reader, &fields, &mut all);
    all.extend(read_surroundings::environment(reader, &fields));
    read_surroundings::context(reader, &fields, &mut all);
    sets(reader, &fields, &mut all);
    numbers(reader, &fields, &mut all);
    params(reader, &fields, &mut all);
    response(reader, &fields, &mut all);
    if fields.get("default").is_some() && reader.flag(&fields, "default") == Some(true) {
        all.push(Condition::Always);
    }
    all.extend(taints(reader, &fields, "tainted").map(Condition::Tainted));
    groups(reader, &fields, restrictive, &mut all);
    exclusions(reader, &fields, &mut all);
    if let Some(wanted) =
        fields.get("written_by_agent").and_then(|_| reader.flag(&fields, "written_by_agent"))
    {
        let written = Condition::Written;
        all.push(if wanted { written } else { Condition::Not(Box::new(written)) });
    }
    // The one test that costs as much as reading the file comes last.
    all.extend(read_surroundings::digests(reader, &fields));
    Some(match all.len() {
        0 => Condition::Always,
        1 => all.pop().unwrap_or(Condition::Always),
        _ => Condition::All(all),
    })
}

fn push(all: &mut Vec<Condition>, node: u8, flags: u8, patterns: Vec<Pattern>) {
    if !patterns.is_empty() {
        all.push(Condition::Matches { node, flags, patterns });
    }
}

/// `command_matches` and `command_contains`, the only two fields that are joined by OR.
fn command_text(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    restrictive: bool,
    all: &mut Vec<Condition>,
) {
    let mut any = Vec::new();
    for (key, node, class, fold) in [
        ("command_matches", node::COMMAND_GLOB, pattern::GLOB, false),
        ("command_contains", node::COMMAND_CONTAINS, pattern::SUBSTRING, restrictive),
    ] {
        if let Some(value) = fields.get(key) {
            let found = patterns(reader, value, key, class, fold);
            push(&mut any, node, 0, found.into_iter().map(|(_, pattern)| pattern).collect());
        }
    }
    if any.len() > 1 {
        all.push(Condition::Any(any));
    } else {
        all.append(&mut any);
    }
}

/// `flags`: every entry must hold; an entry is one flag or a list of alternatives.
fn flags(reader: &mut Reader<'_>, fields: &Fields<'_>, all: &mut Vec<Condition>) {
    let Some(value) = fields.get("flags") else {
        return;
    };
    nonempty(reader, value, "flags");
    for entry in reader.items(value) {
        let found = patterns(reader, entry, "flags", pattern::LITERAL, false);
        for (text, _) in &found {
            if !text.value.starts_with(['-', '+']) || text.value.len() < 2 {
                let help = "a flag is written with its dashes: `-r`, `--recursive`";
                reader.error(&text.range, format!("`{}` is no flag", text.value), help);
            }
        }
        push(all, node::FLAG, 0, found.into_iter().map(|(_, pattern)| pattern).collect());
    }
}

/// Conditions that are a set of fixed names: `inside`, `target`, `fact`, `sql`, `effects`.
fn sets(reader: &mut Reader<'_>, fields: &Fields<'_>, all: &mut Vec<Condition>) {
    let inside: Vec<(&str, u32)> =
        Via::ALL.iter().map(|via| (via.name(), 1 << (*via as u8))).collect();
    let target = TargetKinds::NAMES.map(|(kind, name)| (name, kind.0));
    let mut bits = |key: &str, choices: &[(&str, u32)]| {
        let value = fields.get(key)?;
        let items = reader.items(value);
        nonempty(reader, value, key);
        let what = format!("`{key}`");
        let set = items.iter().filter_map(|node| reader.choice(node, &what, choices));
        Some(set.fold(0, |set, bit| set | bit)).filter(|set| *set != 0)
    };
    let inside = bits("inside", &inside).map(Condition::Inside);
    let target = bits("target", &target).map(|set| Condition::Target(TargetKinds(set)));
    let fact = bits("fact", FACTS).map(|set| Condition::Fact(CommandFlags(set)));
    let sql = bits("sql", &effect::NAMES).map(Condition::Sql);
    let effects = bits("effects", &Kind::names()).map(Condition::Effects);
    all.extend([inside, target, fact, sql, effects].into_iter().flatten());
}

/// `agent_depth` and `call_count`.
fn numbers(reader: &mut Reader<'_>, fields: &Fields<'_>, all: &mut Vec<Condition>) {
    if let Some(node) = fields.get("agent_depth")
        && let Some(depth) = reader.fields(node, &keys::DEPTH)
    {
        nonempty(reader, node, "agent_depth");
        for (compare, key) in [(1, "gte"), (2, "lte"), (3, "eq")] {
            let number = depth.get(key).and_then(|node| reader.integer(node, key, 0..=1_000_000));
            if let Some(depth) = number.and_then(|number| u32::try_from(number).ok()) {
                all.push(Condition::AgentDepth { compare, depth });
            }
        }
    }
    let Some(node) = fields.get("call_count") else {
        return;
    };
    let Some(count) = reader.fields(node, &keys::CALL_COUNT) else {
        return;
    };
    const LONGEST_MS: u64 = 30 * 24 * 3600 * 1000;
    let at_least = count.get("gte").and_then(|node| reader.integer(node, "`gte`", 0..=1000));
    let window = reader.optional(&count, "window");
    let length = window.as_ref().and_then(|text| time::duration_ms(&text.value));
    let length = length.filter(|ms| (1..=LONGEST_MS).contains(ms));
    if let (Some(text), None) = (&window, length) {
        let help = "a duration up to 30d, as in `10m`";
        reader.error(&text.range, format!("`{}` is no window", text.value), help);
    }
    for (key, missing) in [("gte", count.get("gte").is_none()), ("window", window.is_none())] {
        if missing {
            let help = "write `call_count: {gte: 20, window: 10m}`";
            reader.error(&node.range, format!("`call_count` without `{key}`"), help);
        }
    }
    let at_least = at_least.and_then(|number| u32::try_from(number).ok());
    if let (Some(at_least), Some(ms)) = (at_least, length) {
        let tool = reader.optional(&count, "tool").map(|text| text.value);
        let tool = tool.filter(|tool| !tool.is_empty());
        all.push(Condition::CallCount { tool, at_least, window: ms.div_ceil(1000) });
    }
}

/// `tool_param_matches`: any one parameter suffices, and case is folded.
fn params(reader: &mut Reader<'_>, fields: &Fields<'_>, all: &mut Vec<Condition>) {
    let Some(node) = fields.get("tool_param_matches") else {
        return;
    };
    let Some(map) = reader.map(node, "`tool_param_matches`") else {
        return;
    };
    nonempty(reader, node, "tool_param_matches");
    let mut alternatives = Vec::new();
    for (name, _, value) in map.all() {
        for (_, value) in patterns(reader, value, "tool_param_matches", pattern::GLOB, true) {
            alternatives.push(Pattern {
                class: pattern::LITERAL,
                fold_case: true,
                text: name.to_ascii_lowercase(),
            });
            alternatives.push(value);
        }
    }
    push(all, node::PARAM, 0, alternatives);
}

/// Conditions on a tool's output. They never hold before the call.
fn response(reader: &mut Reader<'_>, fields: &Fields<'_>, all: &mut Vec<Condition>) {
    let mut regexes = |key: &str| {
        let node = fields.get(key)?;
        nonempty(reader, node, key);
        let mut found = Vec::new();
        for node in read_lists::entries(reader, node) {
            let text = reader.text(&node, &format!("a pattern of `{key}`"))?;
            if text.value.chars().count() > limits::REGEX {
                let message =
                    format!("a regular expression longer than {} characters", limits::REGEX);
                reader.error(&text.range, message, "split it into several");
            } else if let Err(why) = limits::regex(&text.value) {
                let message = format!("not a regular expression: {why}");
                reader.error(&text.range, message, "syntax: https://docs.rs/regex/#syntax");
            }
            found.push(text.value);
        }
        Some(found)
    };
    let (matching, not_matching) = (regexes("response_matches"), regexes("response_not_matches"));
    if matching.is_some() || not_matching.is_some() {
        all.push(Condition::Response {
            matching: matching.unwrap_or_default(),
            not_matching: not_matching.unwrap_or_default(),
        });
    }
}

/// `any`, `all` and `not`.
fn groups(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    restrictive: bool,
    all: &mut Vec<Condition>,
) {
    for key in ["any", "all"] {
        let Some(value) = fields.get(key) else {
            continue;
        };
        let items = reader.list(value, &format!("`{key}`"));
        if items.is_empty() {
            reader.error(&value.range, format!("`{key}` is an empty group"), "");
        }
        let parts: Vec<Condition> =
            items.iter().filter_map(|node| read(reader, node, restrictive)).collect();
        if !parts.is_empty() {
            all.push(if key == "any" { Condition::Any(parts) } else { Condition::All(parts) });
        }
    }
    // What an exclusion takes away is matched the way a grant is.
    if let Some(value) = fields.get("not")
        && let Some(inner) = read(reader, value, !restrictive)
    {
        all.push(Condition::Not(Box::new(inner)));
    }
}

/// The `*_not_matches` fields. One that stands alone still demands what it excludes from: a call
/// without a path is not "a path that does not match".
fn exclusions(reader: &mut Reader<'_>, fields: &Fields<'_>, all: &mut Vec<Condition>) {
    let alone = all.is_empty();
    for (key, node, class) in [
        ("command_not_matches", node::COMMAND_GLOB, pattern::GLOB),
        ("path_not_matches", node::PATH, pattern::PATH_GLOB),
        ("session_not_matches", node::SESSION, pattern::GLOB),
    ] {
        let Some(value) = fields.get(key) else {
            continue;
        };
        let found = patterns(reader, value, key, class, false);
        let patterns: Vec<Pattern> = found.into_iter().map(|(_, pattern)| pattern).collect();
        if patterns.is_empty() {
            continue;
        }
        if alone && node != node::SESSION {
            let text = if node == node::PATH { "**" } else { "*" }.to_owned();
            let anything = Pattern { class, fold_case: false, text };
            all.push(Condition::Matches { node, flags: 0, patterns: vec![anything] });
        }
        let excluded = Condition::Matches { node, flags: 0, patterns };
        all.push(Condition::Not(Box::new(excluded)));
    }
}
