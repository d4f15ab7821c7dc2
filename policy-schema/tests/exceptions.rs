//! `disable` and `lock`: who may switch off which rule, for which command, and for how long.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use evaluator::{Action, Answer, Argv, Call, Image, Request, World, decide};
use policy_schema::{Layer, Options, OwnedScratch, Source, compile};
use support::{image, request};

/// The time is 1000, or not known.
struct Clock(Answer<u64>);

impl World for Clock {
    fn resolve<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn now(&self) -> Answer<u64> {
        self.0
    }
}

const BASE: &str = r#"
default_action: allow
policies:
  - name: guard
    rules:
      - {name: force, action: deny, when: {program: git, subcommand: push, flags: --force}}
      - {name: rest, action: ask, when: {program: git, flags: --force}}
  - name: a/b
    rules: [{action: deny, when: {program: rm}}]
"#;

fn judged(layers: &[(Layer, &str)], request: &Request<'_>, now: Answer<u64>) -> Action {
    let mut bytes = vec![image(BASE, Layer::BuiltIn)];
    bytes.extend(layers.iter().map(|(layer, text)| image(text, *layer)));
    let images: Vec<Image<'_>> = bytes.iter().map(|bytes| Image::open(bytes).unwrap()).collect();
    let mut scratch = OwnedScratch::for_request(request, 64);
    decide(&images, request, &Clock(now), &mut scratch.borrow()).action
}

fn shell(layers: &[(Layer, &str)], text: &str) -> Action {
    judged(layers, &request("exec", Call::Shell(text.as_bytes())), Answer::Value(1000))
}

/// Layers above the base, the text, and what it comes to.
type Case = (&'static [(Layer, &'static str)], &'static str, Action);

#[test]
fn a_rule_is_switched_off() {
    use Layer::{System, User};
    const FORCE: &str = "git push --force";
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (&[], FORCE, Action::Deny),
        // The next rule of the policy answers.
        (&[(User, "disable: [guard/force]")], FORCE, Action::Ask),
        (&[(System, "disable: [guard/force]")], FORCE, Action::Ask),
        (&[(User, "disable: ['guard/*']")], FORCE, Action::Allow),
        (&[(User, "disable: [guard/other, other/force]")], FORCE, Action::Deny),
        (&[(User, "disable: [a/b/1]")], "rm x", Action::Allow),
        // For one command.
        (&[(User, "disable: [{rule: 'guard/*', command: git push --force}]")], FORCE, Action::Allow),
        (&[(User, "disable: [{rule: 'guard/*', command: git push --force}]")], "  git  push  --force ", Action::Allow),
        (&[(User, "disable: [{rule: 'guard/*', command: git push --force}]")], "git push --force x", Action::Deny),
        (&[(User, "disable: [{rule: 'guard/*', command: git push --force}]")], "git push --force; git push --force x", Action::Deny),
        (&[(User, "disable: [{rule: 'guard/*', command: git push --force}]")], "git push --force && ls", Action::Allow),
        (&[(User, "disable: [{rule: 'guard/*', command: git push --force}]")], "bash -c 'git push --force'", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', command: 'ls; rm x'}]")], "ls; rm x", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', command: 'ls; rm x'}]")], "sh -c 'ls; rm x'", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', command: 'ls; rm x'}]")], "rm x", Action::Deny),
        (&[(User, "disable: [{rule: 'a/b/1', command: 'ls; rm x'}]")], "echo 'ls; rm x'; rm x", Action::Deny),
        (&[(User, "disable: [{rule: 'a/b/1', command: [rm, x]}]")], "rm x", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', command: [rm, x]}]")], "rm 'x'", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', command: [rm, x]}]")], "rm x y", Action::Deny),
        (&[(User, "disable: [{rule: 'a/b/1', command: [rm, x]}]")], "rm \"$Y\"", Action::Deny),
        (&[(User, "disable: [{rule: 'a/b/1', command: [sudo, rm, x]}]")], "sudo rm x", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', command: [sudo, rm, x]}]")], "rm x", Action::Deny),
        // A word with a blank is not two words.
        (&[(User, "disable: [{rule: 'a/b/1', command: rm a b}]")], "rm a b", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', command: rm a b}]")], "rm 'a b'", Action::Deny),
        (&[(User, "disable: [{rule: 'a/b/1', command: [rm, a b]}]")], "rm 'a b'", Action::Allow),
        // For a time, and once: nobody in process can use it up.
        (&[(User, "disable: [{rule: 'a/b/1', expires_at: '1970-01-01T00:20:00Z'}]")], "rm x", Action::Allow),
        (&[(User, "disable: [{rule: 'a/b/1', expires_at: '1970-01-01T00:16:40Z'}]")], "rm x", Action::Deny),
        (&[(User, "disable: [{rule: 'a/b/1', once: true}]")], "rm x", Action::Deny),
        // What the system locks stays.
        (&[(System, "lock: [guard/force]"), (User, "disable: [guard/force]")], FORCE, Action::Deny),
        (&[(System, "lock: ['guard/*']"), (User, "disable: [guard/force]")], FORCE, Action::Deny),
        (&[(System, "lock: [guard/force]"), (User, "disable: ['guard/*']")], FORCE, Action::Deny),
        (&[(System, "lock: [guard/rest]"), (User, "disable: ['guard/*']")], FORCE, Action::Ask),
        (&[(System, "lock: ['guard/*']"), (User, "disable: [a/b/1]")], "rm x", Action::Allow),
    ];
    for (layers, text, expected) in cases {
        assert_eq!(shell(layers, text), *expected, "{layers:?} on {text}");
    }
}

#[test]
fn a_program_that_is_started_is_one_command() {
    let words: &[&[u8]] = &[b"rm", b"x"];
    let asked = request("exec", Call::Exec { file: b"/bin/rm", argv: &words as &dyn Argv });
    let once =
        [(Layer::User, "disable: [{rule: a/b/1, command: [rm, x], expires_at: 1970-01-02}]")];
    assert_eq!(judged(&once, &asked, Answer::Value(1000)), Action::Allow);
    assert_eq!(judged(&once, &asked, Answer::Unavailable), Action::Deny, "who knows the time");
    let text = [(Layer::User, "disable: [{rule: a/b/1, command: rm x}]")];
    assert_eq!(judged(&text, &asked, Answer::Unavailable), Action::Allow);
}

#[test]
fn who_may_not() {
    #[rustfmt::skip]
    let cases = [
        (Layer::Project, "disable: [a/b]", "only the user's and the system's policy may disable"),
        (Layer::BuiltIn, "disable: [a/b]", "only the user's and the system's policy may disable"),
        (Layer::Project, "lock: [a/b]", "only the system's policy may lock"),
        (Layer::User, "lock: [a/b]", "only the system's policy may lock"),
        (Layer::System, "lock: ['a/*']\ndisable: [a/b]", "the same policy locks this rule"),
        (Layer::User, "disable: [nothing]", "`nothing` names no rule"),
        (Layer::User, "disable: [a/]", "`a/` names no rule"),
        (Layer::User, "disable: [{command: x}]", "without a rule"),
        (Layer::User, "disable: [{rule: a/b, argv: [x]}]", "unknown key `argv`"),
        (Layer::User, "disable: [{rule: a/b, command: []}]", "`command` is empty"),
        (Layer::User, "disable: [{rule: a/b, command: ' '}]", "`command` is empty"),
        (Layer::User, "disable: a/b", "`disable` must be a list"),
    ];
    for (layer, text, message) in cases {
        let source = Source { name: "p.yaml", text: text.as_bytes() };
        let options = Options { layer, ..Options::default() };
        let found = compile(&[source], &options).expect_err(text);
        assert!(found[0].message.contains(message), "{text}: {}", found[0]);
    }
}

/// An image says of itself which layer it is; one that is no user's is not listened to.
#[test]
fn other_layers_are_not_listened_to() {
    let user = image("disable: ['guard/*']\npolicies: []", Layer::User);
    let at = std::mem::offset_of!(Offsets, level);
    let base = image(BASE, Layer::BuiltIn);
    for (level, expected) in
        [(0, Action::Deny), (1, Action::Allow), (2, Action::Allow), (3, Action::Deny)]
    {
        let mut bytes = user.clone();
        bytes[at] = level;
        let images = [Image::open(&base).unwrap(), Image::open(&bytes).unwrap()];
        assert_eq!(images[1].header.level, level);
        let asked = request("exec", Call::Shell(b"git push --force"));
        let mut scratch = OwnedScratch::for_request(&asked, 64);
        let got = decide(&images, &asked, &Clock(Answer::Value(1)), &mut scratch.borrow()).action;
        assert_eq!(got, expected, "level {level}");
    }
}

/// The layout of the header.
#[repr(C, packed)]
struct Offsets {
    _magic: u64,
    _version: u32,
    _length: u32,
    _digest: [u128; 2],
    _checksum: u64,
    _actions: [u8; 4],
    level: u8,
}
