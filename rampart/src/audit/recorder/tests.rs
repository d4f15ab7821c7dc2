use super::*;
use crate::audit::verify::{Against, verify};

fn wait(recorder: &Recorder, count: usize) -> Vec<(u64, Outcome)> {
    let mut all = Vec::new();
    let started = Instant::now();
    while all.len() < count && started.elapsed() < Duration::from_secs(60) {
        all.extend(recorder.done());
        std::thread::sleep(Duration::from_millis(1));
    }
    all.sort_by_key(|(token, _)| *token);
    all
}

#[test]
fn everybody_is_told_what_came_of_it() {
    let root = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(vec![root.path().to_owned()]).unwrap();
    let event = |id: &str| format!("{{\"id\":\"{id}\",\"outcome\":\"allowed\"}}").into_bytes();
    recorder.record(1, 7, vec![event("a"), event("b")]).unwrap();
    recorder.record(2, 7, vec![b"{\"note\":\"seal\"}".to_vec()]).unwrap();
    let lines = b"{\"id\":\"d\",\n\"outcome\":\"allowed\"}".to_vec();
    recorder.record(5, 8, vec![event("e"), lines]).unwrap();
    recorder.record(3, 8, vec![event("c")]).unwrap();
    assert!(recorder.record(4, 7, vec![]).is_err());
    assert!(recorder.record(4, 7, vec![vec![b' '; LARGE + 1]]).is_err());
    let told = wait(&recorder, 4);
    assert!(matches!(told[..], [(1, Ok(_)), (2, Err(_)), (3, Ok(_)), (5, Err(_))]), "{told:?}");
    drop(recorder);
    let report = verify(root.path(), &Against::default()).unwrap();
    // The head, two or more notes, three events.
    assert!(report.problem_count == 0 && report.entries >= 6, "{report:?}");
}
