//! Corrupt images: an error or a verdict, never a panic, and never an allow because of it.

use super::sound::well_formed;
use super::{compiled, judge, request};
use evaluator::image::format::MAGIC;
use evaluator::{Action, Call, Caller, Image, Reason, Request};
use std::sync::OnceLock;

/// Any bytes as a compiled policy: as they are if they start with the magic, else as changes
/// (offset in two bytes, then the new byte) to a good image.
pub fn image(data: &[u8]) {
    if data.starts_with(&MAGIC) {
        return judge_by_image(data);
    }
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let good = GOOD.get_or_init(|| compiled("image.yaml", IMAGE_POLICY));
    let mut changed = good.clone();
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        changed[at] = change[2];
    }
    judge_by_image(&changed);
}

/// One of each kind of condition.
const IMAGE_POLICY: &str = r#"
version: "1"
default_action: allow
on_no_approver: deny
lists: {force: [-f, --force]}
disable: [q/any, {rule: p/first, command: [rm, x]}, {rule: p/*, command: "rm y", expires_at: 2030-01-01}]
policies:
  - name: p
    match: {agent: "claude*", tool: [exec, shell, read]}
    rules:
      - name: first
        action: deny
        message: no
        when: {program: [rm, dd], flags: [[-r, --recursive], {list: force}], operands: [/, "/*", "~"], not: {inside: [ssh]}}
      - {name: text, action: ask, when: {command_matches: ["git *", "**/x", "*curl*sh*"], command_contains: ["drop"]}}
      - {name: pieces, action: ask, when: {operands: ["/srv/**/key"], command_env_assignments: [NODE_*], operand_matches: ["*:/host*"]}}
      - {name: around, action: watch, when: {env: 'HOME=*dev*', user: [root, 1000], cwd_matches: [/home/**], context: {git_branch: main, host: 'prod*'}}}
      - {name: file, action: ask, when: {exe_path: [/bin/*], target: renamed, parent: sh, domain_matches: ['*.example']}}
      - {name: path, action: watch, when: {path_matches: ["**/.ssh/**", "/etc/*"]}}
  - name: q
    rules:
      - {name: any, action: allow, expires_at: 2030-01-01T00:00:00Z, when: {command_matches: ["ls *"]}}
"#;

fn judge_by_image(bytes: &[u8]) {
    let Ok(image) = Image::open(bytes) else {
        return;
    };
    let _ = image.is_intact();
    let words: &[&[u8]] = &[b"rm", b"-rf", b"/"];
    let calls = [
        Call::Shell(b"ls x && ssh h 'rm -rf /' | git push; echo x > ~/.ssh/k"),
        Call::Exec { file: b"/bin/rm", argv: &words },
        Call::Nothing,
    ];
    let images = [image, image];
    for call in calls {
        let request = Request {
            tool: if matches!(call, Call::Nothing) { b"read" } else { b"exec" },
            caller: Caller { agent: b"claude-code", ..Caller::default() },
            path: Some(b"/home/dev/.ssh/id_rsa"),
            ..request(call)
        };
        let intact = image.is_intact();
        judge(&images, &request, |verdict| {
            well_formed(&verdict.tree);
            let corrupt = verdict.reason == Reason::CorruptImage;
            assert!(!corrupt || verdict.action == Action::Deny, "corrupt and let go");
            // A corrupt image may claim more rules than there is memory for.
            assert!(verdict.reason != Reason::NoMemory || !intact);
        });
    }
}
