//! Real receivers: rsyslog, and a receiver of OpenTelemetry that decodes the requests by the protobuf
//! definitions of OpenTelemetry itself.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Guard, Ran, find, run};

use crate::{command, say, spool};

/// Ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Debian has it where a user's `PATH` does not lead.
fn rsyslogd() -> Option<PathBuf> {
    find("rsyslogd")
        .or_else(|| Some(PathBuf::from("/usr/sbin/rsyslogd")).filter(|path| path.exists()))
}

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn configure(guard: &Guard, exports: &str) {
    let path = guard.path("home/.config/rampart");
    fs::create_dir_all(&path).unwrap();
    let head = if exports.starts_with("notify:") { "" } else { "exports:\n" };
    let text = format!("redact: ['ACME-[0-9]+']\n{head}{exports}");
    fs::write(path.join("audit.yaml"), text).unwrap();
}

fn forward(guard: &Guard) -> Ran {
    run(&mut command(guard, &["audit", "forward"]), "")
}

/// rsyslog that listens at `port`, TCP and UDP, and at `log`, and writes what it understood to `out`.
fn rsyslog(guard: &Guard, port: u16) -> Service {
    let dir = guard.dir().display();
    let config = format!(
        "global(workDirectory=\"{dir}\" maxMessageSize=\"64k\")
        module(load=\"imtcp\") input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")
        module(load=\"imudp\") input(type=\"imudp\" port=\"{port}\" address=\"127.0.0.1\")
        module(load=\"imuxsock\" SysSock.Use=\"off\")
        input(type=\"imuxsock\" Socket=\"{dir}/log\" IgnoreTimestamp=\"off\" UseSysTimeStamp=\"off\" UseSpecialParser=\"off\" ParseHostname=\"on\")
        template(name=\"t\" type=\"string\" string=\"%syslogseverity% %timestamp:::date-rfc3339% %app-name% %procid% %msgid% %structured-data%\\t%msg%\\n\")
        action(type=\"omfile\" file=\"{dir}/out\" template=\"t\")\n"
    );
    fs::write(guard.path("rsyslog.conf"), config).unwrap();
    let mut command = Command::new(rsyslogd().unwrap());
    command.args(["-n", "-f"]).arg(guard.path("rsyslog.conf")).arg("-i").arg(guard.path("pid"));
    let log = fs::File::create(guard.path("rsyslog.log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let service = Service(command.spawn().unwrap());
    wait("rsyslog", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    wait("its socket", || guard.path("log").exists());
    service
}

fn written(guard: &Guard) -> Vec<String> {
    let text = fs::read_to_string(guard.path("out")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn rsyslog_understands_what_it_gets() {
    if rsyslogd().is_none() {
        return println!("skipped: rsyslogd is not installed");
    }
    let guard = Guard::new("");
    let port = port();
    configure(
        &guard,
        &format!(
            "  - {{name: tcp, to: 'tcp://127.0.0.1:{port}'}}
  - {{name: cef, to: 'tcp://127.0.0.1:{port}', format: cef}}
  - {{name: udp, to: 'udp://127.0.0.1:{port}'}}
  - {{name: log, to: 'unix:{}/log'}}\n",
            guard.dir().display()
        ),
    );
    let line = "{\"v\":1,\"id\":\"E99999\",\"time\":\"2026-11-23T07:59:59.123456Z\",\"pid\":7,\"outcome\":\"denied\",\
                \"action\":\"deny\",\"policy\":\"p\",\"rule\":\"a\\\"]b\",\"argv\":[\"é\",\"ACME-1234\"]}\n";
    fs::write(guard.audit().join("spool-0.jsonl"), line).unwrap();
    // Nobody is there: that is said, and nothing is lost.
    let ran = forward(&guard);
    assert!(ran.status == 1 && ran.stderr.contains("`tcp`"), "{ran:?}");
    let _service = rsyslog(&guard, port);
    spool(&guard, 0..30);
    let ran = forward(&guard);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stdout.contains("tcp: 31 sent, 0 passed over"), "{ran:?}");
    // By UDP the first one went out when nobody listened; that nobody can know.
    wait("the messages", || written(&guard).len() >= 31 * 2 + 31 + 30);
    let all = written(&guard);
    let first: Vec<&String> = all.iter().filter(|line| line.contains("E99999")).collect();
    assert!((3..=4).contains(&first.len()), "{first:?}");
    for line in first {
        let (head, body) = line.split_once('\t').unwrap();
        assert_eq!(
            head,
            "4 2026-11-23T07:59:59.123456Z rampart 7 denied [rampart@32473 id=\"E99999\" action=\"deny\" \
             outcome=\"denied\" rule=\"p/a\\\"\\]b\"]"
        );
        assert!(body.contains("[masked]") && !body.contains("ACME"), "{body}");
        match body.trim_start().strip_prefix("CEF:0|Rampart|") {
            Some(_) => {}
            None => {
                let event: Value = serde_json::from_str(body).unwrap();
                assert_eq!(event["argv"][0], "é");
            }
        }
    }
    // Nothing is sent twice.
    let ran = forward(&guard);
    assert!(ran.stdout.contains("tcp: 0 sent"), "{ran:?}");
    assert_eq!(say(&guard, &["audit", "verify"]).status, 0);
}

/// A certificate of an authority, and one that it made for 127.0.0.1, with its key.
const CERTIFICATES: &str = "
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca
openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN=localhost
printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' >extensions
openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out cert.pem
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=ca
";

#[test]
fn rsyslog_by_tls_if_somebody_vouches_for_it() {
    let (Some(openssl), Some(rsyslogd)) = (find("openssl"), rsyslogd()) else {
        return println!("skipped: openssl or rsyslogd is not installed");
    };
    let guard = Guard::new("");
    let dir = guard.dir().display();
    let made = run(guard.bare("/bin/sh").args(["-ec", CERTIFICATES]), "");
    assert_eq!(made.status, 0, "{}: {made:?}", openssl.display());
    let port = port();
    let config = format!(
        "global(workDirectory=\"{dir}\" maxMessageSize=\"64k\" DefaultNetstreamDriver=\"ossl\"
            DefaultNetstreamDriverCAFile=\"{dir}/ca.pem\" DefaultNetstreamDriverCertFile=\"{dir}/cert.pem\"
            DefaultNetstreamDriverKeyFile=\"{dir}/key.pem\")
        module(load=\"imtcp\" StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"anon\")
        input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")
        template(name=\"t\" type=\"string\" string=\"%syslogseverity% %msgid% %structured-data%\\n\")
        action(type=\"omfile\" file=\"{dir}/out\" template=\"t\")\n"
    );
    fs::write(guard.path("rsyslog.conf"), config).unwrap();
    let mut command = Command::new(rsyslogd);
    command.args(["-n", "-f"]).arg(guard.path("rsyslog.conf")).arg("-i").arg(guard.path("pid"));
    let log = fs::File::create(guard.path("rsyslog.log")).unwrap();
    let _service = Service(command.stdin(Stdio::null()).stderr(log).spawn().unwrap());
    wait("rsyslog", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    spool(&guard, 0..40);
    let to =
        |ca: &str| format!("  - {{name: tls, to: 'tls://127.0.0.1:{port}', ca: {dir}/{ca}}}\n");
    // Somebody else's certificate: nothing is sent.
    configure(&guard, &to("other.pem"));
    let ran = forward(&guard);
    assert!(ran.status == 1 && ran.stderr.contains("certificate"), "{ran:?}");
    assert_eq!(written(&guard).len(), 0);
    configure(&guard, &to("ca.pem"));
    let ran = forward(&guard);
    let log = || fs::read_to_string(guard.path("rsyslog.log")).unwrap();
    assert!(ran.status == 0 && ran.stdout.contains("tls: 40 sent"), "{ran:?}: {}", log());
    wait("the messages", || written(&guard).len() >= 40);
    assert!(written(&guard)[39].starts_with("6 allowed [rampart@32473 id=\"E00039\""));
}

/// Answers 503 to the first request, and decodes the others by OpenTelemetry's own definitions.
const COLLECTOR: &str = "
import sys, http.server
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
count = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers['Content-Length']))
        count += 1
        status = 503 if count == 1 else 200
        if status == 200:
            assert self.path == '/base/v1/logs' and self.headers['Content-Type'] == 'application/json'
            request = Parse(body, ExportLogsServiceRequest())
            with open(sys.argv[2], 'a') as out:
                for resource in request.resource_logs:
                    names = {a.key: a.value.string_value for a in resource.resource.attributes}
                    for record in (r for s in resource.scope_logs for r in s.log_records):
                        of = {a.key: a.value for a in record.attributes}
                        print(names['service.name'], record.time_unix_nano, record.severity_number,
                            of['log.record.uid'].string_value, record.body.string_value, file=out)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{}')
    def log_message(self, *_): pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

#[test]
fn a_receiver_of_opentelemetry_decodes_what_it_gets() {
    let python = tests::rampart();
    let target = python.ancestors().nth(2).unwrap();
    let python = target.join("python/bin/python3");
    if !python.exists() {
        return println!("skipped: .ci/install.sh has not installed opentelemetry-proto");
    }
    let (guard, port) = (Guard::new(""), port());
    configure(&guard, &format!("  - {{name: otel, to: 'http://127.0.0.1:{port}/base'}}\n"));
    let mut command = Command::new(python);
    command.args(["-c", COLLECTOR, &port.to_string()]).arg(guard.path("records"));
    let _service = Service(command.spawn().unwrap());
    wait("the collector", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    spool(&guard, 0..600);
    let line = "{\"v\":1,\"id\":\"E99999\",\"time\":\"1970-01-01T00:00:01.5Z\",\"outcome\":\"denied\",\"argv\":[\"rm\",\"x\"]}\n";
    fs::write(guard.audit().join("spool-1.jsonl"), line).unwrap();
    let ran = forward(&guard);
    assert!(ran.status == 1 && ran.stderr.contains("503"), "{ran:?}");
    let ran = forward(&guard);
    assert!(ran.status == 0 && ran.stdout.contains("otel: 601 sent"), "{ran:?}");
    let text = fs::read_to_string(guard.path("records")).unwrap();
    let records: Vec<&str> = text.lines().collect();
    assert_eq!(records.len(), 601);
    assert!(records.contains(&"rampart 1500000000 13 E99999 rm x"), "{:?}", records.last());
    assert!(records[0].starts_with("rampart 0 9 E00000 a"), "{}", records[0]);
}

/// The same over TLS, with a certificate of the authority above.
const SECURE: &str = "
import ssl
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('cert.pem', 'key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

#[test]
fn https_receivers_of_an_authority_of_ones_own() {
    if find("openssl").is_none() {
        return println!("skipped: openssl is not installed");
    }
    let (guard, port) = (Guard::new(""), port());
    assert_eq!(run(guard.bare("/bin/sh").args(["-ec", CERTIFICATES]), "").status, 0);
    let (handler, _) = HOOK.split_once("http.server.HTTPServer(").unwrap();
    let mut command = guard.bare(find("python3").unwrap());
    command.args(["-c", &format!("{handler}{SECURE}"), &port.to_string()]).arg(guard.path("out"));
    let _service = Service(command.stderr(Stdio::null()).spawn().unwrap());
    wait("the receiver", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    spool(&guard, 0..3);
    let dir = guard.dir().display().to_string();
    for (ca, sent) in [("", false), (", ca: DIR/other.pem", false), (", ca: DIR/ca.pem", true)] {
        let to = format!("to: 'https://127.0.0.1:{port}'{}", ca.replace("DIR", &dir));
        configure(&guard, &format!("  - {{name: otel, {to}}}\n"));
        let ran = forward(&guard);
        assert_eq!(ran.status == 0, sent, "{ca}: {ran:?}");
        assert_eq!(written(&guard).len(), usize::from(sent), "{ca}: {ran:?}");
    }
    assert!(written(&guard)[0].starts_with("/v1/logs {"), "{:?}", written(&guard));
}

/// Writes every body that it gets to a file.
const HOOK: &str = "
import sys, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with open(sys.argv[2], 'ab') as out: out.write(self.path.encode() + b' ' + body + b'\\n')
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

#[test]
fn webhooks_hear_of_what_is_denied_from_now_on() {
    let (guard, port) = (Guard::new(""), port());
    let to = format!("http://127.0.0.1:{port}");
    configure(
        &guard,
        &format!(
            "notify:\n  - {{name: slack, to: '{to}/slack'}}\n  - {{name: other, to: '{to}/other', template: '{{\"id\": \"{{{{id}}}}\"}}'}}\n"
        ),
    );
    let mut command = Command::new(find("python3").unwrap());
    command.args(["-c", HOOK, &port.to_string()]).arg(guard.path("out"));
    let _service = Service(command.spawn().unwrap());
    wait("the webhook", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let denied = |id: &str| {
        let line = format!(
            "{{\"v\":1,\"id\":\"{id}\",\"outcome\":\"denied\",\"argv\":[\"rm\",\"ACME-1\"]}}\n"
        );
        fs::write(guard.audit().join("spool-1.jsonl"), line).unwrap();
    };
    denied("E90000");
    assert_eq!(forward(&guard).status, 0);
    assert_eq!(written(&guard), Vec::<String>::new(), "what was before");
    spool(&guard, 0..5);
    denied("E90001");
    let ran = forward(&guard);
    assert!(ran.status == 0 && ran.stdout.contains("slack: 1 sent"), "{ran:?}");
    let all = written(&guard);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(
        all[0].starts_with("/slack {\"text\":\"Rampart on ") && all[0].contains("rm [masked]"),
        "{all:?}"
    );
    assert_eq!(all[1], "/other {\"id\": \"E90001\"}");
}
