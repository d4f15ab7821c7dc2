//! Every line once, whatever is killed when: a crash is an abandoned state of the files.

use super::*;
use crate::audit::chain;
use crate::audit::verify::{Against, verify};
use std::collections::BTreeMap;
use std::io::Write as _;

fn event(number: u32) -> String {
    format!("{{\"v\":1,\"id\":\"E{number:05}\",\"outcome\":\"allowed\"}}\n")
}

fn append(path: &Path, text: impl AsRef<[u8]>) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_ref()).unwrap();
}

/// The ids in the chain in order, notes and foreign lines by their kind.
fn told(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for (_, path) in chain::files(directory).unwrap() {
        let text = std::io::read_to_string(crate::audit::archive::open(&path).unwrap()).unwrap();
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            let name = value.get("id").or_else(|| value.get("note"));
            all.push(name.unwrap().as_str().unwrap().to_owned());
        }
    }
    all.retain(|name| !matches!(name.as_str(), "file" | "merge" | "torn"));
    all
}

fn ids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("E{number:05}")).collect()
}

fn left(directory: &Path) -> usize {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("spool-")).count()
}

fn is_intact(directory: &Path) {
    let report = verify(directory, &Against::default()).unwrap();
    assert_eq!(report.problem_count, 0, "{report:?}");
}

#[test]
fn lines_move_from_spools_to_the_chain() {
    let root = tempfile::tempdir().unwrap();
    let (main, other) = (root.path().join("main"), root.path().join("other"));
    fs::create_dir(&other).unwrap();
    let places = [main.clone(), other.clone()];
    assert_eq!(merge(&places).unwrap(), 0);
    assert!(!main.exists(), "nothing is made for nothing");
    append(&other.join("spool-7.jsonl"), event(0) + &event(1));
    assert_eq!(merge(&places).unwrap(), 2);
    append(&main.join("spool-0.jsonl"), event(2));
    append(&main.join("spool-0.jsonl"), "\n");
    append(&main.join("spool-0.jsonl"), event(3));
    assert_eq!(merge(&places).unwrap(), 2);
    assert_eq!(told(&main), ids(0..4));
    assert_eq!((left(&main), left(&other)), (0, 0));
    is_intact(&main);
}

#[test]
fn what_is_no_event_is_kept_apart() {
    let root = tempfile::tempdir().unwrap();
    let spool = root.path().join("spool-0.jsonl");
    for line in [
        "{\"note\":\"seal\",\"epoch\":9,\"id\":\"x\",\"outcome\":\"allowed\"}",
        "{\"id\":\"x\",\"outcome\":\"allowed\",\"hash\":\"00\"}",
        "{\"id\":\"x\",\"outcome\":\"allowed\",\"note\":1}",
        "{\"id\":\"to",
        "\u{7f}\u{1b}[31m",
    ] {
        append(&spool, format!("{line}\n"));
    }
    append(&spool, b"\xff\xfe\n");
    append(&spool, event(0));
    append(&spool, "torn, without an end");
    assert_eq!(merge(&[root.path().to_owned()]).unwrap(), 8);
    let mut expected = vec!["foreign".to_owned(); 6];
    expected.extend(["E00000".to_owned(), "foreign".to_owned()]);
    assert_eq!(told(root.path()), expected);
    is_intact(root.path());
}

#[test]
fn a_writer_that_is_late_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let spool = root.path().join("spool-0.jsonl");
    append(&spool, event(0));
    let mut late = fs::OpenOptions::new().append(true).open(&spool).unwrap();
    let places = [root.path().to_owned()];
    assert_eq!(merge(&places).unwrap(), 1);
    assert_eq!(left(root.path()), 1, "somebody has it open");
    append(&spool, event(2));
    late.write_all(event(1).as_bytes()).unwrap();
    late.write_all(b"{\"half").unwrap();
    assert_eq!(merge(&places).unwrap(), 2);
    late.write_all(b"\":1}\n").unwrap();
    drop(late);
    assert_eq!(merge(&places).unwrap(), 1);
    assert_eq!(told(root.path()), ["E00000", "E00001", "E00002", "foreign"]);
    assert_eq!(left(root.path()), 0);
}

/// The files of a directory.
fn snapshot(directory: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_crash_at_any_byte_neither_loses_nor_doubles() {
    let root = tempfile::tempdir().unwrap();
    let places = |path: &Path| [path.to_owned()];
    let whole = root.path().join("whole");
    fs::create_dir(&whole).unwrap();
    append(&whole.join("spool-0.jsonl"), event(0));
    merge(&places(&whole)).unwrap();
    let before = fs::read(whole.join("chain-000001.jsonl")).unwrap();
    append(&whole.join("spool-0.jsonl"), (1..4).map(event).collect::<String>());
    merge(&places(&whole)).unwrap();
    let after = fs::read(whole.join("chain-000001.jsonl")).unwrap();
    let name = after[before.len()..].split(|byte| *byte == b'\n').next().unwrap();
    let note: Value = serde_json::from_slice(name).unwrap();
    let source = note["source"].as_str().unwrap();
    // The chain as it was after each byte of the second merge, the spool renamed and still there.
    for cut in (before.len()..=after.len()).step_by(7).chain([after.len()]) {
        let trial = root.path().join(format!("cut-{cut}"));
        fs::create_dir(&trial).unwrap();
        fs::write(trial.join("chain-000001.jsonl"), &after[..cut]).unwrap();
        append(&trial.join(format!("{source}.0.merging")), (1..4).map(event).collect::<String>());
        append(&trial.join("spool-0.jsonl"), event(4));
        merge(&places(&trial)).unwrap();
        assert_eq!(told(&trial), ids(0..5), "cut at {cut}");
        assert_eq!(left(&trial), 0, "cut at {cut}");
        is_intact(&trial);
        // And once more changes nothing.
        let files = snapshot(&trial);
        assert_eq!(merge(&places(&trial)).unwrap(), 0);
        assert!(snapshot(&trial) == files);
    }
}

#[test]
fn many_mergers_at_once() {
    let root = tempfile::tempdir().unwrap();
    let spool = root.path().join("spool-0.jsonl");
    let writers = (0..4).map(|writer| {
        let spool = spool.clone();
        std::thread::spawn(move || {
            for number in 0..200 {
                append(&spool, event(writer * 1000 + number));
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mergers: Vec<_> = (0..3)
        .map(|_| {
            let places = [root.path().to_owned()];
            std::thread::spawn(move || {
                for _ in 0..40 {
                    merge(&places).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().chain(mergers).for_each(|thread| thread.join().unwrap());
    merge(&[root.path().to_owned()]).unwrap();
    let mut found = told(root.path());
    found.sort();
    let expected: Vec<String> =
        (0..4_u32).flat_map(|writer| ids(writer * 1000..writer * 1000 + 200)).collect();
    assert_eq!(found, expected);
    is_intact(root.path());
}

#[test]
fn the_chain_goes_on_across_files() {
    let root = tempfile::tempdir().unwrap();
    append(&root.path().join("spool-0.jsonl"), (0..800).map(event).collect::<String>());
    assert_eq!(merge(&[root.path().to_owned()]).unwrap(), 800);
    let files = chain::files(root.path()).unwrap();
    assert!(files.len() > 4, "{}", files.len());
    assert_eq!(told(root.path()), ids(0..800));
    is_intact(root.path());
    let is_plain = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "jsonl");
    let plain: Vec<bool> = files.iter().map(|(_, path)| is_plain(path)).collect();
    assert!(plain.iter().rev().take(2).all(|plain| *plain), "{plain:?}");
    assert!(
        plain.iter().rev().skip(2).all(|plain| !*plain),
        "the old ones are compressed: {plain:?}"
    );
    let numbers = |report: &crate::audit::verify::Report| report.problem_count;
    for (index, (_, path)) in files.iter().enumerate().take(files.len() - 1) {
        let kept = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        let report = verify(root.path(), &Against::default()).unwrap();
        assert!(numbers(&report) > 0, "file {index} removed");
        fs::write(path, kept).unwrap();
    }
    is_intact(root.path());
    // Files that changed places.
    let (one, two) = (&files[1].1, &files[2].1);
    let kept = (fs::read(one).unwrap(), fs::read(two).unwrap());
    fs::write(one, kept.1).unwrap();
    fs::write(two, kept.0).unwrap();
    assert!(numbers(&verify(root.path(), &Against::default()).unwrap()) > 0);
}
