use super::*;
use std::path::Path;

fn from_client(line: &str) -> Result<Message, Refused> {
    parse(line.as_bytes(), From::Client)
}

#[test]
fn what_is_a_message() {
    let request =
        from_client(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}"#);
    let Ok(Message::Request { id: Id::Number(7), method, params }) = request else {
        panic!("{request:?}")
    };
    assert_eq!((method.as_str(), &params["name"]), ("tools/call", &"a".into()));
    let kinds = [
        (r#"{"jsonrpc":"2.0","method":"notifications/x"}"#, "Notification"),
        (r#"{"jsonrpc":"2.0","id":"a","result":{}}"#, "Response"),
        (r#"{"jsonrpc":"2.0","id":-1,"error":{"code":1,"message":"m"}}"#, "Response"),
        (
            r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping","other":{"A":1,"b":1}}"#,
            "Request",
        ),
    ];
    for (line, kind) in kinds {
        let message = from_client(line);
        assert!(format!("{message:?}").contains(kind), "{line}: {message:?}");
    }
}

#[test]
fn what_is_none() {
    let cases = [
        ("", "no JSON", false),
        ("[]", "no JSON object", false),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "no JSON object", false),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, "no JSON", false),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, "`id` twice", false),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"x"}"#, "`method` twice", true),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"a","na\u006de":"b"}}"#,
            "`name` twice",
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"arguments":{"p":{"x":1,"x":2}}}}"#,
            "`x` twice",
            true,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"Method":"ping","method":"ping"}"#, "`Method`", true),
        (r#"{"jsonrpc":"2.0","id":1,"ID":2,"method":"ping"}"#, "`ID`", false),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"Name":"a"}}"#, "`Name`", true),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"argument\u017f":{}}}"#,
            "argument",
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"arguments":{"path":"a","Path":"b"}}}"#,
            "different case",
            true,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"arguments":{"o":[{"k":1,"\u212a":2}]}}}"#,
            "different case",
            true,
        ),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "an `id` that", false),
        (r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#, "an `id` that", false),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "an `id` that", false),
        (
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#,
            "without an `id`",
            false,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#, "no object", true),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#, "neither", true),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, "neither", true),
        (r#"{"jsonrpc":"2.0","result":{}}"#, "answers nothing", false),
        (r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#, "2.0", true),
        (r#"{"id":1,"method":"a"}"#, "2.0", true),
        (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"\ud800"}}"#, "no JSON", false),
    ];
    for (line, part, has_id) in cases {
        let refused = from_client(line).expect_err(line);
        assert!(refused.why.contains(part), "{line}: {}", refused.why);
        assert_eq!(refused.id.is_some(), has_id, "{line}: {refused:?}");
    }
    let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"a"}}"#, "x".repeat(1025));
    assert!(from_client(&long).is_err());
    let deep = format!("{{\"a\":{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert!(from_client(&deep).is_err());
}

#[test]
fn a_server_may_answer_with_names_of_any_case() {
    let line = r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"A":1,"a":2}}}"#;
    assert!(parse(line.as_bytes(), From::Server).is_ok());
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"Content":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"Result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"a":1,"a":2}}}"#,
    ] {
        assert!(parse(line.as_bytes(), From::Server).is_err(), "{line}");
    }
}

/// A generator of its own: SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % below as u64).unwrap()
    }
}

/// An object as text, with the names that were put into it, one object after the other.
fn object(dice: &mut Dice, depth: usize, text: &mut String, is_twice: &mut bool) {
    const NAMES: [&str; 8] = ["path", "Path", "pa\\u0074h", "k", "\\u212A", "name", "x", "y"];
    const READ: [&str; 8] = ["path", "path", "path", "k", "k", "name", "x", "y"];
    let mut seen = Vec::new();
    text.push('{');
    for at in 0..dice.roll(5) {
        let name = dice.roll(NAMES.len());
        *is_twice |= seen.contains(&READ[name]);
        seen.push(READ[name]);
        let comma = if at > 0 { "," } else { "" };
        text.push_str(&format!("{comma}\"{}\":", NAMES[name]));
        match dice.roll(4) {
            0 if depth > 0 => object(dice, depth - 1, text, is_twice),
            1 if depth > 0 => {
                text.push('[');
                object(dice, depth - 1, text, is_twice);
                text.push(']');
            }
            2 => text.push_str("\"a\""),
            _ => text.push('1'),
        }
    }
    text.push('}');
}

#[test]
fn whatever_is_taken_is_the_same_to_everybody() {
    let mut dice = Dice(8);
    let mut taken = 0;
    for _ in 0..20_000 {
        let (mut arguments, mut is_twice) = (String::new(), false);
        object(&mut dice, 4, &mut arguments, &mut is_twice);
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a","arguments":{arguments}}}}}"#
        );
        assert_eq!(from_client(&line).is_err(), is_twice, "{line}");
        taken += usize::from(!is_twice);
    }
    assert!((1000..19_000).contains(&taken), "{taken}");
}

#[test]
fn bytes_at_random_never_make_it_fail() {
    let mut dice = Dice(9);
    let seed = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"p":"\u00e9"}}}"#;
    for _ in 0..50_000 {
        let mut line = seed.to_vec();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(line.len());
            match dice.roll(3) {
                0 => line[at] = u8::try_from(dice.roll(256)).unwrap(),
                1 => drop(line.remove(at)),
                _ => line.insert(at, b"{}[]\",:\\\0"[dice.roll(9)]),
            }
        }
        // Whatever it is, what it holds is what a second reader finds in it.
        if let Ok(Message::Request { method, params, .. }) = parse(&line, From::Client) {
            let read: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(read["method"], method.as_str());
            assert_eq!(
                read.get("params").and_then(Value::as_object).unwrap_or(&Map::new()),
                &params
            );
        }
    }
}

#[path = "../../../../fuzz/src/checks/mcp.rs"]
mod check;

/// Inputs that the fuzz target kept, and lines that are changed at random, the same ones each time.
#[test]
fn what_fuzzing_found() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions/mcp");
    for entry in std::fs::read_dir(kept).into_iter().flatten() {
        check::mcp(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    let lines = [
        r#"{"jsonrpc":"2.0","id":1,"method":"a/b","params":{"name":"a","c":[{"d":-1.5e3}]}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"Name":null,"\u017f":true}}"#,
        r#"{"jsonrpc":"2.0","id":"x","result":{"content":[{"text":"a"},{"Text":"b"}]}}"#,
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit as u64).unwrap()
    };
    for _ in 0..3000 {
        let mut line = lines[below(lines.len())].as_bytes().to_vec();
        for _ in 0..=below(3) {
            let (from, to) = (below(line.len()), below(line.len()));
            match below(4) {
                0 => line[from] = b"\"{}[]:,0aA\\ "[below(12)],
                1 => drop(line.remove(from)),
                2 => line.insert(from, line[to]),
                _ => line.swap(from, to),
            }
        }
        check::mcp(&line);
    }
}
