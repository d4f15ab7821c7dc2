//! What is in force: `rules`, `policy show`, and how an answer came about.

use crate::support::{POLICY, User, words};
use serde_json::{Value, json};

const MORE: &str = r#"
default_action: deny
on_unparseable: deny
record: notable
policies:
  - name: more
    match: {tool: [exec, read]}
    priority: 5
    rules:
      - {name: a, action: deny, severity: high, message: "not\nthat", when: {program: x-a}}
      - {action: allow, once: true, expires_at: 2099-01-01, when: {program: x-b}}
      - {name: c, action: ask, when: {response_matches: c}}
"#;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_rule_is_listed() {
    let user = User::new();
    user.write("more.yaml", MORE);
    let found = user.rampart(&words("rules --policy more.yaml"));
    assert_eq!(found.status, 0, "{}", found.stderr);
    let expected = "\
user: more.yaml
  deny    high     more/a  not\\nthat
  allow   -        more/2  (once, until 2099-01-01T00:00:00Z)
  ask     -        more/c  (on output)
anything else: deny
";
    assert_eq!(found.stdout, expected);
    let found = parsed(&user.rampart(&words("rules --policy more.yaml --json")).stdout);
    assert_eq!(
        found["rules"],
        json!([
            {"layer": 1, "level": "user", "policy": "more", "rule": "a", "action": "deny",
             "severity": "high", "tools": ["exec", "read"], "message": "not\nthat"},
            {"layer": 1, "level": "user", "policy": "more", "rule": "2", "action": "allow",
             "tools": ["exec", "read"], "expires_at": 4_070_908_800_u64, "once": true},
            {"layer": 1, "level": "user", "policy": "more", "rule": "c", "action": "ask",
             "tools": ["exec", "read"], "response": true},
        ])
    );
    let settings = json!({"default_action": "deny", "on_no_approver": "deny",
        "on_too_complex": "ask", "on_unparseable": "deny", "record": "notable"});
    assert_eq!(found["effective"], settings);
}

#[test]
fn layers_are_shown_apart() {
    let user = User::new();
    user.write(".config/rampart/policy.d/own.yaml", MORE.to_owned() + "out_of_reach: [~/keys]\n");
    let project =
        POLICY.replace("action: watch", "action: allow").replace("action: webhook", "action: ask");
    user.write(
        ".rampart/policy.yaml",
        project.replace(r#"webhook: {url: "https://localhost/none"}, "#, "")
            + "\nout_of_reach: [/srv/v]\n",
    );
    let shown = user.rampart(&words("policy show"));
    assert_eq!(shown.status, 0, "{}", shown.stderr);
    for part in [
        "in force\n  default_action  deny\n",
        "built-in profile standard (",
        "  out_of_reach    ~/keys\n  out_of_reach    /srv/v\n",
        "own.yaml (3 policies, 6 rules, ",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    assert!(!shown.stdout.contains("more (3 rules"), "{}", shown.stdout);
    let shown = user.rampart(&words("policy show --layers"));
    for part in [
        "    more (3 rules; exec, read)",
        "    on_unparseable  deny",
        "    test (7 rules; all tools)",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let json = parsed(&user.rampart(&words("policy show --json")).stdout);
    let levels: Vec<_> =
        json["layers"].as_array().unwrap().iter().map(|layer| &layer["level"]).collect();
    assert_eq!(levels, ["built-in", "user", "project"]);
    // What a project would grant is listed as what it is.
    let rules = user.rampart(&words("rules")).stdout;
    let look = rules.lines().find(|line| line.contains("test/look ")).unwrap_or_default();
    assert!(look.ends_with("(ignored: a project may only restrict)"), "{rules}");
    assert!(rules.lines().last() == Some("anything else: deny"), "{rules}");
}

#[test]
fn how_an_answer_came_about() {
    let user = User::new();
    user.write("base.yaml", POLICY);
    user.write(
        "user-overrides.yaml",
        "policies: [{name: own, rules: [{name: r, action: allow, when: {program: [x-ask, x-deny]}}]}]",
    );
    for (file, out) in [("base.yaml", "a.img"), ("user-overrides.yaml", "b.img")] {
        assert_eq!(user.rampart(&["policy", "compile", "-o", out, file]).status, 0);
    }
    let images = format!("{}:{}", user.path("a.img").display(), user.path("b.img").display());
    let explain = |arguments: &[&str]| {
        let found = user.command(arguments).env("RAMPART_IMAGE", &images).output().unwrap();
        (found.status.code(), String::from_utf8(found.stdout).unwrap())
    };
    for (shell, parts) in [
        ("x-none", &["    no rule matches\n", "as strict as the default: allow"][..]),
        (
            "x-deny",
            &[
                "deny     test/no: use x-other\n",
                "allow    own/r\n",
                "the strictest answer counts: deny",
            ],
        ),
        (
            "x-ask",
            &["ask      test/maybe\n", "operator's allow goes before everything but a deny: allow"],
        ),
        ("x-ask; x-none", &["own/r: does not count, it covers 1 of 2 commands", "counts: ask"]),
        ("x-ask; x-deny", &["test/maybe: does not count, a rule before it in its policy answers"]),
        ("x-watch; ( (", &["`on_unparseable` is stricter than what the rules say: ask"]),
    ] {
        let (status, text) = explain(&["policy", "explain", "--shell", shell]);
        assert_eq!(status, Some(0), "{text}");
        for part in parts {
            assert!(text.contains(part), "{shell}: {part}: {text}");
        }
        assert_eq!(explain(&["check", "--explain", "--shell", shell]).1, text);
    }
    assert_eq!(explain(&["check", "--explain", "--shell", "x-deny"]).0, Some(1));
    let found = parsed(&explain(&["check", "--json", "--shell", "x-ask"]).1);
    let layers: Vec<_> =
        found["matched"].as_array().unwrap().iter().map(|rule| &rule["layer"]).collect();
    assert_eq!(layers, [0, 1]);
}
