//! Two public servers, driven by the protocol's own SDK: what is not dangerous is as it is without us.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::{Guard, find, run};

/// Where `.ci/install.sh` puts the servers and the SDK.
fn root() -> Option<(PathBuf, PathBuf)> {
    let built = tests::rampart();
    let root = built.ancestors().nth(2).unwrap().join("mcp");
    match find("node").filter(|_| root.join("node_modules/@modelcontextprotocol/sdk").exists()) {
        Some(node) => Some((node, root)),
        None => {
            println!(
                "skipped: .ci/install.sh has not installed the servers and the SDK ({})",
                root.display()
            );
            None
        }
    }
}

/// Everything but what changes files.
const READING: &str = "
version: '1'
default_action: allow
policies:
  - name: mine
    match: {tool: [write, edit, mcp-dangerous, mcp-destructive]}
    rules: [{name: no-writes, action: deny, message: only reading, when: {default: true}}]
";

/// What comes of `calls` to `server`, directly or through the proxy.
fn outcomes(guard: &Guard, proxy: &[&str], server: &[String], calls: &Value) -> Vec<Value> {
    let (node, root) = root().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/client.mjs");
    let mut command: Command = guard.bare(&node);
    command.arg(script).arg(&root).arg(calls.to_string());
    if !proxy.is_empty() {
        command.arg(tests::rampart()).args(proxy).arg("--");
    }
    command.arg(&node).args(server);
    command.env("RAMPART_LIB", tests::library()).env("RAMPART_AUDIT_DIR", guard.audit());
    let ran = run(&mut command, "");
    assert_eq!(ran.status, 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn server(root: &Path, name: &str, arguments: &[String]) -> Vec<String> {
    let path = root.join(format!("node_modules/@modelcontextprotocol/{name}/dist/index.js"));
    [&[path.display().to_string()], arguments].concat()
}

fn same(through: &[Value], bare: &[Value]) {
    assert_eq!(through.len(), bare.len());
    for (one, other) in through.iter().zip(bare) {
        assert!(one == other, "{one:.2000}\n\n{other:.2000}");
    }
}

#[test]
fn the_file_server() {
    let Some((_, root)) = root() else { return };
    let guard = Guard::new("");
    let dir = guard.path("work");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("a.txt"), "one\ntwo\n").unwrap();
    fs::write(dir.join("b.txt"), "three\n").unwrap();
    let at = |name: &str| dir.join(name).display().to_string();
    let tool =
        |name: &str, arguments: Value| json!(["callTool", {"name": name, "arguments": arguments}]);
    let calls = json!([
        ["listTools"],
        tool("read_text_file", json!({"path": at("a.txt")})),
        tool("read_text_file", json!({"path": at("a.txt"), "head": 1})),
        tool("read_multiple_files", json!({"paths": [at("a.txt"), at("b.txt")]})),
        tool("list_directory", json!({"path": at("")})),
        tool("directory_tree", json!({"path": at("")})),
        tool("search_files", json!({"path": at(""), "pattern": "*.txt"})),
        tool("list_allowed_directories", json!({})),
        // The server's own refusal stays the server's.
        tool("read_text_file", json!({"path": "/nowhere/else"})),
        tool("no_such_tool", json!({})),
    ]);
    let server = server(&root, "server-filesystem", &[dir.display().to_string()]);
    let bare = outcomes(&guard, &[], &server, &calls);
    let policy = guard.path("policy.yaml");
    fs::write(&policy, READING).unwrap();
    let policy = policy.display().to_string();
    let proxy = ["mcp", "--policy", &policy];
    same(&outcomes(&guard, &proxy, &server, &calls), &bare);
    assert!(bare[0][2]["tools"].as_array().unwrap().len() > 10, "{}", bare[0]);
    assert!(bare[1].to_string().contains("one\\ntwo"), "{}", bare[1]);
    // Dangerous: the server alone would do it.
    let calls = json!([
        tool("write_file", json!({"path": at(".git/hooks/pre-commit"), "content": "x"})),
        tool(
            "edit_file",
            json!({"path": at("a.txt"), "edits": [{"oldText": "one", "newText": "1"}]})
        ),
        tool("move_file", json!({"source": at("a.txt"), "destination": at("c.txt")})),
        tool("read_text_file", json!({"path": at("a.txt")})),
    ]);
    fs::create_dir_all(dir.join(".git/hooks")).unwrap();
    let stopped = outcomes(&guard, &proxy, &server, &calls);
    for outcome in &stopped[..3] {
        assert_eq!((&outcome[1], &outcome[2]), (&"error".into(), &json!(-32600)), "{outcome}");
        let message = outcome[3].as_str().unwrap();
        assert!(
            message.contains("MCP error -32600: rampart: denied: ")
                && message.contains("[mine/no-writes] only reading"),
            "{message}"
        );
    }
    assert_eq!(stopped[3][1], "result", "{}", stopped[3]);
    assert!(dir.join("a.txt").exists() && !dir.join(".git/hooks/pre-commit").exists());
    let done = outcomes(&guard, &[], &server, &calls);
    assert!(done[..3].iter().all(|outcome| outcome[1] == "result"), "{done:?}");
    assert!(dir.join("c.txt").exists() && dir.join(".git/hooks/pre-commit").exists());
}

#[test]
fn the_server_that_has_everything() {
    let Some((_, root)) = root() else { return };
    let guard = Guard::new("");
    let tool =
        |name: &str, arguments: Value| json!(["callTool", {"name": name, "arguments": arguments}]);
    let server = server(&root, "server-everything", &["stdio".to_owned()]);
    let listed =
        outcomes(&guard, &[], &server, &json!([["listTools"], ["listResources"], ["listPrompts"]]));
    let names = |at: usize, list: &str, name: &str| -> Vec<String> {
        let items = listed[at][2][list].as_array().unwrap();
        items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let (tools, resources, prompts) =
        (names(0, "tools", "name"), names(1, "resources", "uri"), names(2, "prompts", "name"));
    let named = |part: &str| tools.iter().find(|name| name.to_lowercase().contains(part)).cloned();
    let mut calls = vec![
        json!(["ping"]),
        json!(["listTools"]),
        json!(["listPrompts"]),
        json!(["listResourceTemplates"]),
        tool(&named("echo").unwrap(), json!({"message": "é \u{1f600} \"quoted\""})),
        json!(["getPrompt", {"name": prompts[0]}]),
    ];
    if let Some(sum) = named("sum") {
        calls.push(tool(&sum, json!({"a": 2, "b": 40})));
    }
    if let Some(image) = named("image") {
        calls.push(tool(&image, json!({})));
    }
    let text = resources.iter().find(|uri| uri.contains("document") || uri.contains("text"));
    if let Some(uri) = text.or(resources.first()) {
        calls.push(json!(["readResource", {"uri": uri}]));
    }
    if let Some(long) = named("long") {
        let arguments = json!({"name": long, "arguments": {"duration": 1, "steps": 4}});
        calls.push(json!(["callTool", arguments, {"progress": true}]));
        // Cancelled: the client hears nothing more of it, and everything goes on.
        let arguments = json!({"name": long, "arguments": {"duration": 3, "steps": 2}});
        calls.push(json!(["callTool", arguments, {"cancel": 300}]));
    }
    if let Some(sampling) = named("sampling") {
        calls.push(tool(&sampling, json!({"prompt": "say something", "maxTokens": 5})));
    }
    calls.push(json!(["ping"]));
    let calls = Value::Array(calls);
    let bare = outcomes(&guard, &[], &server, &calls);
    let policy = guard.path("policy.yaml");
    // A name with `run` in it says that it may change something.
    fs::write(&policy, READING.replace("mcp-dangerous, ", "")).unwrap();
    let proxy = ["mcp", "--policy", &policy.display().to_string()];
    let through = outcomes(&guard, &proxy, &server, &calls);
    same(&through, &bare);
    let results = bare.iter().filter(|outcome| outcome[1] == "result").count();
    assert!(results + 2 >= bare.len() && results > 6, "{bare:?}");
    assert!(bare.iter().any(|outcome| outcome[3] == true), "no progress: {bare:?}");
}
