//! Why this exists: an agent may reach a command by its host's hook, by an MCP server, over HTTP or by
//! starting it, and what one of them lets go is open. So the same cases go through each of them, and
//! have to come to the same verdict by the same rule. Where an entrance cannot express one, the table in
//! docs/command-line.md says what it does, and so does [`Entrance::expected`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a case that cannot be set up fails the test, naming it"
)]

mod wrap;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Guard, compile, find, rampart, run};

const POLICY: &str = "
version: '1'
default_action: allow
policies:
  - name: test
    rules:
      - {name: no, action: deny, message: not that, when: {program: [x-deny]}}
      - {name: maybe, action: ask, message: is it meant, when: {program: [x-ask]}}
      - {name: seen, action: watch, when: {program: [x-watch]}}
      - {name: secret, action: deny, when: {writes: ['/x-secret/**']}}
";

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Fine,
    Denied(&'static str),
    Asked(&'static str),
}
use Is::{Asked, Denied, Fine};

const NO: Is = Denied("test/no");

const CASES: [(&str, Is); 24] = [
    ("x-fine a", Fine),
    ("echo x-deny; : x-ask", Fine),
    ("cat <<'E'\nx-deny\nE", Fine),
    ("if false; then x-fine; fi # x-deny", Fine),
    ("x-watch", Fine),
    ("x-deny a", NO),
    ("true && x-deny", NO),
    ("env -i A=b x-deny", NO),
    ("sh -ec 'x-deny'", NO),
    ("bash -lc 'x-deny'", NO),
    ("bash -o pipefail -c 'true; x-deny'", NO),
    ("p=x-de; ${p}ny", NO),
    ("eval \"$(printf 'x-%s' deny)\"", NO),
    ("echo eC1kZW55 | base64 -d | sh", NO),
    ("sh <<'E'\nx-deny\nE", NO),
    ("f() { x-deny; }; f", NO),
    ("find . -name none -exec x-deny {} +", NO),
    ("timeout 9 nice -n 5 x-deny", NO),
    ("python3 -c 'import os; os.system(\"x-deny\")'", NO),
    ("cp none /x-secret/a", Denied("test/secret")),
    ("x-fine >/x-secret/a", Denied("test/secret")),
    ("x-ask", Asked("test/maybe")),
    ("sh -c 'true; x-ask'", Asked("test/maybe")),
    ("x-ask; x-deny", NO),
];

/// The name of each host's tool for commands.
const HOSTS: [(&str, &str); 7] = [
    ("claude-code", "Bash"),
    ("codex", "shell"),
    ("gemini", "run_shell_command"),
    ("opencode", "bash"),
    ("cursor", "Shell"),
    ("copilot", "bash"),
    ("cline", "execute_command"),
];

#[derive(Clone, Copy, Debug)]
enum Entrance {
    Check,
    Library,
    Socket,
    Http,
    Hook(&'static str, &'static str),
    Mcp,
    /// A static program that starts its shell without an environment.
    Wrap,
}

impl Entrance {
    /// What it says to a case that is `is`: nobody is there who could be asked.
    fn expected(self, is: Is) -> Is {
        match (self, is) {
            // They answer about a call that somebody else will put to a person.
            (Self::Check | Self::Http | Self::Hook("claude-code" | "copilot", _), asked) => asked,
            (_, Asked(rule)) => Denied(rule),
            (_, other) => other,
        }
    }
}

/// The case's rule that `text` names.
fn named(text: &str) -> &'static str {
    ["test/no", "test/maybe", "test/secret"]
        .into_iter()
        .find(|rule| text.contains(&format!("[{rule}]")))
        .unwrap_or("none")
}

/// What an exit status and standard error say.
fn ended(mut command: Command) -> Is {
    let ran = run(&mut command, "");
    match ran.stderr.contains("rampart: denied: ") {
        true => Denied(named(&ran.stderr)),
        // Whatever else became of it (no such file, say) is not ours.
        false => Fine,
    }
}

struct Scene {
    guard: Guard,
    /// Where `rampart serve` listens, by the socket and over HTTP; its own policy is the same.
    served: Guard,
    daemon: Child,
    port: u16,
    token: String,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn stubbed() -> Guard {
    let guard = Guard::new(POLICY);
    fs::write(guard.path("agent.c"), wrap::AGENT).unwrap();
    tests::cc("cc", &guard.path("agent.c"), &guard.path("agent"), &["-static"]);
    let _ = fs::create_dir_all(guard.path("bin"));
    for name in ["x-fine", "x-deny", "x-ask", "x-watch"] {
        fs::copy("/bin/true", guard.path("bin").join(name)).unwrap();
    }
    guard
}

impl Scene {
    fn new() -> Self {
        let (guard, served) = (stubbed(), stubbed());
        // What guards the tree itself permits everything: the verdict is the evaluator's.
        fs::write(served.path("own.img"), compile("{version: '1', default_action: allow}"))
            .unwrap();
        let ran = run(served.bare(rampart()).args(["token", "create", "agent"]), "");
        assert_eq!(ran.status, 0, "{ran:?}");
        let log = fs::File::create(served.path("serve.log")).unwrap();
        let mut command = served.bare(rampart());
        command.env("RAMPART_AUDIT_DIR", served.audit()).args(["serve", "--http", "127.0.0.1:0"]);
        command.arg("--policy").arg(served.image()).stdin(Stdio::null()).stderr(log);
        let daemon = command.spawn().unwrap();
        let token = ran.stdout.trim().to_owned();
        let mut scene = Self { guard, served, daemon, port: 0, token };
        let started = Instant::now();
        while scene.port == 0 {
            let text = fs::read_to_string(scene.served.path("serve.log")).unwrap();
            assert!(started.elapsed() < Duration::from_secs(60), "it does not come up: {text}");
            let port = text.split("HTTP API listening at `127.0.0.1:").nth(1);
            let port = port.and_then(|rest| rest.split_once('`')).map(|(port, _)| port);
            scene.port = port.and_then(|port| port.parse().ok()).unwrap_or(0);
            std::thread::sleep(Duration::from_millis(20));
        }
        scene
    }

    fn through(&self, entrance: Entrance, text: &str) -> Is {
        match entrance {
            Entrance::Check => self.check(text),
            Entrance::Library => {
                let mut command = self.guard.command("/bin/sh");
                command.args(["-c", text]);
                ended(command)
            }
            Entrance::Socket => {
                let mut command = self.served.command("/bin/sh");
                command.env("RAMPART_IMAGE", self.served.path("own.img"));
                command.env("RAMPART_EVALUATOR", "socket").env("RAMPART_ASK_TIMEOUT", "1");
                command.args(["-c", text]);
                ended(command)
            }
            Entrance::Http => self.http(text),
            Entrance::Hook(host, tool) => self.hook(host, tool, text),
            Entrance::Mcp => self.mcp(text),
            Entrance::Wrap => ended(wrap::wrapped(&self.guard, &["sh", "-c", text])),
        }
    }

    fn check(&self, text: &str) -> Is {
        let mut command = self.guard.bare(rampart());
        command.args(["check", "--jsonl", "--policy"]).arg(self.guard.image());
        let ran = run(&mut command, &json!({"tool": "exec", "command": text}).to_string());
        let value: Value = serde_json::from_str(&ran.stdout).expect(&ran.stdout);
        of_parts(&value["action"], &value["policy"], &value["rule"])
    }

    fn http(&self, text: &str) -> Is {
        let body = json!({ "command": text }).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST /v1/preflight/exec HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").expect(&answer);
        let value: Value = serde_json::from_str(body).expect(body);
        of_parts(&value["decision"], &value["policy"], &value["rule"])
    }

    fn hook(&self, host: &str, tool: &str, text: &str) -> Is {
        let input = match host {
            "codex" => json!({"command": ["sh", "-c", text]}),
            _ => json!({ "command": text }),
        };
        let call = match host {
            "opencode" => {
                json!({"hook": "tool.execute.before", "tool": tool, "sessionID": "s", "callID": "c", "args": input, "directory": "/"})
            }
            "cline" => {
                json!({"hookName": "PreToolUse", "taskId": "1", "workspaceRoots": ["/"], "preToolUse": {"toolName": tool, "parameters": input}})
            }
            _ => {
                let event = match host {
                    "gemini" => "BeforeTool",
                    "cursor" => "preToolUse",
                    _ => "PreToolUse",
                };
                json!({"session_id": "s", "cwd": "/", "hook_event_name": event, "tool_name": tool, "tool_input": input})
            }
        };
        let mut command = self.guard.bare(rampart());
        command.env("RAMPART_AUDIT_DIR", self.guard.audit());
        command.args(["hook", "--format", host, "--policy"]).arg(self.guard.image());
        let ran = run(&mut command, &call.to_string());
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{host}");
        // How each says no is what `rampart/tests/cli/hook` is about; here, which rule did.
        match ran.stdout.trim() {
            "{}" | r#"{"cancel":false}"# => Fine,
            said if said.contains(r#""permissionDecision":"ask""#) => Asked(named(said)),
            said => Denied(named(said)),
        }
    }

    fn mcp(&self, text: &str) -> Is {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "run_command", "arguments": {"command": text}}});
        let server = "while read -r line; do echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}'; done";
        let mut command = self.guard.bare(rampart());
        command.env("RAMPART_AUDIT_DIR", self.guard.audit()).env("RAMPART_LIB", tests::library());
        command.env("RAMPART_ASK_TIMEOUT", "1");
        command.args(["mcp", "--policy"]).arg(self.guard.image()).args(["--", "sh", "-c", server]);
        let ran = run(&mut command, &format!("{call}\n"));
        let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        match value["error"]["message"].as_str() {
            None => Fine,
            Some(said) => Denied(named(said)),
        }
    }
}

/// A verdict that comes in parts.
fn of_parts(action: &Value, policy: &Value, rule: &Value) -> Is {
    let rule = format!("[{}/{}]", policy.as_str().unwrap_or("?"), rule.as_str().unwrap_or("?"));
    match action.as_str() {
        Some("allow" | "watch") => Fine,
        Some("ask") => Asked(named(&rule)),
        _ => Denied(named(&rule)),
    }
}

/// The tests' own programs that a case needs to go ahead.
fn can_run(text: &str) -> bool {
    !text.starts_with("bash") || find("bash").is_some()
}

#[test]
fn every_entrance_says_the_same() {
    let scene = Scene::new();
    let mut entrances =
        vec![Entrance::Check, Entrance::Library, Entrance::Socket, Entrance::Http, Entrance::Mcp];
    entrances.push(Entrance::Wrap);
    entrances.extend(HOSTS.map(|(host, tool)| Entrance::Hook(host, tool)));
    let mut wrong = Vec::new();
    for entrance in &entrances {
        for (text, is) in CASES.into_iter().filter(|(text, _)| can_run(text)) {
            let (wanted, said) = (entrance.expected(is), scene.through(*entrance, text));
            if said != wanted {
                wrong.push(format!("{entrance:?} `{text}`: {said:?}, not {wanted:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
