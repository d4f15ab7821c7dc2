use super::*;

const TIMEOUT: u64 = 120_000;

fn process(pid: u32) -> Process {
    Process { pid, start: u64::from(pid) }
}

fn wanted(key: u8) -> Wanted {
    Wanted {
        key: [key; 32],
        coverage: Coverage { commands: vec![[key; 32]], reached: vec![[key; 32]] },
        exact: vec![[key + 100; 32]],
        about: About { command: format!("command {key}"), ..About::default() },
        timeout: TIMEOUT,
        fallback: false,
    }
}

/// Approvals, with ids in order.
struct Desk {
    approvals: Approvals,
    ids: u32,
}

impl Desk {
    fn new() -> Self {
        Self { approvals: Approvals::default(), ids: 0 }
    }

    fn ask(&mut self, key: u8, pid: u32, now: u64) -> Outcome {
        self.ids += 1;
        let id = format!("01JDBF7Z0000000000{:08X}", self.ids);
        self.approvals.ask(wanted(key), process(pid), u64::from(pid), (id, now))
    }

    fn only(&self) -> String {
        let ids: Vec<_> = self.approvals.pending().map(|one| one.id.clone()).collect();
        assert_eq!(ids.len(), 1);
        ids[0].clone()
    }

    /// As a restart finds it.
    fn restored(&self) -> Self {
        let kept: Vec<String> =
            self.approvals.all().map(|one| serde_json::to_string(one).unwrap()).collect();
        let kept = kept.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { approvals: Approvals::restored(kept, true), ids: self.ids }
    }
}

fn granted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Granted(_))
}

#[test]
fn the_same_call_is_asked_for_once_and_answered_for_all() {
    let mut desk = Desk::new();
    for pid in 1..=8 {
        assert_eq!(desk.ask(1, pid, 0), Outcome::Parked);
    }
    assert_eq!(desk.ask(2, 9, 0), Outcome::Parked);
    assert_eq!(desk.approvals.pending().count(), 2);
    let id = desk.approvals.pending().next().unwrap().id.clone();
    let (_, replies) = desk.approvals.resolve(&id, Some(Scope::Once), "me", 5).unwrap();
    let tokens: Vec<u64> = replies.iter().map(|(token, _)| *token).collect();
    assert_eq!(tokens, (1..=8).collect::<Vec<_>>());
    assert!(replies.iter().all(|(_, outcome)| granted(outcome)));
    // Used up: the ninth asks anew.
    assert_eq!(desk.ask(1, 20, 6), Outcome::Parked);
}

#[test]
fn how_far_a_yes_goes() {
    let cases = [
        (Some(Scope::Once), 10, false),
        (Some(Scope::Until(1000)), 999, true),
        (Some(Scope::Until(1000)), 1000, false),
        (Some(Scope::Always), u64::MAX / 2, true),
    ];
    for (scope, later, holds) in cases {
        let mut desk = Desk::new();
        desk.ask(1, 1, 0);
        let id = desk.only();
        desk.approvals.resolve(&id, scope, "me", 1).unwrap();
        assert_eq!(granted(&desk.ask(1, 2, later)), holds, "{scope:?} at {later}");
        assert_eq!(granted(&desk.restored().ask(1, 3, later)), holds, "{scope:?} restored");
    }
}

#[test]
fn a_yes_that_came_too_late_is_used_once() {
    let mut desk = Desk::new();
    desk.ask(1, 1, 0);
    desk.approvals.leave(1);
    let id = desk.only();
    let (_, replies) = desk.approvals.resolve(&id, Some(Scope::Once), "me", 1).unwrap();
    assert_eq!(replies, []);
    // A restart in between changes nothing, and neither doubles it.
    let mut desk = desk.restored();
    assert!(granted(&desk.ask(1, 2, TIMEOUT - 1)));
    let mut desk = desk.restored();
    assert_eq!(desk.ask(1, 3, TIMEOUT - 1), Outcome::Parked);

    let mut late = Desk::new();
    late.ask(1, 1, 0);
    late.approvals.leave(1);
    let id = late.only();
    late.approvals.resolve(&id, Some(Scope::Once), "me", 1).unwrap();
    assert_eq!(late.ask(1, 2, TIMEOUT + LINGER), Outcome::Parked);
}

#[test]
fn the_same_process_may_ask_again_but_not_for_ever() {
    let mut desk = Desk::new();
    desk.ask(1, 1, 0);
    let id = desk.only();
    desk.approvals.resolve(&id, Some(Scope::Once), "me", 1).unwrap();
    let mut desk = desk.restored();
    let answers: Vec<bool> = (0..10).map(|_| granted(&desk.ask(1, 1, 2))).collect();
    assert_eq!(answers.iter().filter(|granted| **granted).count(), USES as usize - 1);
    assert!(!answers[9]);
}

#[test]
fn a_no_holds_for_a_while() {
    let mut desk = Desk::new();
    desk.ask(1, 1, 0);
    let id = desk.only();
    let (_, replies) = desk.approvals.resolve(&id, None, "me", 1).unwrap();
    assert_eq!(replies, [(1, Outcome::Denied(id.clone()))]);
    assert_eq!(desk.ask(1, 2, LINGER), Outcome::Denied(id));
    assert_eq!(desk.ask(1, 2, LINGER + 1), Outcome::Parked);
}

#[test]
fn time_runs_out() {
    let mut desk = Desk::new();
    desk.ask(1, 1, 0);
    assert_eq!(desk.approvals.next_expiry(), Some(TIMEOUT));
    desk.ask(1, 2, 100);
    assert_eq!(desk.approvals.next_expiry(), Some(TIMEOUT + 100), "for the last who asked");
    assert_eq!(desk.approvals.expire(TIMEOUT), []);
    let id = desk.only();
    let replies = desk.approvals.expire(TIMEOUT + 100);
    assert_eq!(replies, [1, 2].map(|token| (token, Outcome::Denied(id.clone()))));
    let late = desk.approvals.resolve(&id, Some(Scope::Once), "me", TIMEOUT + 101);
    assert_eq!(late, Err(Unresolved::Over(State::Expired)));
    assert_eq!(desk.ask(1, 3, TIMEOUT + 102), Outcome::Parked, "no answer is no answer");
}

#[test]
fn ids_are_found_by_their_end() {
    let mut desk = Desk::new();
    desk.ask(1, 1, 0);
    let id = desk.only();
    assert_eq!(
        desk.approvals.get(&id.trim_start_matches("01JDBF7Z").to_lowercase()).unwrap().id,
        id
    );
    let unresolved =
        |desk: &mut Desk, id: &str| desk.approvals.resolve(id, None, "", 0).unwrap_err();
    for wrong in ["", "1", "FFFF", "X"] {
        assert_eq!(unresolved(&mut desk, wrong), Unresolved::Unknown, "{wrong}");
    }
    desk.ids += 0xffff;
    desk.ask(2, 2, 0);
    assert_eq!(unresolved(&mut desk, "0001"), Unresolved::Ambiguous);
}

#[test]
fn only_so_many_wait() {
    let mut desk = Desk::new();
    for pid in 0..MOST_PENDING {
        let mut wanted = wanted(0);
        wanted.key[..8].copy_from_slice(&pid.to_le_bytes());
        let outcome = desk.approvals.ask(wanted, process(1), 1, (format!("{pid:026}"), 0));
        assert_eq!(outcome, Outcome::Parked);
    }
    assert_eq!(desk.ask(1, 1, 0), Outcome::Full);
}

#[test]
fn who_went_ahead_is_covered_with_all_its_children() {
    let own = Process::of(std::process::id()).unwrap();
    let parent = Process::of(std::os::unix::process::parent_id()).unwrap();
    let stranger = Process { pid: 1, start: 0 };
    for (asker, command, call) in
        [(own, true, true), (parent, true, false), (stranger, false, false)]
    {
        let mut approvals = Approvals::default();
        approvals.ask(wanted(1), asker, 1, ("01JDBF7Z000000000000000001".to_owned(), 0));
        let coverage = |key: u8| Coverage { commands: vec![[key; 32]], reached: Vec::new() };
        let covered = |approvals: &Approvals, key, exact| {
            approvals.covering(own, &coverage(key), &[exact; 32]).is_some()
        };
        assert!(!covered(&approvals, 1, 101), "not yet answered");
        approvals.resolve("0001", Some(Scope::Once), "me", 1).unwrap();
        assert_eq!(covered(&approvals, 1, 0), command, "{asker:?}");
        assert_eq!(covered(&approvals, 9, 101), call, "{asker:?}");
        assert!(!covered(&approvals, 9, 0));
    }
}

#[test]
fn what_changed_is_said_once() {
    let mut desk = Desk::new();
    desk.ask(1, 1, 0);
    assert_eq!(desk.approvals.changes().len(), 1);
    assert_eq!(desk.approvals.changes().len(), 0);
    desk.approvals.resolve("0001", Some(Scope::Once), "me", 1).unwrap();
    let changes = desk.approvals.changes();
    assert_eq!((changes.len(), changes[0].state), (1, State::Approved));
    let day = KEPT + LINGER + 10;
    desk.approvals.forget(day);
    assert_eq!(desk.approvals.all().count(), 0);
}

#[test]
fn who_goes_ahead_without_an_answer_is_covered() {
    let mut desk = Desk::new();
    let mut ask = |key, pid, fallback| {
        let wanted = Wanted { fallback, ..wanted(key) };
        let id = (format!("01JDBF7Z00000000000000{pid:04}"), 0);
        desk.approvals.ask(wanted, process(pid), u64::from(pid), id)
    };
    assert_eq!((ask(1, 1, true), ask(1, 2, false)), (Outcome::Parked, Outcome::Parked));
    let replies = desk.approvals.expire(TIMEOUT);
    let granted: Vec<(u64, bool)> =
        replies.iter().map(|(token, outcome)| (*token, granted(outcome))).collect();
    assert_eq!(granted, [(1, true), (2, false)]);
    assert_eq!(desk.approvals.all().next().map(|approval| approval.used.len()), Some(1));
    // The same process may ask again, another may not.
    let again = |desk: &mut Desk, pid| desk.ask(1, pid, TIMEOUT + 1);
    assert!(matches!(again(&mut desk, 1), Outcome::Granted(_)));
    assert_eq!(again(&mut desk, 2), Outcome::Parked);
}
