//! Conditions on what surrounds a command: environment, user, directory, file, who asks. One line
//! a case, in a world that is a table.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use evaluator::{
    Action, Answer, Argv, Call, Caller, Cwd, Env, Image, Request, Target, World, decide,
};
use policy_schema::{Layer, OwnedScratch};
use support::{image, request};

/// Two programs, a link, a list of users.
struct Table {
    parent: &'static str,
    digest: Answer<[u8; 32]>,
}

const PASSWD: &[u8] =
    b"root:x:0:0::/root:/bin/sh\ndeploy:x:1001:1001::/:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n";

impl World for Table {
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let real: &[u8] = match path {
            b"/usr/bin/tool" => b"/opt/tool/bin/tool",
            b"/usr/bin/rm" | b"/opt/tool/bin/tool" | b"/work/project" => path,
            _ => return Answer::Absent,
        };
        out[..real.len()].copy_from_slice(real);
        Answer::Value(&out[..real.len()])
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read_at<'b>(&self, path: &[u8], at: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        if path != b"/etc/passwd" {
            return Answer::Absent;
        }
        let rest = &PASSWD[PASSWD.len().min(at as usize)..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Answer::Value(&out[..len])
    }
    fn digest(&self, path: &[u8]) -> Answer<[u8; 32]> {
        if path == b"/usr/bin/rm" { self.digest } else { Answer::Absent }
    }
    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        match path {
            _ if self.parent.is_empty() => Answer::Unavailable,
            _ if path.ends_with(b".new") => Answer::Value(true),
            _ if path.ends_with(b".old") || path.starts_with(b"/usr/") => Answer::Value(false),
            _ => Answer::Absent,
        }
    }
    fn user(&self) -> Answer<u32> {
        Answer::Value(1000)
    }
    fn parent<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let name = self.parent.as_bytes();
        out[..name.len()].copy_from_slice(name);
        if name.is_empty() { Answer::Absent } else { Answer::Value(&out[..name.len()]) }
    }
}

const TABLE: Table = Table { parent: "/usr/bin/python3.11", digest: Answer::Value([0xab; 32]) };
const ENV: &[(&[u8], &[u8])] = &[
    (b"HOME", b"/home/me"),
    (b"PATH", b"/usr/local/bin:/usr/bin"),
    (b"STAGE", b"prod-eu"),
    (b"E", b""),
];

fn judged(default: &str, action: &str, when: &str, request: &Request<'_>, world: &Table) -> Action {
    let text = format!(
        "default_action: {default}\npolicies: [{{name: p, rules: [{{action: {action}, when: {when}}}]}}]"
    );
    let bytes = image(&text, Layer::User);
    let images = [Image::open(&bytes).unwrap()];
    let mut scratch = OwnedScratch::for_request(request, 8);
    decide(&images, request, world, &mut scratch.borrow()).action
}

fn shell(text: &str) -> Request<'_> {
    Request { env: &ENV as &dyn Env, ..request("exec", Call::Shell(text.as_bytes())) }
}

#[test]
fn each_condition() {
    let ab = "ab".repeat(32);
    let (good, bad) =
        (format!("{{exe_sha256: {ab}}}"), format!("{{exe_sha256: [{}]}}", "0".repeat(64)));
    let upper = format!("{{program: rm, exe_sha256: {}}}", ab.to_uppercase());
    #[rustfmt::skip]
    let cases: &[(&str, &str, bool)] = &[
        ("{env: STAGE}", "ls", true),
        ("{env: NOPE}", "ls", false),
        ("{env: [NOPE, 'STAGE=prod*']}", "ls", true),
        ("{env: 'STAGE=dev*'}", "ls", false),
        ("{env: 'E='}", "ls", true),
        ("{env: 'STAGE='}", "ls", false),
        // The nearest assignment counts.
        ("{env: 'STAGE=prod*'}", "STAGE=dev ls", false),
        ("{env: 'STAGE=dev'}", "STAGE=dev ls", true),
        ("{program: ls, env: 'STAGE=prod*'}", "env STAGE=dev ls", false),
        ("{program: ls, env: 'STAGE=dev'}", "env -i STAGE=dev ls", true),
        ("{program: ls, env: STAGE}", "env -i ls", false),
        ("{program: ls, env: STAGE}", "env -u STAGE ls", false),
        ("{program: ls, env: STAGE}", "sudo ls", true),
        ("{program: ls, env: 'X=1'}", "export X=1; ls", true),
        ("{program: ls, env: 'X=1'}", "X=1; ls", false),
        ("{program: ls, env: 'STAGE=dev'}", "STAGE=dev; ls", true),
        ("{program: ls, env: 'X=1'}", "(export X=1); true", false),
        ("{program: ls, env: STAGE}", "unset STAGE; ls", false),
        ("{program: ls, env: 'X=1'}", "X=1 sh -c 'ls'", true),
        ("{program: ls, env: 'STAGE=z'}", "STAGE=$(date) ls", true),
        ("{user: me}", "ls", true),
        ("{user: 1000}", "ls", true),
        ("{user: [root, deploy]}", "ls", false),
        ("{program: ls, user: root}", "sudo ls", true),
        ("{program: ls, user: 0}", "sudo -n ls", true),
        ("{program: ls, user: root}", "sudo -u deploy ls", false),
        ("{program: ls, user: 1001}", "sudo --user=deploy env A=b ls", true),
        ("{program: ls, user: deploy}", "sudo -u '#1001' ls", true),
        ("{program: ls, user: deploy}", "su deploy -c ls", true),
        ("{program: ls, user: deploy}", "sudo -u \"$X\" ls", true),
        // Nobody knows whether this is the caller.
        ("{user: elsewhere}", "ls", true),
        ("{cwd_matches: [/work/**]}", "ls", true),
        ("{cwd_matches: [/srv/**]}", "ls", false),
        ("{program: ls, cwd_matches: [/srv]}", "cd /srv && ls", true),
        ("{program: ls, cwd_matches: [/srv]}", "cd /srv && true; ls /", true),
        ("{program: ls, cwd_matches: [~]}", "cd && ls", true),
        ("{parent: python*}", "ls", true),
        ("{parent: [bash, sh]}", "ls", false),
        ("{exe_path: [/opt/tool/**]}", "tool", true),
        ("{exe_path: [/usr/bin/tool]}", "tool", true),
        ("{exe_path: [/opt/**]}", "rm x", false),
        ("{exe_path: [/work/project/*]}", "./x", true),
        ("{exe_path: ['**']}", "no-such-program", false),
        (&good, "rm x", true),
        (&upper, "rm x", true),
        (&bad, "rm x", false),
        (&good, "tool", false),
        ("{reads: [/etc/shadow]}", "cat /etc/shadow", true),
        ("{reads: [/etc/shadow]}", "cat < /etc/shadow", true),
        ("{reads: [/etc/shadow]}", "grep root /etc/sh*dow", true),
        ("{reads: [/etc/shadow]}", "cp /etc/shadow /tmp/x", true),
        ("{reads: [/etc/shadow]}", "cp /tmp/x /etc/shadow", false),
        ("{reads: [/etc/shadow]}", "dd if=/etc/shadow", true),
        ("{reads: [/etc/shadow]}", "chmod 600 /etc/shadow", false),
        ("{writes: [/etc/hosts]}", "cp x /etc/hosts", true),
        ("{writes: [/etc/hosts]}", "echo x >> /etc/hosts", true),
        ("{redirects_to: [/etc/hosts]}", "echo x >> /etc/hosts", true),
        ("{redirects_to: [/etc/hosts]}", "tee /etc/hosts", false),
        ("{redirects_to: [/etc/hosts]}", "cat < /etc/hosts", false),
    ];
    for (when, text, fires) in cases {
        let expected = if *fires { Action::Deny } else { Action::Allow };
        let got = judged("allow", "deny", when, &shell(text), &TABLE);
        assert_eq!(got, expected, "{when} on {text}");
    }
}

#[test]
fn what_is_not_known_counts_against_a_call() {
    let blind = Table { parent: "", digest: Answer::Unavailable };
    #[rustfmt::skip]
    let cases = [
        // Restrictions hold, grants do not.
        ("allow", "deny", "{exe_sha256: 0000000000000000000000000000000000000000000000000000000000000000}", "rm x", Action::Deny),
        ("deny", "allow", "{exe_sha256: 0000000000000000000000000000000000000000000000000000000000000000}", "rm x", Action::Deny),
        ("allow", "deny", "{program: ls, exe_sha256: 0000000000000000000000000000000000000000000000000000000000000000}", "rm x", Action::Allow),
        ("deny", "allow", "{user: elsewhere}", "ls", Action::Deny),
        ("deny", "allow", "{user: me}", "ls", Action::Allow),
        ("deny", "allow", "{env: 'STAGE=prod*'}", "ls", Action::Allow),
        ("deny", "allow", "{env: 'X=*'}", "X=$(date) ls", Action::Deny),
        // The caller was judged before it made way for this process.
        ("allow", "deny", "{parent: python*}", "ls", Action::Allow),
    ];
    for (default, action, when, text, expected) in cases {
        let got = judged(default, action, when, &shell(text), &blind);
        assert_eq!(got, expected, "{action} {when} on {text}");
    }
}

/// A program, a script, what a shell reads: wherever the code comes from.
#[test]
fn what_the_tree_has_written() {
    let long = format!("sh /{}/a.new", "x".repeat(1100));
    #[rustfmt::skip]
    let cases: &[(&str, bool)] = &[
        ("./a.new", true),
        ("./a.old", false),
        ("rm x.new", false),
        ("cat a.new", false),
        ("sh a.new", true),
        ("sh ./a.old a.new", false),
        ("sh -e -u a.new", true),
        ("sh -eu a.old a.new", false),
        ("bash -euo pipefail a.new", true),
        ("bash --norc a.new", true),
        ("bash --rcfile a.new b.old", true),
        ("sh -- a.new", true),
        ("sh +x a.new", true),
        ("sh < a.new", true),
        ("sh -s x < a.new", true),
        ("sh 3< a.new", false),
        ("sh -c true a.new", false),
        ("sh -c './a.new'", true),
        ("sh -c 'sh a.new'", true),
        ("sudo -n sh a.new", true),
        ("env A=b timeout 3 ./a.new", true),
        ("find . -exec sh a.new ';'", true),
        (". a.new", true),
        (". ./a.old", false),
        ("source a.new", true),
        ("cd sub && sh a.new", true),
        ("cd \"$X\" && sh a.old", true),
        ("sh \"$X\"", true),
        ("sh a.*", true),
        ("sh none", false),
        ("sh none a.new", true),
        (&long, true),
        ("python3 a.new", true),
        ("python3.11 -u a.new", true),
        ("python3 -u a.old a.new", false),
        ("python3 -W ignore a.new", true),
        ("python3 -Wignore a.old a.new", false),
        ("python3 -c 'x' a.new", false),
        ("python3 - < a.new", true),
        ("node --require ./a.new b.old", true),
        ("node -r ./a.new b.old", true),
        ("node -e 1 a.new", false),
        ("deno run a.new", true),
        ("perl -w a.new", true),
        ("perl -MTest::More a.new", true),
        ("perl -e 1 a.new", false),
        ("perl -lane 1 a.new", false),
        ("awk -f a.new x", true),
        ("java -Xmx1g -jar a.new", true),
        ("true; php a.new", true),
        ("ls | ruby a.new", true),
    ];
    for (text, fires) in cases {
        let expected = if *fires { Action::Deny } else { Action::Allow };
        let got = judged("allow", "deny", "{written_by_agent: true}", &shell(text), &TABLE);
        assert_eq!(got, expected, "{text}");
    }
    let only_old = "{program: [sh], written_by_agent: false}";
    let blind = Table { parent: "", digest: Answer::Unavailable };
    for (text, world, expected) in [
        ("sh a.old", &TABLE, Action::Allow),
        ("sh a.new", &TABLE, Action::Deny),
        ("sh \"$X\"", &TABLE, Action::Deny),
        ("sh a.old", &blind, Action::Deny),
    ] {
        assert_eq!(judged("deny", "allow", only_old, &shell(text), world), expected, "{text}");
    }
}

#[test]
fn calls_that_run_nothing_have_surroundings_too() {
    let read = Request { env: &ENV as &dyn Env, ..request("read", Call::Nothing) };
    let by = Caller { agent: b"codex", ..Caller::default() };
    #[rustfmt::skip]
    let cases = [
        ("{cwd_matches: [/work/**]}", true),
        ("{cwd_matches: [/srv/**]}", false),
        ("{env: 'STAGE=prod*'}", true),
        ("{user: 1000}", true),
        ("{user: 0}", false),
        ("{agent: 'cod*'}", true),
        ("{agent: [claude, cursor]}", false),
        ("{cwd_matches: [/work/**], program: ls}", false),
        ("{exe_path: ['**']}", false),
    ];
    for (when, fires) in cases {
        let expected = if fires { Action::Deny } else { Action::Allow };
        let got = judged("allow", "deny", when, &Request { caller: by, ..read }, &TABLE);
        assert_eq!(got, expected, "{when}");
    }
    let lost = Request { cwd: Cwd::Unknown, ..shell("ls") };
    let static_target = Target { kinds: evaluator::TargetKinds::STATIC, ..Target::default() };
    let when = "{cwd_matches: [/srv]}";
    assert_eq!(judged("allow", "deny", when, &lost, &TABLE), Action::Allow, "judged again");
    let last = Request { target: static_target, ..lost };
    assert_eq!(judged("allow", "deny", when, &last, &TABLE), Action::Deny, "never again");
}

#[test]
fn programs_under_another_name() {
    #[rustfmt::skip]
    let cases = [
        ("innocent -c x", "/usr/bin/python3.11", None, true),
        ("python3 -c x", "/usr/bin/python3", Some("/usr/bin/python3.11"), false),
        ("-bash", "/bin/bash", None, false),
        ("sh", "/bin/sh", Some("/usr/bin/dash"), false),
        ("ls", "/tmp/ls", Some("/usr/bin/rm"), true),
        ("ls", "/usr/bin/ls", Some("/bin/busybox"), false),
        ("mysql", "/usr/bin/mysql", Some("/usr/bin/mariadb"), false),
        ("cargo", "/home/me/.cargo/bin/cargo", Some("/home/me/.cargo/bin/rustup"), false),
        ("rm", "/usr/bin/rm", None, false),
    ];
    for (line, file, resolved, fires) in cases {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let words = words.as_slice();
        let call = Call::Exec { file: file.as_bytes(), argv: &words as &dyn Argv };
        let target = Target { resolved: resolved.map(str::as_bytes), ..Target::default() };
        let asked = Request { target, ..request("exec", call) };
        let expected = if fires { Action::Deny } else { Action::Allow };
        let got = judged("allow", "deny", "{target: renamed}", &asked, &TABLE);
        assert_eq!(got, expected, "{line} as {file}");
    }
}

#[test]
fn named_lists() {
    let policy = |lists: &str, when: &str| {
        format!(
            "default_action: allow\nlists: {lists}\npolicies: [{{name: p, rules: [{{action: deny, when: {when}}}]}}]"
        )
    };
    #[rustfmt::skip]
    let cases = [
        ("{secrets: [/etc/shadow, ~/.ssh/**]}", "{operands: [{list: secrets}]}", "cat /etc/shadow", true),
        ("{secrets: [/etc/shadow, ~/.ssh/**]}", "{operands: {list: secrets}}", "cat ~/.ssh/id", true),
        ("{secrets: [/etc/shadow]}", "{operands: [/etc/hosts, {list: secrets}]}", "cat /etc/hosts", true),
        ("{secrets: [/etc/shadow]}", "{operands: [{list: secrets}]}", "cat /etc/passwd", false),
        ("{a: [rm], b: [{list: a}, dd]}", "{program: [{list: b}]}", "rm x", true),
        ("{hard: [-f, --force]}", "{flags: [{list: hard}]}", "rm --force x", true),
        ("{hard: [-f, --force]}", "{flags: [[-x, {list: hard}]]}", "rm -x", true),
        ("{names: ['A=1']}", "{env: {list: names}}", "A=1 ls", true),
        ("{'$x': ['$x*']}", "{command_contains: ['$x', {list: '$x'}]}", "echo '$x'", true),
    ];
    for (lists, when, text, fires) in cases {
        let bytes = image(&policy(lists, when), Layer::User);
        let images = [Image::open(&bytes).unwrap()];
        let asked = shell(text);
        let mut scratch = OwnedScratch::for_request(&asked, 8);
        let got = decide(&images, &asked, &TABLE, &mut scratch.borrow()).action;
        assert_eq!(got == Action::Deny, fires, "{lists} {when} on {text}");
    }
}
