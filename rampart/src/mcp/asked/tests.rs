use super::*;

fn asked(method: &str, params: Value, server: &Server) -> Result<Option<Payload>, String> {
    let Value::Object(params) = params else { panic!("no object") };
    payload(&Request { method, params: &params, session: "s", call: "1".into() }, server)
}

#[test]
fn what_requests_mean() {
    let annotations = json!({"destructiveHint": true, "readOnlyHint": false});
    let tool = |arguments: &[&str]| Tool {
        annotations: annotations.as_object().unwrap().clone(),
        arguments: arguments.iter().map(|name| (*name).to_owned()).collect(),
    };
    let tools = [("tidy", tool(&["Path"])), ("write_file", tool(&["path"]))];
    let tools = tools.map(|(name, tool)| (name.to_owned(), tool)).into();
    let server = Server { name: "files".into(), tools };
    let cases = [
        (
            "tools/call",
            json!({"name": "tidy", "arguments": {"Path": "/x"}}),
            Does::Mcp("mcp-destructive"),
            "path",
            "/x",
        ),
        (
            "tools/call",
            json!({"name": "write_file", "arguments": {"path": "/x"}}),
            Does::Mcp("write"),
            "mcp.annotations.destructiveHint",
            "true",
        ),
        ("tools/call", json!({"name": "search"}), Does::Mcp("mcp"), "mcp.server", "files"),
        (
            "resources/read",
            json!({"uri": "file:///etc/%73hadow"}),
            Does::Read,
            "path",
            "/etc/shadow",
        ),
        ("resources/read", json!({"uri": "FILE:/etc/x"}), Does::Read, "path", "/etc/x"),
        ("resources/read", json!({"uri": "file://localhost/a?b"}), Does::Read, "path", "/a"),
        ("resources/read", json!({"uri": "https://h/x"}), Does::Fetch, "url", "https://h/x"),
        ("resources/read", json!({"uri": "demo://x"}), Does::Other("read"), "uri", "demo://x"),
        (
            "prompts/get",
            json!({"name": "p", "arguments": {"path": "/x"}}),
            Does::Mcp("read"),
            "path",
            "/x",
        ),
    ];
    for (method, params, does, name, value) in cases {
        let payload = asked(method, params.clone(), &server).unwrap().unwrap();
        assert_eq!(payload.does, Some(does), "{params}");
        let found =
            payload.input[name].as_str().map_or(payload.input[name].to_string(), str::to_owned);
        assert_eq!(found, value, "{params}");
    }
}

#[test]
fn what_cannot_be_read_in_one_way() {
    let server = Server::default();
    for (method, params, part) in [
        ("tools/call", json!({}), "`name`"),
        ("tools/call", json!({"name": "a", "arguments": [1]}), "no object"),
        ("tools/call", json!({"name": "a", "arguments": {"PATH": "/x"}}), "`PATH`"),
        ("tools/call", json!({"name": "a", "arguments": {"MCP.tool": "b"}}), "own"),
        ("resources/read", json!({"uri": "file:///a%zz"}), "no file"),
        ("resources/read", json!({"uri": "file://host"}), "no file"),
        ("resources/read", json!({"uri": 1}), "`uri`"),
    ] {
        let why = asked(method, params.clone(), &server).unwrap_err();
        assert!(why.contains(part), "{params}: {why}");
    }
    assert_eq!(asked("ping", json!({}), &server), Ok(None));
}
