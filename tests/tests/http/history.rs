//! What happened, what is happening, and answers for many at once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Service;

#[test]
fn the_log_can_be_read() {
    let service = Service::start(&[]);
    let get = |path: &str| service.ask(&service.admin, "GET", path, "");
    for (command, status) in [("true 1", 200), ("forbidden", 403), ("watched", 200)] {
        assert_eq!(service.exec(command).0, status);
    }
    // The service says of itself that it has started, too: without an agent.
    let (_, all) = get("/v1/audit/events?agent=claude");
    let events = all["events"].as_array().unwrap();
    assert_eq!((&all["total"], events.len()), (&json!(3), 3), "{all}");
    assert_eq!(events[0]["action"], "watch", "the latest is the first: {all}");
    let day = events[0]["time"].as_str().unwrap().split('T').next().unwrap().to_owned();
    for (query, count) in [
        ("", 4),
        ("?action=deny", 1),
        ("?agent=claude&tool=exec", 3),
        ("?agent=other", 0),
        ("?agent=claude&limit=2", 2),
        ("?agent=claude&limit=2&offset=2", 1),
        ("?date=2020-02-02", 0),
        (&format!("?date={day}"), 4),
    ] {
        let (_, found) = get(&format!("/v1/audit/events{query}"));
        assert_eq!(found["events"].as_array().unwrap().len(), count, "{query}: {found}");
    }
    assert_eq!(get("/v1/audit/dates").1, json!({ "dates": [day] }));
    let (_, stats) = get("/v1/audit/stats");
    assert_eq!((&stats["events"], &stats["outcomes"]["denied"]), (&json!(4), &json!(1)), "{stats}");
    assert_eq!(get("/v1/audit/stats?to=2020-02-02").1["events"], 0);
    let (status, lines) = get(&format!("/v1/audit/export?date={day}"));
    let lines = lines.as_str().unwrap();
    assert_eq!((status, lines.lines().count()), (200, 4), "{lines}");
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
    assert_eq!(service.ask(&service.eval, "GET", "/v1/audit/events", "").0, 403);
}

/// A connection that is told of events.
fn stream(service: &Service) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let path = format!("/v1/events/stream?token={}", service.admin);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    BufReader::new(stream)
}

/// The next event of this kind.
fn next(stream: &mut BufReader<TcpStream>, kind: &str) -> Value {
    let mut is_it = false;
    for line in stream.lines() {
        let line = line.expect("an event in time");
        match line.split_once(": ") {
            Some(("event", name)) => is_it = name == kind,
            Some(("data", data)) if is_it => return serde_json::from_str(data).unwrap(),
            _ => {}
        }
    }
    panic!("the stream ended before `{kind}`");
}

#[test]
fn what_happens_is_told() {
    let service = Service::start(&[]);
    let mut told = stream(&service);
    assert!(next(&mut told, "connected")["version"].is_string());
    assert_eq!(service.exec("forbidden").0, 403);
    assert_eq!(next(&mut told, "audit")["rule"], "no");
    let (_, asked) = service.exec("careful");
    let pending = next(&mut told, "approvals");
    assert_eq!(pending["approvals"][0]["id"], asked["approval_id"], "{pending}");
    // The token in the address is for this alone, and others are served while many listen.
    let path = format!("/v1/status?token={}", service.admin);
    assert_eq!(service.ask("", "GET", &path, "").0, 401);
    assert_eq!(service.ask(&service.eval, "GET", "/v1/events/stream", "").0, 403);
    let many: Vec<_> = (1..16).map(|_| stream(&service)).collect();
    for mut one in many {
        next(&mut one, "connected");
        std::mem::forget(one);
    }
    assert_eq!(service.ask(&service.admin, "GET", "/v1/events/stream", "").0, 503);
    assert_eq!(service.exec("true").0, 200);
}

#[test]
fn many_are_answered_at_once() {
    let service = Service::start(&[]);
    let ask = |what: &str| {
        let (status, asked) = service.exec(&format!("careful {what}"));
        assert_eq!(status, 202, "{asked}");
        asked["approval_id"].as_str().unwrap().to_owned()
    };
    let ids = [ask("1"), ask("2"), ask("3")];
    let all = |body: &Value| {
        let path = "/v1/approvals/bulk-resolve";
        service.ask(&service.admin, "POST", path, &body.to_string())
    };
    let (status, none) = all(&json!({"action": "deny", "ids": [ids[0], "OTHER"]}));
    assert_eq!(status, 409, "{none}");
    let (status, none) = all(&json!({"action": "approve", "ids": [ids[0]], "agent": "other"}));
    assert_eq!(status, 409, "{none}");
    let (status, two) = all(&json!({"action": "approve", "ids": [ids[0], ids[1]]}));
    assert_eq!((status, &two["resolved"]), (200, &json!(2)), "{two}");
    // A yes is for one call each.
    for what in ["careful 1", "careful 2"] {
        assert_eq!(service.exec(what).0, 200);
        assert_eq!(service.exec(what).0, 202, "{what}: it was used up");
    }
    assert_eq!(all(&json!({"action": "approve", "ids": [ids[0]]})).0, 409, "it is over");
    let (_, rest) = all(&json!({"action": "deny", "agent": "claude", "resolved_by": "me"}));
    assert_eq!(rest["resolved"], 3, "{rest}");
    assert_eq!(service.exec("careful 3").0, 403);
}

#[test]
fn a_yes_over_http_goes_as_far_as_it_says() {
    let service = Service::start(&[]);
    for (body, again) in [
        (r#"{"approved":true}"#, 202),
        (r#"{"approved":true,"persist":false}"#, 202),
        (r#"{"approved":true,"persist":true}"#, 200),
    ] {
        let command = format!("careful {again} {}", body.len());
        let (_, asked) = service.exec(&command);
        let path = format!("/v1/approvals/{}/resolve", asked["approval_id"].as_str().unwrap());
        let (status, said) = service.ask(&service.admin, "POST", &path, body);
        assert_eq!((status, &said["persisted"]), (200, &json!(again == 200)), "{body}");
        let codes = [(); 3].map(|()| service.exec(&command).0);
        assert_eq!(codes, [200, again, again], "{body}");
    }
}
