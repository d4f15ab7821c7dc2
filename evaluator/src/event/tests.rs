//! What an event says, and how it stays a line whatever it is about.

use super::*;
use crate::command::Tree;
use crate::request::{Argv, Caller, NoEnv, NoParams, Target};
use crate::verdict::Reason;
use std::string::String;
use std::vec::Vec;

#[test]
fn ulids_sort_by_time() {
    assert_eq!(&ulid(0, [0; 10]), b"00000000000000000000000000");
    assert_eq!(&ulid(u64::MAX, [0xff; 10]), b"7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    assert!(ulid(2, [0; 10]) > ulid(1, [0xff; 10]));
}

fn line(argv: &[&[u8]], room: usize) -> String {
    let argv = &argv as &dyn Argv;
    let request = Request {
        tool: b"exec",
        call: Call::Exec { file: b"/bin/x", argv },
        cwd: Cwd::Known(b"/w"),
        env: &NoEnv,
        target: Target { kinds: TargetKinds::STATIC, ..Target::default() },
        caller: Caller { agent: b"a", ..Caller::default() },
        path: None,
        url: None,
        params: &NoParams,
    };
    let tree = Tree {
        text: &[],
        words: &[],
        commands: &[],
        redirects: &[],
        outcome: Default::default(),
        is_cut: false,
        work: 0,
    };
    let verdict = Verdict {
        action: Action::Deny,
        reason: Reason::Rule,
        policy: b"p",
        rule: b"r",
        message: b"m",
        command: 0,
        matched: &[],
        tree,
        on_no_approver: None,
        taint: 0,
        unsure: false,
    };
    let event = Event {
        id: *b"00000000000000000000000000",
        time_us: 1,
        mono_us: 7,
        took_us: 3,
        pid: 2,
        ppid: 1,
        uid: 0,
        hook: "execve",
        request: &request,
        verdict: &verdict,
        outcome: Outcome::Denied,
        answered_by: "",
        tree: b"t",
        flags: EventFlags::FAIL_OPEN,
    };
    let mut out = std::vec![0; room];
    let whole = write_whole(&event, &mut out).map(|len| out[..len].to_vec());
    let len = write_line(&event, &mut out);
    let line = String::from_utf8(out[..len].to_vec()).unwrap();
    let is_cut = line.is_empty() || line.contains("compacted") || line.contains("argv_len");
    // Whatever a line leaves out, the whole one has.
    match whole {
        Some(whole) => assert!(is_cut || whole == line.as_bytes()),
        None => assert!(is_cut),
    }
    line
}

#[test]
fn a_line_says_it_all() {
    assert_eq!(
        line(&[b"x", b"--token", b"abc", b"a\xff"], 65536),
        concat!(
            r#"{"v":1,"id":"00000000000000000000000000","time":"1970-01-01T00:00:00.000001Z","#,
            r#""mono_us":7,"took_us":3,"pid":2,"ppid":1,"uid":0,"hook":"execve","action":"deny","outcome":"denied","#,
            r#""reason":"rule","policy":"p","rule":"r","message":"m","flags":["fail-open"],"#,
            r#""matched":[],"tool":"exec","exe":"/bin/x","argv":["x","--token","[masked]",{"b64":"Yf8="}],"#,
            r#""cwd":"/w","target":["static"],"tree":"t","agent":"a"}"#,
            "\n"
        )
    );
}

#[test]
fn large_calls_stay_whole_lines() {
    let arg = std::vec![b'\x01'; 400];
    let many: Vec<&[u8]> = std::vec![&arg; 100];
    let long = line(&many, 65536);
    assert!(long.ends_with("}\n") && long.contains("\"argv_len\":100,"), "long");
    let lines = (100..900).step_by(3).map(|room| line(&many, room));
    let (empty, written): (Vec<_>, Vec<_>) = lines.partition(String::is_empty);
    assert!(!empty.is_empty() && written.iter().all(|line| line.ends_with("}\n")));
    assert!(written.iter().any(|line| line.contains("\"compacted\":1")));
}

fn sha256(bytes: &[u8]) -> String {
    <sha2::Sha256 as sha2::Digest>::digest(bytes)
        .iter()
        .map(|byte| std::format!("{byte:02x}"))
        .collect()
}

/// What is cut can be recognised by its digest, which is one of what was masked.
#[test]
fn what_is_cut_has_a_digest() {
    let value = |text: &[u8]| {
        let line = line(&[text], 65536);
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["argv"][0].clone()
    };
    let whole = std::vec![b'a'; LONG];
    assert!(value(&whole).is_string());
    let cut = value(&[&whole[..], b"\xff"].concat());
    assert_eq!(cut["len"], 4097);
    assert_eq!(cut["sha256"], sha256(&[&whole[..], b"\xff"].concat()));
    assert_eq!(cut["head"].as_str().unwrap().len(), 255);
    let secret = value(&[&whole[..], b" --password=hunter2"].concat());
    assert_eq!(secret["sha256"], sha256(&[&whole[..], b" --password=[masked]"].concat()));

    let arg = std::vec![b'\x01'; 4000];
    let mut many: Vec<&[u8]> = std::vec![b"x", b"--token", b"abc"];
    many.resize(100, &arg);
    let long: serde_json::Value = serde_json::from_str(&line(&many, 65536)).unwrap();
    many[2] = b"[masked]";
    let all: Vec<u8> = many.iter().flat_map(|arg| [arg, &b"\0"[..]].concat()).collect();
    assert_eq!((&long["argv_len"], &long["argv_sha256"]), (&100.into(), &sha256(&all).into()));
}
