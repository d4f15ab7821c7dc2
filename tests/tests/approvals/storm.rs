//! The daemon killed (SIGKILL) at random moments, again and again, while agents run commands and a
//! person answers. Nothing may be lost or happen twice: no answer, no event, no program.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tests::{Evaluator, Guard, Ran, rampart, run};

use crate::{guard, id};

/// How often it is killed, unless `RAMPART_TEST_KILLS` says otherwise.
const KILLS: u64 = 20;

/// How many agents run commands.
const AGENTS: u64 = 3;

/// A number in `0..below` that nobody foresees (xorshift).
fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

/// What a person said about a command, and whether it was confirmed.
type Said = (String, &'static str, bool);

/// Runs commands until `is_over`; gives what each did.
fn agent(guard: &Guard, number: u64, is_over: &AtomicBool) -> Vec<(String, Ran)> {
    let mut all = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let mark = format!("mark-{number}-{}", all.len());
        let text = format!("careful {mark}; echo $?; forbidden {mark}; echo $?; true; echo $?");
        all.push((mark, run(&mut guard.command("/bin/sh"), &text)));
    }
    all
}

/// Answers whatever is pending until `is_over`: yes and no in turns.
fn person(guard: &Guard, is_over: &AtomicBool) -> Vec<Said> {
    let say = |words: &[&str]| run(guard.bare(rampart()).args(words), "");
    let mut all: Vec<Said> = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let list = say(&["pending", "--json"]).stdout;
        let pending: Vec<Value> = serde_json::from_str(&list).unwrap_or_default();
        for approval in &pending {
            let command = approval["command"].as_str().unwrap();
            let mark = command.rsplit(' ').next().unwrap().to_owned();
            // The same answer, however often it is asked for.
            let is_yes = mark.bytes().map(usize::from).sum::<usize>() % 2 == 0;
            let verb = if is_yes { "approve" } else { "deny" };
            let confirmed = say(&[verb, &id(approval)]).status == 0;
            all.push((mark, verb, confirmed));
        }
    }
    all
}

#[test]
fn killed_at_any_moment() {
    let kills = std::env::var("RAMPART_TEST_KILLS").ok().and_then(|text| text.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let guard = guard("");
    let mut evaluator = Evaluator::start(&guard);
    let is_over = AtomicBool::new(false);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let seed = now as u64 | 1;
    println!("seed {seed}");
    let (ran, said) = thread::scope(|scope| {
        let (guard, is_over) = (&guard, &is_over);
        let agents: Vec<_> =
            (0..AGENTS).map(|number| scope.spawn(move || agent(guard, number, is_over))).collect();
        let answering = AtomicBool::new(false);
        let answering = &*Box::leak(Box::new(answering));
        let person = scope.spawn(move || person(guard, answering));
        let mut state = seed;
        for _ in 0..kills {
            thread::sleep(Duration::from_micros(random(&mut state, 300_000)));
            evaluator.kill();
            thread::sleep(Duration::from_micros(random(&mut state, 20_000)));
            evaluator.start_again();
        }
        evaluator.restart();
        is_over.store(true, Ordering::Relaxed);
        let ran: Vec<_> = agents.into_iter().flat_map(|agent| agent.join().unwrap()).collect();
        answering.store(true, Ordering::Relaxed);
        (ran, person.join().unwrap())
    });
    println!("{} commands, {} answers, {kills} kills", ran.len(), said.len());
    assert!(ran.len() as u64 > AGENTS, "{ran:?}");
    check(&guard, &ran, &said);
    journal_is_sound(&guard);
    // Every yes is used up.
    let did_run = |mark: &String| guard.path(mark).exists();
    for (mark, _) in ran.iter().rev().filter(|(mark, _)| did_run(mark)).take(5) {
        let mut again: Command = guard.command("/bin/sh");
        again.env("RAMPART_ASK_TIMEOUT", "1");
        let again = run(&mut again, &format!("careful {mark}; echo $?"));
        assert_eq!(again.stdout, "126\n", "{mark}: {again:?}");
    }
}

/// What ran, what was said and what was recorded are the same story.
fn check(guard: &Guard, ran: &[(String, Ran)], said: &[Said]) {
    let mut events: HashMap<(String, String), Vec<(String, String)>> = HashMap::new();
    for event in guard.events() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = (text(&event["argv"][0]), text(&event["argv"][1]));
        let word = text(&event["answered_by"]);
        let word = word.split(' ').next().unwrap_or_default().to_owned();
        events.entry(key).or_default().push((text(&event["outcome"]), word));
    }
    let (mut yes, mut unanswered) = (0, 0);
    for (mark, ran) in ran {
        let of = |program: &str| {
            events.get(&(program.to_owned(), mark.clone())).cloned().unwrap_or_default()
        };
        let content = fs::read_to_string(guard.path(mark)).ok();
        let did_run = content.is_some();
        assert!(content.is_none_or(|text| text == format!("{mark}\n")), "{mark} ran twice");
        let first = if did_run { "ran\n7\n" } else { "126\n" };
        assert_eq!(ran.stdout, format!("{first}126\n0\n"), "{mark}: {ran:?}");
        let [(outcome, by)] = of("careful").try_into().expect("one event");
        assert_eq!(outcome, if did_run { "allowed" } else { "denied" }, "{mark}: {ran:?}");
        assert_eq!(of("forbidden").len(), 1, "{mark}");
        let words: Vec<&Said> = said.iter().filter(|(about, ..)| about == mark).collect();
        let is_yes = words.iter().any(|(_, verb, _)| *verb == "approve");
        let confirmed = words.iter().any(|(.., confirmed)| *confirmed);
        // Who went ahead was let go; who was refused by a person was refused; and who gave up
        // waiting for a daemon says so.
        assert!(!did_run || is_yes, "{mark} ran and nobody had agreed: {words:?}");
        match by.as_str() {
            "approver" => assert_eq!(did_run, is_yes, "{mark}: {words:?}"),
            "on_no_approver" | "expired" => unanswered += 1,
            other => panic!("{mark}: answered by {other:?}"),
        }
        assert!(!confirmed || by == "approver" || !did_run, "{mark}: {words:?}");
        yes += usize::from(did_run);
    }
    println!("{yes} approved, {unanswered} found no daemon in time");
}

/// One answer an approval, and one process for each yes.
fn journal_is_sound(guard: &Guard) {
    let directory = guard.path("home/.local/state/rampart/evaluator");
    let journal = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let journal = journal.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let [path] = journal.collect::<Vec<_>>().try_into().expect("one journal");
    let mut approved: HashMap<String, u64> = HashMap::new();
    let mut answers: HashMap<String, String> = HashMap::new();
    for line in fs::read_to_string(path).unwrap().lines().skip(1) {
        let Ok(approval) = serde_json::from_str::<Value>(line) else { continue };
        let (id, state) = (id(&approval), approval["state"].as_str().unwrap().to_owned());
        assert!(approval["used"].as_array().unwrap().len() <= 1, "{approval}");
        if state == "pending" {
            assert!(!answers.contains_key(&id), "it was answered before: {approval}");
        } else {
            let before = answers.insert(id.clone(), state.clone());
            assert!(before.is_none_or(|before| before == state), "{approval}");
        }
        if state == "approved" {
            let command = approval["about"]["command"].as_str().unwrap();
            *approved.entry(format!("{command} {id}")).or_default() = 1;
        }
    }
    let mut of_command: HashMap<&str, u64> = HashMap::new();
    for key in approved.keys() {
        *of_command.entry(key.rsplit_once(' ').unwrap().0).or_default() += 1;
    }
    assert!(of_command.values().all(|count| *count == 1), "approved twice: {of_command:?}");
}
