//! What real agents wrote to their hooks, as `tests/machines/record_payloads.py` has recorded it: a file in `recorded`
//! for each host and version, its first line the tools that it offered to its model, then a payload a line. Every
//! recorded call was harmless; the same call, made dangerous in one place, is stopped.

use super::payloads::before;
use super::{answer, denied, is_nothing, user};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Members that hold what a tool has put out.
const OUTPUTS: [&str; 4] = ["tool_response", "tool_result", "output", "result"];

/// File name and lines of every recording.
fn recordings() -> Vec<(String, Vec<Value>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/hook/recorded");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), lines)
    };
    files.map(read).collect()
}

fn host(line: &Value) -> &str {
    line["host"].as_str().unwrap()
}

/// Whether the payload comes before its call.
fn is_before(payload: &Value) -> bool {
    let names = ["PreToolUse", "BeforeTool", "tool.execute.before", "tool_call"];
    ["hook_event_name", "hook", "hookName"]
        .iter()
        .filter_map(|member| payload[member].as_str())
        .any(|event| names.contains(&event))
}

/// Puts something into what a tool has put out, below `value`; in how many places.
fn infect(value: &mut Value, is_output: bool) -> usize {
    match value {
        Value::String(text) if is_output && text.contains("one") => {
            *text = text.replace("one", "KEY-123456");
            1
        }
        Value::Array(all) => all.iter_mut().map(|one| infect(one, is_output)).sum(),
        Value::Object(members) => {
            let each = members.iter_mut().map(|(name, one)| {
                let is_named = OUTPUTS.contains(&name.as_str()) && one.get("input").is_none();
                infect(one, is_output || is_named)
            });
            each.sum()
        }
        _ => 0,
    }
}

#[test]
fn every_version_of_every_host_is_there() {
    let mut hosts: Vec<String> =
        recordings().iter().map(|(_, lines)| host(&lines[0]).to_owned()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    // Cursor's program is in no registry: its rows are written from its contract.
    assert_eq!(hosts, ["claude-code", "cline", "codex", "copilot", "gemini", "opencode"]);
}

#[test]
fn every_tool_that_a_host_offers_is_known() {
    let user = user();
    let mut unknown = Vec::new();
    for (file, lines) in recordings() {
        for tool in lines[0]["tools"].as_array().unwrap() {
            let tool = tool.as_str().unwrap();
            let payload = before(host(&lines[0]), tool, &json!({})).to_string();
            let answer = answer(&user, host(&lines[0]), payload.as_bytes());
            let reason = denied(host(&lines[0]), &answer).unwrap_or_default();
            if reason.contains("unknown tool") {
                unknown.push(format!("{file} {tool}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn ordinary_calls_go_on_and_dangerous_ones_do_not() {
    let user = user();
    let mut stopped = 0;
    for (file, lines) in recordings() {
        let host = host(&lines[0]).to_owned();
        for line in lines.iter().skip(1).filter(|line| is_before(&line["payload"])) {
            let text = line["payload"].to_string();
            let plain = answer(&user, &host, text.as_bytes());
            assert!(is_nothing(&host, &plain), "{file}: {text}: {plain}");
            let changes = [
                ("echo one", "x-deny", "test/no"),
                ("/w/note.txt", "/x-secret/note.txt", "test/secret"),
                ("File: added.txt", "File: /x-secret/a", "test/secret"),
                ("127.0.0.1:9", "x-paste.example", "test/paste"),
            ];
            for (from, to, rule) in changes.iter().filter(|(from, ..)| text.contains(from)) {
                let text = text.replace(from, to);
                let reason = denied(&host, &answer(&user, &host, text.as_bytes()));
                assert!(reason.unwrap_or_default().contains(rule), "{file}: {text}");
                stopped += 1;
            }
        }
    }
    assert!(stopped >= 50, "{stopped}");
}

#[test]
fn what_tools_put_out_is_found_where_hosts_put_it() {
    let user = user();
    for (file, lines) in recordings() {
        let host = host(&lines[0]).to_owned();
        let mut infected = 0;
        for line in lines.iter().skip(1).filter(|line| !is_before(&line["payload"])) {
            let mut payload = line["payload"].clone();
            let plain = answer(&user, &host, payload.to_string().as_bytes());
            assert!(is_nothing(&host, &plain), "{file}: {payload}: {plain}");
            if infect(&mut payload, false) > 0 {
                infected += 1;
                let held = answer(&user, &host, payload.to_string().as_bytes());
                assert!(!is_nothing(&host, &held), "{file}: {payload}");
            }
        }
        assert!(infected > 0, "{file}");
    }
}
