//! Requests that schemathesis makes from the API's own document: valid and invalid ones of every kind. No answer
//! may be an error of the server's, or one that the document does not name.

use std::path::PathBuf;
use std::process::Command;

use tests::run;

use crate::Service;

/// As `.ci/install.sh` puts it.
fn schemathesis() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned(),
        PathBuf::from,
    );
    Some(target.join("python/bin/schemathesis")).filter(|path| path.exists())
}

#[test]
fn every_answer_is_one_that_the_document_names() {
    let Some(program) = schemathesis() else {
        return println!("skipped: schemathesis is not installed (.ci/install.sh)");
    };
    let service = Service::start(&[]);
    let mut command = Command::new(program);
    command
        .current_dir(service.guard.dir())
        .env("HOME", service.guard.path("home"))
        .args(["run", &format!("http://127.0.0.1:{}/openapi.json", service.port)])
        .args(["--header", &format!("Authorization: Bearer {}", service.admin)])
        // A valid request may be refused for what no schema can say: two spellings that differ.
        .args(["--exclude-checks", "positive_data_acceptance"])
        // It does not end by itself; `history.rs` reads it.
        .args(["--exclude-path", "/v1/events/stream"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "1"])
        .args(["--generation-database", "none", "--no-color"]);
    let ran = run(&mut command, "");
    assert_eq!(ran.status, 0, "{}\n{}", ran.stdout, ran.stderr);
    // Every route but the document's own and that one.
    for part in ["Tested: 17\n", "No issues found"] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
}
