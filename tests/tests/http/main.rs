//! Why this exists: the HTTP API is how whoever is no process of a guarded tree asks for verdicts and answers
//! approvals. It is tried over real sockets, by hand and by a tool that makes requests from its own
//! document (schemathesis).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a case that cannot be set up fails the test, naming it"
)]

mod generated;
mod history;
mod limits;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Guard, rampart, run};

const POLICY: &str = "
version: '1'
default_action: allow
policies:
  - name: test
    rules:
      - {name: no, action: deny, when: {program: [forbidden]}, message: not that}
      - {name: think, action: ask, when: {program: [careful]}, message: think first}
      - {name: seen, action: watch, when: {program: [watched]}}
      - {name: key, action: deny, when: {path_matches: ['/etc/shadow']}}
      - {name: out, action: deny, when: {response_matches: ['BEGIN PRIVATE']}}
      - {name: much, action: deny, when: {program: [often], call_count: {gte: 3, window: 1h}}}
      - {name: single, action: allow, once: true, when: {program: [solo]}}
      - {name: alone, action: deny, when: {program: [solo]}}
";

/// `rampart serve --http` with [`POLICY`]; it ends with this value.
pub struct Service {
    guard: Guard,
    daemon: Child,
    port: u16,
    admin: String,
    eval: String,
}

impl Service {
    fn start(more: &[&str]) -> Self {
        let guard = Guard::new(POLICY);
        let token = |arguments: &[&str]| {
            let mut command = guard.bare(rampart());
            let ran = run(command.args(["token", "create"]).args(arguments), "");
            assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
            ran.stdout.trim().to_owned()
        };
        let admin = token(&["boss", "--scope", "admin"]);
        let eval = token(&["agent", "--agent", "claude", "--for", "1h"]);
        let log = fs::File::create(guard.path("serve.log")).unwrap();
        let mut command = guard.bare(rampart());
        command.env("RAMPART_AUDIT_DIR", guard.audit()).arg("serve").arg("--policy");
        command.arg(guard.image()).args(["--http", "127.0.0.1:0"]).args(more);
        let daemon = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let mut service = Self { guard, daemon, port: 0, admin, eval };
        let started = Instant::now();
        while service.port == 0 {
            let text = fs::read_to_string(service.guard.path("serve.log")).unwrap();
            assert!(started.elapsed() < Duration::from_secs(60), "it does not come up: {text}");
            let port = text.split("HTTP API listening at `127.0.0.1:").nth(1);
            let port = port.and_then(|rest| rest.split_once('`')).map(|(port, _)| port);
            service.port = port.and_then(|port| port.parse().ok()).unwrap_or(0);
            std::thread::sleep(Duration::from_millis(20));
        }
        service
    }

    /// Sends these bytes and gives the status and the body of the answer.
    pub fn send(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // It may refuse before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status.unwrap_or(0), body.unwrap_or_default())
    }

    /// A request with `token`, and what came of it.
    pub fn ask(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, body) = self.send(head.as_bytes());
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// The verdict on a command.
    pub fn exec(&self, command: &str) -> (u16, Value) {
        let body = json!({ "command": command }).to_string();
        self.ask(&self.eval, "POST", "/v1/tool/exec", &body)
    }

    fn say(&self, arguments: &[&str]) -> tests::Ran {
        run(self.guard.bare(rampart()).args(arguments), "")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn verdicts_are_those_of_every_other_entrance() {
    let service = Service::start(&[]);
    let cases = [
        ("exec", json!({"command": "true"}), 200, "allow", ""),
        ("exec", json!({"params": {"command": "sh -c 'true; watched'"}}), 200, "watch", "seen"),
        ("exec", json!({"command": "x=forbid; sh -c \"${x}den\""}), 403, "deny", "no"),
        ("exec", json!({"argv": ["forbidden", "x"], "cwd": "/tmp"}), 403, "deny", "no"),
        ("read", json!({"path": "/etc/shadow"}), 403, "deny", "key"),
        ("read", json!({"params": {"file_path": "/tmp/x"}}), 200, "allow", ""),
        ("exec", json!({"command": "true", "response": "-- BEGIN PRIVATE --"}), 200, "deny", "out"),
        ("exec", json!({"command": "true", "response": "fine"}), 200, "allow", ""),
    ];
    for (tool, body, status, decision, rule) in cases {
        let path = format!("/v1/tool/{tool}");
        let (got, value) = service.ask(&service.eval, "POST", &path, &body.to_string());
        assert_eq!(got, status, "{body}: {value}");
        assert_eq!(
            (&value["decision"], &value["rule"]),
            (&json!(decision), &json!(rule)),
            "{body}"
        );
        let permits = ["allow", "watch"].contains(&decision);
        assert_eq!(value["allowed"], permits, "{body}: {value}");
        let path = format!("/v1/preflight/{tool}");
        let (got, told) = service.ask(&service.eval, "POST", &path, &body.to_string());
        assert_eq!((got, &told["decision"]), (200, &json!(decision)), "{body}: {told}");
    }
    // Every call counts, and none that is only asked about does.
    for (status, preview) in [(200, 200), (200, 200), (403, 200)] {
        let told =
            service.ask(&service.eval, "POST", "/v1/preflight/exec", r#"{"command":"often"}"#);
        assert_eq!(told.0, preview);
        assert_eq!(service.exec("often").0, status);
    }
    // It is in the log, as the agent's whose the token is.
    let events = service.guard.events();
    let denied = events.iter().find(|event| event["outcome"] == "denied").expect("a denial");
    assert_eq!((&denied["hook"], &denied["agent"]), (&json!("http"), &json!("claude")), "{denied}");
}

#[test]
fn a_person_is_asked_and_a_yes_is_used_once() {
    let service = Service::start(&[]);
    let (status, asked) = service.exec("careful --token hunter2hunter2");
    assert_eq!((status, &asked["approval_status"]), (202, &json!("pending")), "{asked}");
    assert!(asked["expires_at"].as_str().unwrap().ends_with('Z'), "{asked}");
    let id = asked["approval_id"].as_str().unwrap().to_owned();
    assert_eq!(service.exec("careful --token hunter2hunter2").1["approval_id"], json!(id));
    // People see it where they see all others, and nothing secret in it.
    let pending = service.say(&["pending", "--json"]).stdout;
    assert!(pending.contains(&id) && !pending.contains("hunter2"), "{pending}");
    let (_, list) = service.ask(&service.admin, "GET", "/v1/approvals", "");
    assert_eq!(
        (&list["approvals"][0]["id"], list["approvals"].as_array().unwrap().len()),
        (&json!(id), 1)
    );
    assert_eq!(service.say(&["approve", &id]).status, 0);
    assert_eq!(service.exec("careful --token other").0, 202, "another call");
    let (status, yes) = service.exec("careful --token hunter2hunter2");
    assert_eq!((status, &yes["allowed"]), (200, &json!(true)), "{yes}");
    assert_eq!(service.exec("careful --token hunter2hunter2").0, 202, "it was used up");
    // Over HTTP.
    let (_, asked) = service.exec("careful 2");
    let path = format!("/v1/approvals/{}/resolve", asked["approval_id"].as_str().unwrap());
    let eval = service.ask(&service.eval, "POST", &path, r#"{"approved":true}"#);
    assert_eq!(eval.0, 403, "an agent answers itself");
    let no = service.ask(&service.admin, "POST", &path, r#"{"approved":false,"resolved_by":"me"}"#);
    assert_eq!((no.0, &no.1["status"]), (200, &json!("denied")), "{no:?}");
    assert_eq!(service.ask(&service.admin, "POST", &path, r#"{"approved":true}"#).0, 410);
    assert_eq!(service.exec("careful 2").0, 403);
    let made = service.ask(&service.admin, "POST", "/v1/approvals", r#"{"command":"deploy"}"#);
    assert_eq!((made.0, &made.1["status"]), (201, &json!("pending")), "{made:?}");
    let skips = r#"{"command":"careful 3","skip_pending_approval":true}"#;
    assert_eq!(service.ask(&service.eval, "POST", "/v1/tool/exec", skips).0, 403);
}

#[test]
fn what_holds_once_is_used_up_by_the_call_that_goes_ahead() {
    let service = Service::start(&[]);
    let body = r#"{"command":"solo a"}"#;
    for _ in 0..2 {
        let (status, told) = service.ask(&service.eval, "POST", "/v1/preflight/exec", body);
        assert_eq!((status, &told["allowed"]), (200, &json!(true)), "only told: {told}");
    }
    let ends: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..4).map(|_| scope.spawn(|| service.exec("sh -c 'solo a'").0)).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(ends.iter().filter(|status| **status == 200).count(), 1, "{ends:?}");
    let (status, told) = service.exec("solo a");
    assert_eq!((status, &told["rule"]), (403, &json!("alone")), "{told}");
}

#[test]
fn what_is_in_force_can_be_looked_at() {
    let service = Service::start(&[]);
    assert_eq!(service.exec("forbidden").0, 403);
    let get = |path| service.ask(&service.admin, "GET", path, "");
    let (_, status) = get("/v1/status");
    assert_eq!(
        (&status["rule_count"], &status["mode"]),
        (&json!(8), &json!("enforce")),
        "{status}"
    );
    let (_, summary) = get("/v1/policy/summary");
    assert_eq!((&summary["default_action"], &summary["rule_count"]), (&json!("allow"), &json!(8)));
    let (_, policies) = get("/v1/policies");
    assert_eq!(policies["rules"].as_array().unwrap().len(), 8, "{policies}");
    let (_, reloaded) = service.ask(&service.admin, "POST", "/v1/policy/reload", "");
    assert_eq!(reloaded["success"], true, "{reloaded}");
    let (code, metrics) = get("/metrics");
    let metrics = metrics.as_str().unwrap();
    assert_eq!(code, 200);
    assert!(
        metrics.contains(r#"rampart_decisions_total{action="deny",policy="test"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains("rampart_eval_duration_seconds_count 1\n"), "{metrics}");
    let (_, health) = service.ask("", "GET", "/healthz", "");
    assert_eq!(health["status"], "ok");
}
