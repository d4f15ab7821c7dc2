use super::*;

#[test]
fn a_clock_that_went_back_is_noted() {
    let root = tempfile::tempdir().unwrap();
    let note = |time: &str| format!("{{\"note\":\"merge\",\"time\":\"{time}\"}}");
    for (times, notes) in [
        (["2026-11-23T07:59:59.0Z", "2026-11-23T08:00:00.0Z"], 0),
        (["2026-11-23T07:59:59.0Z", "2026-11-23T07:00:00.0Z"], 0),
        (["2026-11-23T07:59:59.0Z", "2026-11-22T07:59:59.0Z"], 1),
    ] {
        let (mut out, mut tip) = (Vec::new(), Tip::START);
        for time in times {
            tip = entry::write(note(time).as_bytes(), tip, &mut out).unwrap();
        }
        std::fs::write(root.path().join("chain-000001.jsonl"), out).unwrap();
        let report = verify(root.path(), &Against::default()).unwrap();
        assert_eq!((report.problem_count, report.notes.len()), (0, notes), "{times:?}");
    }
}

#[test]
fn files_that_changed_places_are_found() {
    use crate::audit::chain::Chain;
    let root = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(root.path()).unwrap();
    for number in 0..600 {
        let event = format!("{{\"id\":\"E{number:05}\",\"outcome\":\"allowed\"}}");
        chain.append(event.as_bytes()).unwrap();
    }
    chain.commit().unwrap();
    drop(chain);
    let files = chain::files(root.path()).unwrap();
    let problems = || verify(root.path(), &Against::default()).unwrap().problem_count;
    assert_eq!(problems(), 0);
    let mut swapped = 0;
    for pair in files.windows(2) {
        let [(_, one), (_, other)] = pair else { continue };
        if one.extension() != other.extension() {
            continue;
        }
        swapped += 1;
        let swap = || {
            let aside = root.path().join("aside");
            std::fs::rename(one, &aside).unwrap();
            std::fs::rename(other, one).unwrap();
            std::fs::rename(&aside, other).unwrap();
        };
        swap();
        assert!(problems() > 0, "{} and {}", one.display(), other.display());
        swap();
    }
    // Compressed ones, and the last two.
    assert!(swapped >= 2, "{files:?}");
    assert_eq!(problems(), 0);
}
