use super::*;

fn case(line: &str) -> Case {
    match parse(line.as_bytes()).parsed {
        Ok(Parsed::Case(case)) => *case,
        other => panic!("{line}: {other:?}"),
    }
}

fn shell(text: &str) -> Call {
    Call::Shell(text.as_bytes().to_vec())
}

fn argv(words: &[&[u8]]) -> Call {
    Call::Argv(words.iter().map(|word| word.to_vec()).collect())
}

#[test]
fn every_spelling_of_a_command() {
    let cases = [
        (r#"{"command":"ls"}"#, shell("ls")),
        (r#"{"tool":"exec","params":{"command":"ls"}}"#, shell("ls")),
        (r#"{"tool":"exec","params":{"cmd":"ls"}}"#, shell("ls")),
        (r#"{"tool":"exec","params":{"input":"ls"}}"#, shell("ls")),
        (r#"{"tool":"exec","input":{"cmd":"ls"}}"#, shell("ls")),
        (r#"{"params":{"command":"ls"},"input":{"command":"ls"},"command":"ls"}"#, shell("ls")),
        (r#"{"tool":"mcp","params":{"command":"ls"}}"#, shell("ls")),
        (r#"{"tool":"mcp","params":{"cmd":"ls","input":["ls"]}}"#, Call::Nothing),
        (r#"{"tool":"exec"}"#, Call::Nothing),
        (r#"{"tool":"exec","command":""}"#, shell("")),
        (r#"{"command":"ls","argv":null}"#, shell("ls")),
        (r#"{"argv":["ls","-l"]}"#, argv(&[b"ls", b"-l"])),
        (r#"{"argv":["ls",{"b64":"/w=="}]}"#, argv(&[b"ls", b"\xff"])),
        (r#"{"command":{"b64":"/w=="}}"#, Call::Shell(vec![0xff])),
    ];
    for (line, call) in cases {
        assert_eq!(case(line).call, call, "{line}");
    }
}

#[test]
fn every_spelling_of_a_path_and_an_address() {
    let cases = [
        (r#"{"tool":"read","path":"/a"}"#, Some("/a"), None),
        (r#"{"tool":"read","params":{"file_path":"/a","target":"/a"}}"#, Some("/a"), None),
        (r#"{"tool":"write","input":{"filepath":"/a"}}"#, Some("/a"), None),
        (r#"{"tool":"grep","params":{"file":"/a"}}"#, None, None),
        (r#"{"tool":"mcp-destructive","params":{"file":"/a"}}"#, Some("/a"), None),
        (r#"{"tool":"fetch","params":{"href":"http://x"}}"#, None, Some("http://x")),
        (r#"{"tool":"search","params":{"href":"http://x"}}"#, None, None),
        (r#"{"tool":"search","url":"http://x"}"#, None, Some("http://x")),
    ];
    for (line, path, url) in cases {
        let found = case(line);
        assert_eq!(found.path.as_deref(), path.map(str::as_bytes), "{line}");
        assert_eq!(found.url.as_deref(), url.map(str::as_bytes), "{line}");
    }
}

#[test]
fn the_rest_of_a_case() {
    let found = case(
        r#"{"tool":"mcp","agent":"a","session":"s","agent_depth":2,"cwd":"/w","label":"x",
            "params":{"q":"text","n":1.5},"input":{"deep":{"a":[1,null,true]},"big":18446744073709551615}}"#,
    );
    assert_eq!((found.agent, found.session), (b"a".to_vec(), b"s".to_vec()));
    assert_eq!((found.agent_depth, found.cwd), (2, Some(b"/w".to_vec())));
    let params: Vec<(&[u8], &[u8])> = vec![
        (b"q", b"text"),
        (b"n", b"1.5"),
        (b"deep", br#"{"a":[1,null,true]}"#),
        (b"big", b"18446744073709551615"),
    ];
    let found: Vec<_> = found.params.iter().map(|(n, v)| (n.as_slice(), v.as_slice())).collect();
    assert_eq!(found, params);
}

#[test]
fn what_is_ambiguous_is_refused() {
    let long = format!(r#"{{"tool":"read","path":"/{}"}}"#, "x".repeat(LONGEST_NAME));
    let agent = format!(r#"{{"tool":"read","agent":"{}"}}"#, "x".repeat(LONGEST_NAME + 1));
    let cases = [
        (r#"{"command":"ls","params":{"command":"rm"}}"#, "`command` and `params.command` differ"),
        (
            r#"{"params":{"command":"ls"},"input":{"cmd":"rm"}}"#,
            "`params.command` and `input.cmd` differ",
        ),
        (r#"{"params":{"command":"ls","cmd":"rm"}}"#, "differ"),
        (r#"{"tool":"write","params":{"file_path":"/a","path":"/b"}}"#, "differ"),
        (r#"{"tool":"fetch","params":{"url":"http://a","uri":"http://b"}}"#, "differ"),
        (r#"{"params":{"command":["ls"]}}"#, "`params.command` is no string"),
        (r#"{"params":{"command":{"b64":"bHM="}}}"#, "`params.command` is no string"),
        (r#"{"params":{"command":null}}"#, "is no string"),
        (r#"{"command":7}"#, "`command` is no string"),
        (r#"{"command":"ls","argv":["ls"]}"#, "`argv` and a command"),
        (r#"{"command":"ls","command":"rm"}"#, "`command` stands there twice"),
        (r#"{"command":"ls","params":{"a":{"b":1,"b":2}}}"#, "`b` stands there twice"),
        (&long, "the path is 8193 bytes long"),
        (&agent, "the agent is 8193 bytes long"),
    ];
    for (line, part) in cases {
        match parse(line.as_bytes()).parsed {
            Ok(Parsed::Refused(refusal)) => {
                assert!(refusal.message.contains(part), "{line}: {}", refusal.message);
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn commands_have_no_size_limit() {
    let text = "x".repeat(1 << 20);
    assert_eq!(case(&format!(r#"{{"command":"{text}"}}"#)).call, shell(&text));
}

#[test]
fn bad_lines_say_what_is_wrong() {
    let deep = "[".repeat(10_000);
    let cases = [
        ("", "is no JSON: EOF"),
        ("{", "is no JSON: EOF while parsing an object at column 1"),
        ("[]", "is no JSON object"),
        ("null", "is no JSON object"),
        (r#"{"command":"ls"} x"#, "is no JSON: trailing characters"),
        (r#"{"command":"ls"}{}"#, "is no JSON: trailing characters"),
        ("{}", "holds no call"),
        (r#"{"comand":"ls"}"#, "holds no call"),
        (r#"{"tool":1}"#, "`tool` must be a string"),
        (r#"{"command":"ls","agent":[]}"#, "`agent` must be a string"),
        (r#"{"command":"ls","session":{}}"#, "`session` must be a string"),
        (r#"{"command":"ls","agent_depth":-1}"#, "`agent_depth` must be a whole number"),
        (r#"{"command":"ls","agent_depth":"1"}"#, "`agent_depth` must be a whole number"),
        (r#"{"command":"ls","agent_depth":4294967296}"#, "`agent_depth` must be a whole number"),
        (r#"{"command":"ls","cwd":"w"}"#, "`cwd` must be an absolute path"),
        (r#"{"params":[]}"#, "`params` must be an object"),
        (r#"{"input":"ls"}"#, "`input` must be an object"),
        (r#"{"argv":"ls"}"#, "`argv` must be a list"),
        (r#"{"argv":[]}"#, "`argv` must be a list"),
        (r#"{"argv":["ls",1]}"#, "`argv` must be a list"),
        (&deep, "recursion limit"),
    ];
    for (line, part) in cases {
        match parse(line.as_bytes()).parsed {
            Err(error) => assert!(error.contains(part), "{line}: {error}"),
            other => panic!("{line}: {other:?}"),
        }
    }
    assert!(parse(b"{\"command\":\"\xff\"}").parsed.unwrap_err().contains("is no JSON"));
}

#[test]
fn ids_come_back_as_they_are() {
    for id in ["1", "\"x\"", "null", "[1]", "{\"a\":1}"] {
        let line = parse(format!(r#"{{"id":{id},"command":"ls","cmd":1}}"#).as_bytes());
        assert_eq!(line.id.unwrap().to_string(), id);
        assert!(line.parsed.is_ok());
    }
    assert!(parse(br#"{"command":"ls"}"#).id.is_none());
    assert!(parse(br#"{"id":7,"argv":1}"#).id.is_some());
}
