//! Who may not, what is no request, and clients that do nothing.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;
use tests::{find, rampart, run};

use crate::Service;

#[test]
fn bad_input_names_what_is_wrong() {
    let service = Service::start(&[]);
    let long = format!(r#"{{"command":"{}"}}"#, "x".repeat(1 << 20));
    let cases = [
        ("POST", "/v1/tool/exec", "", 400, "body"),
        ("POST", "/v1/tool/exec", "[]", 400, "body"),
        ("POST", "/v1/tool/exec", "{} {}", 400, "body"),
        ("POST", "/v1/tool/exec", r#"{"command":1}"#, 400, "command"),
        ("POST", "/v1/tool/exec", r#"{"command":"a","command":"b"}"#, 400, "body"),
        ("POST", "/v1/tool/exec", r#"{"command":"a","params":{"command":"b"}}"#, 400, "command"),
        ("POST", "/v1/tool/exec", r#"{"params":[]}"#, 400, "params"),
        ("POST", "/v1/tool/exec", r#"{"argv":[]}"#, 400, "argv"),
        ("POST", "/v1/tool/exec", r#"{"argv":["a",1]}"#, 400, "argv"),
        ("POST", "/v1/tool/exec", r#"{"command":"a","cwd":"b"}"#, 400, "cwd"),
        ("POST", "/v1/tool/exec", r#"{"cwd":"/a","workdir":"/b"}"#, 400, "workdir"),
        ("POST", "/v1/tool/exec", r#"{"enforce":"yes"}"#, 400, "enforce"),
        ("POST", "/v1/tool/Exec", "{}", 400, "Exec"),
        ("POST", "/v1/tool/a%20b", "{}", 400, "tool"),
        ("POST", "/v1/tool/%zz", "{}", 400, "path"),
        ("POST", "/v1/tool/exec", &long, 413, ""),
        ("POST", "/v1/approvals", "{}", 400, "command"),
        ("POST", "/v1/approvals/NONE/resolve", "{}", 400, "approved"),
        ("POST", "/v1/approvals/NONE/resolve", r#"{"approved":true}"#, 404, "id"),
        ("GET", "/v1/approvals/NONE", "", 404, "id"),
        ("GET", "/v1/none", "", 404, ""),
        ("GET", "/v1/audit/events?limit=501", "", 400, "limit"),
        ("GET", "/v1/audit/events?date=today", "", 400, "date"),
        ("GET", "/v1/audit/events?rule=x", "", 400, "rule"),
        ("GET", "/v1/audit/export?date=1&date=2", "", 400, "date"),
        ("GET", "/v1/audit/stats?from=2025-01-01&to=2026-11-01", "", 400, "from"),
        ("GET", "/v1/events/stream?token=x&more", "", 400, "more"),
        ("GET", "/v1/approvals/bulk-resolve", "", 405, ""),
        ("POST", "/v1/approvals/bulk-resolve", "{}", 400, "action"),
        ("POST", "/v1/approvals/bulk-resolve", r#"{"action":"approve"}"#, 400, "ids"),
        ("POST", "/v1/approvals/bulk-resolve", r#"{"action":"deny","ids":[]}"#, 400, "ids"),
        ("POST", "/v1/approvals/bulk-resolve", r#"{"action":"deny","ids":["X"]}"#, 409, "ids"),
        (
            "POST",
            "/v1/approvals/bulk-resolve",
            r#"{"action":"approve","agent":"a","scope":"run"}"#,
            400,
            "scope",
        ),
        ("DELETE", "/v1/approvals", "", 405, ""),
    ];
    for (method, path, body, status, field) in cases {
        let (got, value) = service.ask(&service.admin, method, path, body);
        assert_eq!(got, status, "{method} {path} {body:.60}: {value}");
        assert!(value["error"].as_str().is_some_and(|text| !text.is_empty()), "{value}");
        assert_eq!(
            value["field"].as_str().unwrap_or_default(),
            field,
            "{path} {body:.60}: {value}"
        );
    }
    let host = "Host: localhost\r\nConnection: close\r\n";
    let auth = format!("Authorization: Bearer {}\r\n", service.admin);
    for (head, status) in [
        (format!("GET /v1/status HTTP/1.1\r\n{host}{auth}"), 200),
        (format!("HEAD /v1/status HTTP/1.1\r\n{host}{auth}"), 200),
        ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n".to_owned(), 421),
        ("GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n".to_owned(), 200),
        (format!("GET /healthz HTTP/1.1\r\n{host}Origin: http://localhost\r\n"), 403),
        (format!("POST /v1/tool/exec HTTP/1.1\r\n{host}{auth}Content-Type: text/plain\r\n"), 415),
        (format!("POST /v1/tool/exec HTTP/1.1\r\n{host}{auth}Transfer-Encoding: chunked\r\n"), 411),
        (format!("GET /healthz HTTP/1.1\r\n{host}X: {}\r\n", "x".repeat(70_000)), 431),
        ("GARBAGE\r\n".to_owned(), 400),
    ] {
        let (got, body) = service.send(format!("{head}\r\n").as_bytes());
        assert_eq!(got, status, "{head:.80}: {body}");
    }
}

#[test]
fn tokens_are_needed_and_kept_as_digests() {
    let service = Service::start(&[]);
    let status = |token: &str, path: &str| service.ask(token, "GET", path, "").0;
    assert_eq!(status("", "/v1/status"), 401);
    assert_eq!(status("rampart_00", "/v1/status"), 401);
    assert_eq!(status(&service.eval, "/v1/status"), 403);
    assert_eq!(status(&service.admin, "/v1/status"), 200);
    let file = service.guard.path("home/.local/state/rampart/evaluator/tokens.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&service.admin) && text.contains("sha256"), "{text}");
    let say = |arguments: &[&str]| run(service.guard.bare(rampart()).args(arguments), "");
    let list = say(&["token", "list"]).stdout;
    assert!(list.contains("boss  admin  until it is revoked\n"), "{list}");
    assert!(list.contains("agent  eval  until 20"), "{list}");
    assert_eq!(say(&["token", "revoke", "boss"]).status, 0);
    assert_eq!(say(&["token", "revoke", "boss"]).status, 1);
    assert_eq!(status(&service.admin, "/v1/status"), 401, "it was revoked");
    // The token's agent, whatever the body says.
    let body = json!({"command": "forbidden", "agent": "other"}).to_string();
    assert_eq!(service.ask(&service.eval, "POST", "/v1/tool/exec", &body).0, 403);
    let events = service.guard.events();
    assert_eq!(events.last().unwrap()["agent"], "claude");
    // No agent makes one for itself.
    let mut inside = service.guard.command(rampart());
    let ran = run(inside.args(["token", "create", "mine", "--scope", "admin"]), "");
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
}

#[test]
fn clients_that_do_nothing_delay_nobody_on_the_socket() {
    let service = Service::start(&[]);
    let mut silent = Vec::new();
    for _ in 0..80 {
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
        stream.write_all(b"POST /v1/tool/exec HTTP/1.1\r\nHost: localhost\r\n").unwrap();
        silent.push(stream);
    }
    // More than it has threads for: it says so at once.
    let busy = service.ask(&service.admin, "GET", "/v1/status", "");
    assert_eq!(busy.0, 503, "{busy:?}");
    let ran = run(service.guard.bare(rampart()).args(["status", "--json"]), "");
    assert!(ran.stdout.contains("evaluator.sock"), "{ran:?}");
    drop(silent);
    let started = std::time::Instant::now();
    while service.ask(&service.admin, "GET", "/v1/status", "").0 != 200 {
        assert!(started.elapsed().as_secs() < 60, "it does not recover");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn beyond_this_machine_it_is_encrypted() {
    let (Some(openssl), Some(python)) = (find("openssl"), find("python3")) else {
        return println!("skipped: openssl or python3 is not installed");
    };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let made = Command::new(openssl)
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", &key, "-out", &cert])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let service = Service::start(&["--http-cert", &cert, "--http-key", &key]);
    let script = format!(
        "import ssl, urllib.request as u\n\
         c = ssl.create_default_context(cafile='{cert}')\n\
         print(u.urlopen('https://localhost:{}/healthz', context=c).read().decode())",
        service.port
    );
    let ran = run(service.guard.bare(python).args(["-c", &script]), "");
    assert!(ran.stdout.contains("\"ok\""), "{ran:?}");
    let mut open = service.guard.bare(rampart());
    let ran = run(open.args(["serve", "--socket", "s", "--http", "0.0.0.0:0"]), "");
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.stderr.contains("--http-cert"), "{ran:?}");
}
