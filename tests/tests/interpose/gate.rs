//! The gate on the built library (`.ci/symbols.sh`) finds what it is there to find.

use std::path::Path;

use tests::{Guard, LibC, library, probe, run};

#[test]
fn the_gate_passes_our_library_and_refuses_others() {
    let guard = Guard::new("");
    let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/symbols.sh");
    let ours = run(guard.bare(&gate).arg(library()), "");
    assert_eq!(ours.status, 0, "{ours:?}");
    let program = guard.path("program");
    assert!(probe("mark", LibC::Glibc, &program));
    let other = run(guard.bare(&gate).arg(&program), "");
    assert_eq!(other.status, 1, "{other:?}");
    for complaint in ["version tables", "an interpreter", "must export exactly", "start files"] {
        assert!(other.stderr.contains(complaint), "{complaint}: {other:?}");
    }
    let missing = run(guard.bare(&gate).arg("/nonexistent/librampart.so"), "");
    assert_eq!(missing.status, 2);
    assert!(missing.stderr.contains("make build"), "{missing:?}");
}
