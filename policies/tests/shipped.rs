//! The original's tests of its own shipped policies, against ours of the same names. They lie beside
//! the checkout, never in it; where they do not, there is nothing to compare.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use evaluator::image::format::Section;
use evaluator::request::NoParams;
use evaluator::world::NoWorld;
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::OwnedScratch;
use serde_json::Value;
use std::path::Path;

const ENV: &[(&[u8], &[u8])] = &[(b"HOME", b"/home/user")];

/// Rows on which we differ on purpose, by their command, path or address: none. Each would be
/// explained in docs/profiles.md.
const INTENDED: &[&str] = &[];

fn answer(profile: &str, row: &Value) -> Action {
    let text = |name: &str| row[name].as_str();
    let image = Image::open(policies::profile(profile).unwrap()).unwrap();
    let request = Request {
        tool: text("tool").unwrap_or("exec").as_bytes(),
        call: text("command").map_or(Call::Nothing, |command| Call::Shell(command.as_bytes())),
        cwd: Cwd::Known(b"/work/project"),
        env: &ENV,
        target: Target::default(),
        caller: Caller::default(),
        path: text("path").map(str::as_bytes),
        url: text("url").map(str::as_bytes),
        params: &NoParams,
    };
    let mut scratch = OwnedScratch::for_request(&request, image.count(Section::Rules) as usize);
    let mut scratch = scratch.borrow();
    decide(&[image], &request, &NoWorld, &mut scratch).action
}

fn agrees(expected: &str, action: Action) -> bool {
    match expected {
        "!deny" => action != Action::Deny,
        "deny" => action == Action::Deny,
        "ask" => action == Action::Ask,
        "watch" => action == Action::Watch,
        "allow" => action.permits(),
        other => panic!("what is `{other}`?"),
    }
}

#[test]
fn the_originals_tests_of_these_profiles_agree() {
    let corpus =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/rampart_shipped.jsonl");
    let Ok(text) = std::fs::read_to_string(corpus) else {
        return;
    };
    let (mut all, mut differ) = (0, Vec::new());
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let profile = row["profile"].as_str().unwrap_or_default();
        let ours = ["standard", "ci", "mcp-server"].contains(&profile);
        if !ours || row["asserted"] != "go-test" {
            continue;
        }
        all += 1;
        let action = answer(profile, &row);
        let expected = row["expect"].as_str().unwrap();
        if !agrees(expected, action) {
            let what = ["command", "path", "url", "tool"].map(|name| row[name].as_str());
            let what = what.into_iter().flatten().next().unwrap().to_owned();
            assert!(
                INTENDED.contains(&what.as_str()),
                "{profile}: {what}: {expected}, not {action:?}"
            );
            differ.push(what);
        }
    }
    assert!(all > 90, "{all} rows");
    assert!(differ.len() * 50 <= all, "{} of {all} differ: {differ:?}", differ.len());
}
