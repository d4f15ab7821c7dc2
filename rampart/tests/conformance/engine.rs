//! Policies and calls with the verdict that the original gives.

use crate::support::{File, Place};
use serde_json::{Map, Value};

/// What is wrong with our answer to `row`, if anything.
pub fn judge(row: &Value) -> Result<(), String> {
    let expected = row["expect"].as_str().unwrap();
    let got = answer(row);
    let action = got["action"].as_str().unwrap_or("no answer");
    let fits = match expected {
        "bad_request" => got["reason"] == "ambiguous-input",
        _ => match expected.strip_prefix('!') {
            Some(other) => action != other,
            None => expected.split('|').any(|one| one == action),
        },
    };
    if !fits {
        return Err(format!("expected {expected}, got {got}"));
    }
    let message = got["message"].as_str().unwrap_or_default();
    if let Some(exact) = row["message"].as_str()
        && exact != message
    {
        return Err(format!("expected the message {exact:?}, got {message:?}"));
    }
    let policy = got["policy"].as_str().unwrap_or_default();
    if let Some(policies) = row["matched_policies"].as_array()
        && !policies.iter().any(|name| name == policy)
    {
        return Err(format!("expected one of {policies:?} to answer, not {policy:?}"));
    }
    Ok(())
}

fn answer(row: &Value) -> Value {
    let place = Place::new();
    let single = row["policy_yaml"].as_str();
    let listed = row["policy_files"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |file: &'_ Value, key: &str| file[key].as_str().unwrap_or_default().to_owned();
    let named: Vec<_> = listed
        .iter()
        .map(|file| (text(file, "name"), text(file, "yaml"), file["layer"] == "project"))
        .collect();
    let mut files: Vec<File<'_>> =
        named.iter().map(|(name, text, project)| File { name, text, project: *project }).collect();
    files.extend(single.map(|text| File { name: "policy.yaml", text, project: false }));
    let of = |action: &str| Value::from(Map::from_iter([("action".into(), action.into())]));
    let images = match place.compile(&files) {
        Ok(images) => images,
        Err(_) => return of("load_error"),
    };
    if matches!(row["expect"].as_str(), Some("load_ok" | "load_error")) {
        return of("load_ok");
    }
    let mut call = Map::new();
    for key in ["tool", "params", "input", "agent", "session", "url", "agent_depth", "response"] {
        call.extend(row.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    call.extend(row.get("workdir").map(|value| ("cwd".to_owned(), value.clone())));
    place.check(&images, &call.into())
}
