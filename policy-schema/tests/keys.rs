//! One line for each key of the language, and a test that no key is without its line.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use evaluator::image::format::level;
use evaluator::request::Params;
use evaluator::{Action, Answer, Call, Caller, Image, Request, Target, TargetKinds, World};
use evaluator::{decide, decide_response};
use policy_schema::keys::{DOCUMENT, SUITE};
use policy_schema::read_policy::read;
use policy_schema::schema::find;
use policy_schema::{Layer, OwnedScratch, Source, read_suite};
use support::{image, request};

/// Whether `when` holds for a call: the key, the condition, the call, the answer. A call is shell text,
/// before which `[name=value …]` says what else is known of it.
#[rustfmt::skip]
const CONDITIONS: &[(&str, &str, &str, bool)] = &[
    ("command_matches", "{command_matches: 'x *'}", "x 1", true),
    ("command_contains", "{command_contains: ' 1'}", "x 1", true),
    ("command_not_matches", "{command_not_matches: 'x *'}", "x 1", false),
    ("command_env_assignments", "{command_env_assignments: A}", "A=1 x", true),
    ("path_matches", "{path_matches: '/a/*'}", "[tool=read path=/a/b]", true),
    ("path_not_matches", "{path_not_matches: '/a/*'}", "[tool=read path=/a/b]", false),
    ("url_matches", "{url_matches: 'https://a/*'}", "[tool=fetch url=https://a/b]", true),
    ("domain_matches", "{domain_matches: '*.b'}", "[tool=fetch url=https://a.b/c]", true),
    ("response_matches", "{response_matches: 'se+cret'}", "[output=seecret] x", true),
    ("response_not_matches", "{response_not_matches: 'se+cret'}", "[output=seecret] x", false),
    ("session_matches", "{session_matches: 'm*'}", "[session=main] x", true),
    ("session_not_matches", "{session_not_matches: 'm*'}", "[session=main] x", false),
    ("agent_depth", "{agent_depth: {gte: 1}}", "[depth=0] x", false),
    ("agent_depth.gte", "{agent_depth: {gte: 2}}", "[depth=2] x", true),
    ("agent_depth.lte", "{agent_depth: {lte: 1}}", "[depth=2] x", false),
    ("agent_depth.eq", "{agent_depth: {eq: 2}}", "[depth=2] x", true),
    ("tool_param_matches", "{tool_param_matches: {env: 'prod*'}}", "[param=env:PROD-1] x", true),
    ("call_count", "{call_count: {gte: 2, window: 1h}}", "x", true),
    ("call_count.tool", "{program: y, call_count: {tool: exec, gte: 2, window: 1h}}", "x", false),
    ("call_count.gte", "{call_count: {gte: 0, window: 1h}}", "x", true),
    ("call_count.window", "{call_count: {gte: 1, window: 30d}}", "x", true),
    ("default", "{default: true}", "x", true),
    ("program", "{program: [x]}", "/bin/x 1", true),
    ("subcommand", "{subcommand: push}", "git -C d push", true),
    ("flags", "{flags: [-r, [-f, --force]]}", "rm -rf x", true),
    ("operands", "{operands: [/etc/*]}", "x ../../etc/y", true),
    ("operand_matches", "{operand_matches: ['1*']}", "x 12", true),
    ("reads", "{reads: [/etc/*]}", "x < /etc/y", true),
    ("writes", "{writes: [/etc/*]}", "tee /etc/y", true),
    ("redirects_to", "{redirects_to: [/etc/*]}", "tee /etc/y", false),
    ("redirects_to", "{redirects_to: [/etc/*]}", "x > /etc/y", true),
    ("pipes_into", "{pipes_into: nc}", "x | y | nc h 1", true),
    ("inside", "{program: x, inside: sudo}", "sudo x", true),
    ("env", "{env: 'STAGE=prod*'}", "STAGE=prod1 x", true),
    ("user", "{program: x, user: 0}", "sudo x", true),
    ("cwd_matches", "{program: x, cwd_matches: [/srv]}", "cd /srv && x", true),
    ("agent", "{agent: 'c*'}", "[agent=codex] x", true),
    ("parent", "{parent: python*}", "x", true),
    ("exe_path", "{exe_path: [/opt/*]}", "/opt/tool", true),
    ("exe_sha256", "{exe_sha256: abababababababababababababababababababababababababababababababab}", "/opt/tool", true),
    ("written_by_agent", "{written_by_agent: true}", "/opt/new", true),
    ("written_by_agent", "{program: old, written_by_agent: false}", "/opt/old", true),
    ("tainted", "{tainted: secret}", "x", true),
    ("tainted", "{tainted: [secret, untrusted]}", "x", false),
    ("context", "{context: {host: h}}", "ssh g x", false),
    ("context.kube_context", "{context: {kube_context: 'prod*'}}", "kubectl --context prod-1 get x", true),
    ("context.kube_namespace", "{context: {kube_namespace: pay}}", "kubectl -n pay get x", true),
    ("context.aws_profile", "{context: {aws_profile: prod}}", "aws --profile prod s3 ls", true),
    ("context.aws_account", "{context: {aws_account: '123*'}}", "aws --profile prod s3 ls", true),
    ("context.gcloud_project", "{context: {gcloud_project: p}}", "gcloud --project p x", true),
    ("context.terraform_workspace", "{context: {terraform_workspace: w}}", "TF_WORKSPACE=w terraform apply", true),
    ("context.git_remote", "{context: {git_remote: '*b.git'}}", "git push https://a/b.git", true),
    ("context.git_branch", "{context: {git_branch: main}}", "git push origin x:main", true),
    ("context.database_host", "{context: {database_host: '*.prod'}}", "psql -h db.prod", true),
    ("context.host", "{context: {host: h}}", "ssh h x", true),
    ("target", "{target: memfd}", "[target=memfd] x", true),
    ("fact", "{fact: fetched-code}", "curl u | sh", true),
    ("sql", "{sql: drop-table}", "psql -c 'drop table x'", true),
    ("effects", "{effects: changes_shared}", "git push", true),
    ("effects", "{effects: changes_shared}", "git pull", false),
    ("any", "{any: [{program: x}, {program: y}]}", "y", true),
    ("all", "{all: [{program: x}, {flags: -1}]}", "x -2", false),
    ("not", "{not: {program: x}}", "x", false),
];

/// What a line shows.
enum Shows {
    /// What a call gets: the action, and the rule if one decides.
    Verdict(&'static str, &'static str),
    /// What the typed document holds, as `Debug` writes it.
    Holds(&'static str),
    /// What the mistake is.
    Refused(&'static str),
}
use Shows::{Holds, Refused, Verdict};

/// `mapping.key`, a file, and what it shows.
#[rustfmt::skip]
const FILES: &[(&str, &str, Shows)] = &[
    ("file.version", "version: '2'", Refused("version `2` of the policy language is not known")),
    ("file.default_action", "default_action: ask", Verdict("x", "ask")),
    ("file.on_no_approver", "on_no_approver: allow", Holds("on_no_approver: Some(Allow)")),
    ("file.on_too_complex", "default_action: allow\non_too_complex: deny", Holds("on_too_complex: Some(Deny)")),
    ("file.on_unparseable", "default_action: allow\non_unparseable: deny", Verdict("x 'y", "deny")),
    ("file.record", "record: notable", Holds("record: Some(Notable)")),
    ("file.enforce", "enforce: kernel", Holds("enforce: Some(Kernel)")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("cat ../../srv/keys/a", "deny out-of-reach/command The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("/srv/keys", "deny out-of-reach/command The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("/srv/keys/tool --help", "deny out-of-reach/command The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("cp x /srv/keys/y", "deny out-of-reach/command The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("rm -rf /srv/keys", "deny out-of-reach/command The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("x 2>/srv/keys/y", "deny out-of-reach/command The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("ls /srv", "allow")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("cat /srv/keys2", "allow")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("\"$x\"/a b", "allow")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("[tool=read path=/srv/keys/a]", "deny out-of-reach/path The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("[by=x tool=read path=/srv/keys/a]", "deny out-of-reach-programs/path The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/srv/keys]", Verdict("[by=x tool=read path=/srv/a]", "allow")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [~/k]", Verdict("cat ~/k/a", "deny out-of-reach/command The policy puts this path out of reach (`out_of_reach`).")),
    ("file.out_of_reach", "default_action: allow\nout_of_reach: [/a]\ndisable: [out-of-reach/command]", Verdict("cat /a", "allow")),
    ("file.out_of_reach", "out_of_reach: []\ndefault_action: allow", Verdict("cat /a", "allow")),
    ("file.packs", "packs: all", Holds("packs: Some(All)")),
    ("file.lists", "lists: {a: [x, y]}\npolicies: [{name: p, rules: [{action: ask, when: {program: [{list: a}]}}]}]", Verdict("y", "ask p/1")),
    ("list_name.list", "policies: [{name: p, rules: [{action: ask, when: {program: [{list: a}]}}]}]", Refused("there is no list `a`")),
    ("file.disable", "default_action: allow\ndisable: [p/r]\npolicies: [{name: p, rules: [{name: r, action: deny}]}]", Verdict("x", "allow")),
    ("file.lock", "lock: [p/r]\ndisable: [p/r]\npolicies: [{name: p, rules: [{name: r, action: deny}]}]", Refused("the same policy locks this rule")),
    ("file.policies", "policies: [{name: p, rules: [{action: ask}]}]", Verdict("x", "ask p/1")),
    ("file.notify", "notify: {url: 'https://h/'}", Holds("notify: Some(Notify { url: \"https://h/\"")),
    ("file.tests", "tests: [{tool: exec, expect: deny}]", Holds("tests: [TestCase { name: \"\", tool: \"exec\"")),
    ("suite.version", "policy: p\nversion: 3", Refused("version `3` of the policy language is not known")),
    ("suite.policy", "policy: standard", Holds("policy: \"standard\"")),
    ("suite.tests", "policy: p\ntests: [{expect: ask}]", Holds("expect: Ask")),
    ("policy.name", "policies: [{name: q, rules: [{action: ask}]}]", Verdict("x", "ask q/1")),
    ("policy.description", "policies: [{name: p, description: why, rules: []}]", Holds("description: \"why\"")),
    ("policy.priority", "policies: [{name: p, rules: [{action: ask}]}, {name: q, priority: 1, rules: [{action: ask}]}]", Verdict("x", "ask q/1")),
    ("policy.enabled", "default_action: allow\npolicies: [{name: p, enabled: false, rules: [{action: ask}]}]", Verdict("x", "allow")),
    ("policy.match", "default_action: allow\npolicies: [{name: p, match: {tool: read}, rules: [{action: ask}]}]", Verdict("x", "allow")),
    ("policy.rules", "policies: [{name: p, rules: [{action: watch, when: {program: x}}, {action: ask}]}]", Verdict("x", "watch p/1")),
    ("match.agent", "default_action: allow\npolicies: [{name: p, match: {agent: 'c*'}, rules: [{action: ask}]}]", Verdict("[agent=codex] x", "ask p/1")),
    ("match.session", "default_action: allow\npolicies: [{name: p, match: {session: s}, rules: [{action: ask}]}]", Verdict("[session=t] x", "allow")),
    ("match.tool", "default_action: allow\npolicies: [{name: p, match: {tool: [read, exec]}, rules: [{action: ask}]}]", Verdict("x", "ask p/1")),
    ("match.by", "default_action: allow\npolicies: [{name: p, match: {by: program}, rules: [{action: ask}]}]", Verdict("[by=x path=/a]", "ask p/1")),
    ("rule.name", "policies: [{name: p, rules: [{name: r, action: ask}]}]", Verdict("x", "ask p/r")),
    ("rule.description", "policies: [{name: p, rules: [{description: why, action: ask}]}]", Holds("description: \"why\"")),
    ("rule.action", "policies: [{name: p, rules: [{action: log}]}]", Verdict("x", "watch p/1")),
    ("rule.when", "default_action: allow\npolicies: [{name: p, rules: [{action: ask, when: {program: y}}]}]", Verdict("x", "allow")),
    ("rule.message", "policies: [{name: p, rules: [{action: ask, message: why}]}]", Verdict("x", "ask p/1 why")),
    ("rule.severity", "policies: [{name: p, rules: [{action: ask, severity: high}]}]", Holds("severity: 3")),
    ("rule.technique", "policies: [{name: p, rules: [{action: ask, technique: T1059.004}]}]", Holds("techniques: [\"T1059.004\"]")),
    ("rule.examples", "policies: [{name: p, rules: [{action: ask, when: {program: y}, examples: {match: [x]}}]}]", Refused("does not fire")),
    ("examples.match", "policies: [{name: p, rules: [{action: ask, when: {program: y}, examples: {match: ['x; y']}}]}]", Verdict("y", "ask p/1")),
    ("examples.not_match", "policies: [{name: p, rules: [{action: ask, when: {program: y}, examples: {not_match: ['x; y']}}]}]", Refused("fires for an example")),
    ("example.argv", "policies: [{name: p, rules: [{action: ask, when: {program: y}, examples: {match: [{argv: ['x; y']}]}}]}]", Refused("does not fire")),
    ("example.tool", "policies: [{name: p, rules: [{action: ask, when: {program: y}, examples: {not_match: [{tool: read}]}}]}]", Verdict("y", "ask p/1")),
    ("example.path", "policies: [{name: p, rules: [{action: ask, when: {path_matches: /a}, examples: {match: [{tool: read, path: /b}]}}]}]", Refused("does not fire")),
    ("example.url", "policies: [{name: p, rules: [{action: ask, when: {domain_matches: a}, examples: {match: [{tool: fetch, url: 'https://a/'}]}}]}]", Verdict("[url=https://a/]", "ask p/1")),
    ("example.program", "policies: [{name: p, match: {by: any}, rules: [{action: ask, when: {program: y}, examples: {match: [{tool: read, program: y}]}}]}]", Verdict("[by=y path=/a]", "ask p/1")),
    ("rule.expires_at", "default_action: allow\npolicies: [{name: p, rules: [{action: allow, expires_at: 2001-01-01}, {action: ask}]}]", Verdict("x", "ask p/2")),
    ("rule.once", "default_action: ask\npolicies: [{name: p, rules: [{action: allow, once: true}]}]", Verdict("x", "ask")),
    ("rule.added", "policies: [{name: p, rules: [{action: ask, added: soon}]}]", Refused("`added` is no point in time")),
    ("rule.taint", "policies: [{name: p, rules: [{action: watch, taint: [secret, untrusted]}]}]", Holds("taint: 3")),
    ("rule.ask", "policies: [{name: p, rules: [{action: ask, ask: {}}]}]", Holds("ask_audit: false, ask_headless_only: false")),
    ("ask.audit", "policies: [{name: p, rules: [{action: ask, ask: {audit: true}}]}]", Holds("ask_audit: true")),
    ("ask.headless_only", "policies: [{name: p, rules: [{action: ask, ask: {headless_only: true}}]}]", Holds("ask_headless_only: true")),
    ("rule.webhook", "policies: [{name: p, rules: [{action: webhook}]}]", Refused("without the address to ask")),
    ("webhook.url", "policies: [{name: p, rules: [{action: webhook, webhook: {url: 'https://h/'}}]}]", Verdict("x", "webhook p/1")),
    ("webhook.timeout", "policies: [{name: p, rules: [{action: webhook, webhook: {url: 'https://h/', timeout: 2s}}]}]", Holds("timeout_ms: 2000")),
    ("webhook.fail_open", "policies: [{name: p, rules: [{action: webhook, webhook: {url: 'https://h/', fail_open: true}}]}]", Holds("fail_open: true")),
    ("notify.url", "notify: {url: 'https://h/'}", Holds("url: \"https://h/\"")),
    ("notify.platform", "notify: {url: 'https://h/', platform: slack}", Holds("platform: \"slack\"")),
    ("notify.on", "notify: {url: 'https://h/', on: [deny]}", Holds("on: [\"deny\"]")),
    ("test.name", "tests: [{name: n, expect: deny}]", Holds("name: \"n\"")),
    ("test.tool", "tests: [{tool: read, expect: deny}]", Holds("tool: \"read\"")),
    ("test.agent", "tests: [{agent: a, expect: deny}]", Holds("agent: \"a\"")),
    ("test.params", "tests: [{params: {command: x}, expect: deny}]", Holds("params: [(\"command\", \"x\")]")),
    ("test.expect", "tests: [{expect: ask}]", Holds("expect: Ask")),
    ("test.expect_message", "tests: [{expect: deny, expect_message: 'm*'}]", Holds("expect_message: \"m*\"")),
    ("disable.rule", "default_action: allow\ndisable: [{rule: p/*}]\npolicies: [{name: p, rules: [{name: r, action: deny}]}]", Verdict("x", "allow")),
    ("disable.command", "disable: [{rule: p/r, command: [x, '1']}]\ndefault_action: allow\npolicies: [{name: p, rules: [{name: r, action: deny}]}]", Verdict("x 2", "deny p/r")),
    ("disable.expires_at", "disable: [{rule: p/r, expires_at: 2001-01-01}]\npolicies: [{name: p, rules: [{name: r, action: deny}]}]", Verdict("x", "deny p/r")),
    ("disable.once", "disable: [{rule: p/r, once: true}]\npolicies: [{name: p, rules: [{name: r, action: deny}]}]", Verdict("x", "deny p/r")),
    ("disable.added", "disable: [{rule: p/r, added: soon}]", Refused("`added` is no point in time")),
];

#[test]
fn every_key_has_a_line() {
    let mut keys = BTreeSet::new();
    for root in [&DOCUMENT, &SUITE] {
        let mut found = BTreeMap::new();
        find(root, &mut found);
        for mapping in found.values() {
            keys.extend(mapping.names().map(|key| match mapping.name {
                "condition" => key.to_owned(),
                name => format!("{name}.{key}"),
            }));
        }
    }
    let conditions = CONDITIONS.iter().map(|(key, when, _, _)| (*key, *when));
    let files = FILES.iter().map(|(key, text, _)| (*key, *text));
    let mut lines = BTreeSet::new();
    for (key, text) in conditions.chain(files) {
        let name = key.rsplit('.').next().unwrap();
        assert!(text.contains(name), "the line for {key} does not have it: {text}");
        lines.insert(key.to_owned());
    }
    assert!(keys.len() > 100);
    let missing: Vec<_> = keys.difference(&lines).collect();
    let unknown: Vec<_> = lines.difference(&keys).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "no line: {missing:?}; no key: {unknown:?}");
}

#[test]
fn conditions() {
    for (key, when, call, fires) in CONDITIONS {
        let text = format!(
            "default_action: allow\npolicies: [{{name: p, rules: [{{action: deny, when: {when}}}]}}]"
        );
        let expected = if *fires { "deny p/1" } else { "allow" };
        assert_eq!(judged(&text, call), expected, "{key}: {when} on {call}");
    }
}

#[test]
fn files() {
    for (key, text, shows) in FILES {
        let source = Source { name: "p.yaml", text: text.as_bytes() };
        let (document, found) = match read_suite(&source) {
            Some((suite, found)) => (format!("{suite:?}"), found),
            None => {
                let (document, found) = read(&source);
                (format!("{document:?}"), found)
            }
        };
        match shows {
            Verdict(call, expected) => assert_eq!(judged(text, call), *expected, "{key}: {text}"),
            Holds(part) => {
                assert!(found.is_empty(), "{key}: {text}: {found:?}");
                assert!(document.contains(part), "{key}: {document}");
            }
            Refused(message) => {
                let mut all = found;
                if all.is_empty() {
                    let options =
                        policy_schema::Options { layer: Layer::System, run_examples: true };
                    all = policy_schema::compile(&[source], &options).expect_err(key);
                }
                let shown: String = all.iter().map(ToString::to_string).collect();
                assert!(shown.contains(message), "{key}: {shown}");
            }
        }
    }
}

/// The action, the rule if one decides, and its message.
fn judged(policy: &str, call: &str) -> String {
    let bytes = image(policy, Layer::System);
    let images = [Image::open(&bytes).unwrap()];
    assert_eq!(images[0].header.level, level::SYSTEM);
    let (known, shell) = match call.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap(),
        None => ("", call),
    };
    let known: BTreeMap<&str, &str> =
        known.split_whitespace().map(|pair| pair.split_once('=').unwrap()).collect();
    let get = |name: &str| known.get(name).map(|value| value.as_bytes());
    let param = known.get("param").map_or(("", ""), |text| text.split_once(':').unwrap());
    let param = Param(param.0, param.1);
    let target = known
        .get("target")
        .map(|name| TargetKinds::NAMES.iter().find(|(_, known)| known == name).unwrap().0);
    let tool = known.get("tool").copied().unwrap_or("exec");
    let call = match shell.trim() {
        "" => match get("by") {
            Some(program) => Call::Operation { hook: "open", program },
            None => Call::Nothing,
        },
        text => Call::Shell(text.as_bytes()),
    };
    let request = Request {
        caller: Caller {
            agent: get("agent").unwrap_or_default(),
            session: get("session").unwrap_or_default(),
            agent_depth: known.get("depth").map_or(0, |depth| depth.parse().unwrap()),
        },
        path: get("path"),
        url: get("url"),
        params: &param,
        target: Target { kinds: target.unwrap_or_default(), ..Target::default() },
        ..request(tool, call)
    };
    let world = Table { output: known.get("output").copied() };
    let mut scratch = OwnedScratch::for_request(&request, 8);
    let mut scratch = scratch.borrow();
    let verdict = match world.output {
        Some(_) => decide_response(&images, &request, &world, &mut scratch),
        None => decide(&images, &request, &world, &mut scratch),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut words = vec![action_name(verdict.action).to_owned()];
    if !verdict.policy.is_empty() {
        words.push(format!("{}/{}", text(verdict.policy), text(verdict.rule)));
    }
    words.extend((!verdict.message.is_empty()).then(|| text(verdict.message)));
    words.join(" ")
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Watch => "watch",
        Action::Ask => "ask",
        Action::Webhook => "webhook",
        Action::Deny => "deny",
    }
}

/// One parameter, or none.
struct Param<'p>(&'p str, &'p str);

impl Params for Param<'_> {
    fn any(&self, each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> bool {
        !self.0.is_empty() && each(self.0.as_bytes(), self.1.as_bytes())
    }
}

/// A world with one program, one configuration and one parent.
struct Table<'c> {
    output: Option<&'c str>,
}

const AWS: &[u8] = b"[profile prod]\nsso_account_id = 123456789012\n";

impl World for Table<'_> {
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        out[..path.len()].copy_from_slice(path);
        Answer::Value(&out[..path.len()])
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read_at<'b>(&self, path: &[u8], at: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        if path != b"/home/user/.aws/config" {
            return Answer::Absent;
        }
        let rest = &AWS[AWS.len().min(at as usize)..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Answer::Value(&out[..len])
    }
    fn digest(&self, _path: &[u8]) -> Answer<[u8; 32]> {
        Answer::Value([0xab; 32])
    }
    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        if path.ends_with(b"/none") {
            Answer::Absent
        } else {
            Answer::Value(path.ends_with(b"new"))
        }
    }
    fn taint(&self) -> Answer<u8> {
        Answer::Value(evaluator::image::format::taint::SECRET)
    }
    fn user(&self) -> Answer<u32> {
        Answer::Value(1000)
    }
    fn parent<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.resolve(b"/usr/bin/python3.11", out)
    }
    fn now(&self) -> Answer<u64> {
        Answer::Value(1_800_000_000)
    }
    fn output_matches(&self, regex: &[u8], needs: &[u8]) -> Answer<bool> {
        let regex = regex::bytes::Regex::new(std::str::from_utf8(regex).unwrap()).unwrap();
        let Some(text) = self.output.map(str::as_bytes) else {
            return Answer::Unavailable;
        };
        Answer::Value(policy_schema::needs::Text::new(text).meets(needs) && regex.is_match(text))
    }
}
