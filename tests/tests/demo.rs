//! The main job, as `make run` shows it: a small Python program that stands for an agent does
//! ordinary work, then tries dangerous things by `subprocess`, `os.system`, `os.posix_spawn`,
//! `bash -c`, an emptied environment, a pipe into a shell, a database client, and Python started
//! by bash started by Python. The script fails unless all of the first ran and none of the second.

use std::path::Path;
use std::process::Command;

#[test]
fn the_demo_denies_all_that_is_dangerous_and_nothing_else() {
    let (library, binary) = (tests::library(), tests::rampart());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/run.sh");
    let output = Command::new(script).arg(&binary).arg(&library).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    let (_, after) = shown.split_once("only the harmless call):\n").unwrap();
    let (stubs, _) = after.split_once("\n\n").unwrap();
    assert_eq!(stubs, "  rm -rf project/build", "what the stubs of dangerous programs saw");
}
