//! A server, clients of it, and a policy that the proxy between them judges by.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Guard, Ran, find, run};

/// A server that answers everything, and writes every line that it gets to a file. What it answers to a
/// tool call is the tool's argument `answer`, if there is one.
const SERVER: &str = "
import sys, json
log = open(sys.argv[1], 'ab', buffering=0)
for line in sys.stdin.buffer:
    log.write(line)
    try: message = json.loads(line)
    except ValueError: continue
    def say(text): sys.stdout.buffer.write(text.encode() + b'\\n'); sys.stdout.buffer.flush()
    if message.get('method') == 'ask-the-client':
        say(json.dumps({'jsonrpc': '2.0', 'id': 's1', 'method': 'sampling/createMessage', 'params': {'messages': [{'role': 'user', 'content': {'type': 'text', 'text': message['params']['text']}}]}}))
    if 'id' not in message or 'method' not in message: continue
    answer = {'content': [{'type': 'text', 'text': 'done'}]}
    if message['method'] == 'tools/list':
        answer = json.load(open(sys.argv[2]))
    given = message.get('params', {}).get('arguments', {})
    if 'answer' in given: answer['content'][0]['text'] = given['answer']
    if 'raw' in given: say(given['raw'].replace('ID', json.dumps(message['id'])))
    else: say(json.dumps({'jsonrpc': '2.0', 'id': message['id'], 'result': answer}, separators=(', ', ':  ')))
";

const POLICY: &str = "
version: '1'
default_action: allow
policies:
  - name: calls
    match: {tool: [read, write, mcp, exec]}
    rules:
      - {name: secrets, action: deny, message: not yours, when: {path_matches: ['/etc/shadow', '/secret/**']}}
      - {name: named, action: deny, when: {tool_param_matches: {mcp.tool: forbidden}}}
      - {name: carefully, action: ask, when: {tool_param_matches: {mcp.tool: careful}}}
  - name: commands
    match: {tool: [exec]}
    rules:
      - {name: id, action: deny, when: {program: [id]}}
  - name: sampling
    match: {tool: [mcp-sampling]}
    rules:
      - {name: orders, action: deny, when: {response_matches: ['(?i)ignore all previous']}}
  - name: destroys
    match: {tool: [mcp-destructive]}
    rules:
      - {name: destroys, action: deny, when: {default: true}}
  - name: outputs
    match: {tool: [mcp, read]}
    rules:
      - {name: keys, action: deny, when: {response_matches: ['KEY-[0-9]+']}}
";

pub struct Scene {
    /// The policy, and where everything lies.
    pub guard: Guard,
    /// What it lists.
    pub tools: Value,
}

impl Scene {
    pub fn new() -> Option<Self> {
        if find("python3").is_none() {
            println!("skipped: python3 is not installed");
            return None;
        }
        let guard = Guard::new(POLICY);
        fs::write(guard.path("policy.yaml"), POLICY).unwrap();
        fs::write(guard.path("server.py"), SERVER).unwrap();
        let tools = json!({"tools": [
            {"name": "search", "description": "Searches", "inputSchema": {"type": "object"}},
            {"name": "tidy", "description": "Tidies", "inputSchema": {"type": "object"}, "annotations": {"destructiveHint": true}},
        ]});
        Some(Self { guard, tools })
    }

    pub fn command(&self, options: &[&str]) -> Command {
        fs::write(self.guard.path("tools.json"), self.tools.to_string()).unwrap();
        let _ = fs::remove_file(self.guard.path("got"));
        let mut command = self.guard.bare(tests::rampart());
        command.arg("mcp").arg("--policy").arg(self.guard.path("policy.yaml")).args(options);
        command.arg("--").arg(find("python3").unwrap());
        command.args(["server.py", "got", "tools.json"]);
        command.env("RAMPART_LIB", tests::library()).env("RAMPART_AUDIT_DIR", self.guard.audit());
        command
    }

    /// What the client gets for these lines.
    pub fn talk(&self, options: &[&str], lines: &[String]) -> Ran {
        let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
        run(&mut self.command(options), &input)
    }

    /// The lines that reached the server.
    pub fn got(&self) -> Vec<String> {
        let text = fs::read_to_string(self.guard.path("got")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

pub fn call(id: u32, name: &str, arguments: &Value) -> String {
    let params = json!({"name": name, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

pub fn answers(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// A client that waits for what it is told before it goes on.
pub struct Talk {
    child: Child,
    input: ChildStdin,
    lines: Receiver<Value>,
}

impl Talk {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let line = serde_json::from_str(&line.unwrap()).unwrap();
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, lines }
    }

    pub fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line.
    pub fn hear(&self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(60)).expect("a line")
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to request `id`.
pub fn answer(ran: &Ran, id: &Value) -> Value {
    let all = answers(ran);
    let mut found = all.into_iter().filter(|answer| answer["id"] == *id);
    let first = found.next().unwrap_or_else(|| panic!("no answer to {id}: {ran:?}"));
    assert!(found.next().is_none(), "two answers to {id}: {ran:?}");
    first
}
