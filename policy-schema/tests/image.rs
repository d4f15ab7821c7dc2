//! What the compiler writes, read back with the evaluator's own reader.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use evaluator::image::Image;
use evaluator::image::format::{
    NO_CONDITION, NodeRecord, PatternRecord, Section, node, pattern, program_hash, rule_flag,
};
use policy_schema::{Layer, Options, Source, compile};

const POLICY: &str = r#"
version: "1"
default_action: ask
on_no_approver: deny
record: notable
policies:
  - name: late
    priority: 200
    rules:
      - action: allow
  - name: early
    match: {agent: "claude*", tool: [exec, shell]}
    rules:
      - name: first
        action: deny
        message: no
        severity: high
        expires_at: 2030-01-01T00:00:00Z
        when: {program: [RM, dd], flags: [[-r, --recursive], -f], not: {inside: [ssh]}}
      - action: watch
        when: {response_matches: ["secret"]}
      - action: deny
        when: {session_matches: ["x*"]}
  - name: off
    enabled: false
    rules: [{action: deny}]
"#;

fn options() -> Options {
    Options { layer: Layer::User, run_examples: false }
}

fn compiled(text: &str) -> Vec<u8> {
    let source = Source { name: "p.yaml", text: text.as_bytes() };
    compile(&[source], &options()).unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

#[test]
fn records_read_back() {
    let bytes = compiled(POLICY);
    let image = Image::open(&bytes).unwrap();
    assert!(image.is_intact());
    assert_eq!((image.header.default_action, image.header.on_no_approver), (3, 5));
    assert_eq!((image.header.record, image.header.level), (1, 2));
    assert_eq!(image.count(Section::Policies), 2, "a disabled policy is left out");
    let early = image.policy(0).unwrap();
    assert_eq!(image.text(early.name, early.name_len).unwrap(), b"early");
    assert_eq!(image.pattern(early.agent - 1).unwrap().1, b"claude*");
    assert_eq!(early.tools_len, 2);
    assert_eq!(image.pattern(early.tools + 1).unwrap().1, b"shell");
    let first = image.rule(0).unwrap();
    assert_eq!((first.action, first.severity, first.flags), (5, 3, 0));
    assert_eq!(first.expires_at, 1_893_456_000);
    let second = image.rule(1).unwrap();
    assert_eq!(image.text(second.name, second.name_len).unwrap(), b"2");
    assert_ne!(second.flags & rule_flag::RESPONSE, 0);
    assert_ne!(image.rule(2).unwrap().flags & rule_flag::REQUEST_ONLY, 0);
    let late = image.rule(3).unwrap();
    assert_eq!((late.policy, late.node), (1, NO_CONDITION));
}

#[test]
fn conditions_are_trees() {
    let bytes = compiled(POLICY);
    let image = Image::open(&bytes).unwrap();
    let root = image.node(image.rule(0).unwrap().node).unwrap();
    assert_eq!((root.kind, root.count), (node::ALL, 4));
    let children: Vec<_> = (0..4).map(|n| image.node(root.first + n).unwrap()).collect();
    let kinds: Vec<u8> = children.iter().map(|child| child.kind).collect();
    // The cheapest first, whatever the order in the file.
    assert_eq!(kinds, [node::NOT, node::PROGRAM, node::FLAG, node::FLAG]);
    let (record, text) = image.pattern(children[1].first).unwrap();
    assert_eq!((record.class, record.flags, text), (pattern::LITERAL, 1, &b"rm"[..]));
    assert_eq!((children[2].count, children[3].count), (1, 2));
    let inside = image.node(children[0].first).unwrap();
    assert_eq!((inside.kind, inside.number), (node::INSIDE, 1 << 10));
}

#[test]
fn rules_are_filed_under_their_programs() {
    let bytes = compiled(POLICY);
    let image = Image::open(&bytes).unwrap();
    let rules = |bucket: evaluator::image::format::BucketRecord| -> Vec<u32> {
        (0..bucket.count).map(|n| image.entry(bucket.first + n).unwrap().rule).collect()
    };
    assert!(rules(image.bucket(program_hash(b"rm")).unwrap()).contains(&0));
    assert!(rules(image.bucket(program_hash(b"DD")).unwrap()).contains(&0));
    assert_eq!(rules(image.any_program().unwrap()), [2, 3], "a response rule is filed nowhere");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(compiled(POLICY), compiled(POLICY));
    let other = compiled(&POLICY.replace("message: no", "message: on"));
    assert_ne!(compiled(POLICY), other);
    let digest = |bytes: &[u8]| Image::open(bytes).unwrap().header.digest_low;
    assert_ne!(digest(&compiled(POLICY)), digest(&other));
}

#[test]
fn every_section_is_aligned() {
    let bytes = compiled(POLICY);
    for index in 0..Section::COUNT {
        let at = evaluator::image::format::Header::SIZE + index * 8;
        let offset = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(offset % 8, 0, "section {index}");
    }
}

/// What conditions, patterns and texts of `image` take of the part that they share: a byte each, and whose it is.
/// Fails where two have the same byte.
struct Shared<'i> {
    image: &'i Image<'i>,
    owners: BTreeMap<usize, (&'static str, u32)>,
}

impl Shared<'_> {
    fn take(&mut self, owner: (&'static str, u32), at: u32, len: usize) {
        for byte in at as usize..at as usize + len {
            let before = self.owners.insert(byte, owner);
            assert!(before.is_none_or(|it| it == owner), "{owner:?} lies in {before:?}");
        }
    }

    fn nodes(&mut self, first: u32, count: u32) {
        for index in first..first + count {
            let found = self.image.node(index).unwrap();
            self.take(("node", index), index * NodeRecord::SIZE as u32, NodeRecord::SIZE);
            match found.kind {
                node::ALL | node::ANY | node::NOT => self.nodes(found.first, found.count),
                _ => self.patterns(found.first, found.count),
            }
        }
    }

    fn patterns(&mut self, first: u32, count: u32) {
        for index in first..first + count {
            let (found, text) = self.image.pattern(index).unwrap();
            let at = index * PatternRecord::SIZE as u32;
            self.take(("pattern", index), at, PatternRecord::SIZE);
            self.take(("text", found.text), found.text, text.len());
        }
    }
}

#[test]
fn conditions_patterns_and_texts_share_a_part_and_no_byte() {
    let more = "disable: [{rule: early/first, command: [rm, -rf, x]}]\npolicies:";
    let bytes = compiled(&POLICY.replace("policies:", more));
    let image = Image::open(&bytes).unwrap();
    let mut shared = Shared { image: &image, owners: BTreeMap::new() };
    for policy in (0..).map_while(|index| image.policy(index)) {
        shared.patterns(policy.tools, policy.tools_len);
        shared.patterns(policy.agent.saturating_sub(1), policy.agent.min(1));
        shared.take(("text", policy.name), policy.name, policy.name_len as usize);
    }
    for rule in (0..).map_while(|index| image.rule(index)) {
        shared.nodes(rule.node, u32::from(rule.node != NO_CONDITION));
        shared.take(("text", rule.message), rule.message, rule.message_len as usize);
    }
    for entry in (0..).map_while(|index| image.entry(index)) {
        shared.nodes(entry.node, u32::from(entry.node != NO_CONDITION));
    }
    let exception = image.exception(0).unwrap();
    shared.patterns(exception.first, exception.count);
    assert_eq!(image.pattern(exception.first + 2).unwrap().1, b"x");
    let room = image.count(Section::Text) as usize;
    assert!(shared.owners.keys().all(|byte| *byte < room));
}

#[test]
fn what_every_command_comes_to_lies_first() {
    let rule =
        |name: &str, when: &str| format!("      - {{action: deny, when: {{{name}: {when}}}}}\n");
    let many: String = (0..500).map(|n| rule("program", &format!("[p{n}]"))).collect();
    let text = format!("policies:\n  - name: p\n    rules:\n{many}{}", rule("flags", "-x"));
    let bytes = compiled(&text);
    let image = Image::open(&bytes).unwrap();
    let always = image.any_program().unwrap();
    assert_eq!((always.first, always.count), (0, 1));
    let entry = image.entry(0).unwrap();
    assert_eq!(
        (entry.rule, entry.node),
        (500, 0),
        "the last rule of the file, the first condition"
    );
}

#[test]
fn other_files_are_refused_and_say_why() {
    use evaluator::image::ImageError;
    let good = compiled(POLICY);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let longer = [good.as_slice(), b"x"].concat();
    #[rustfmt::skip]
    let cases: [(&[u8], ImageError, &str); 6] = [
        (b"", ImageError::NotAnImage, "is no compiled policy"),
        (b"version: \"1\"\n", ImageError::NotAnImage, "is no compiled policy"),
        (&with(0, b'X'), ImageError::NotAnImage, "is no compiled policy"),
        (&with(8, 1), ImageError::Version(1), "was compiled by another version of rampart"),
        (&longer, ImageError::Length, "is cut short or has bytes behind its end"),
        (&good[..good.len() - 1], ImageError::Length, "is cut short or has bytes behind its end"),
    ];
    for (bytes, error, text) in cases {
        assert_eq!(Image::open(bytes).unwrap_err(), error);
        assert_eq!(error.text(), text);
    }
}

#[test]
fn rules_about_every_program_are_filed_under_pieces_of_text() {
    use evaluator::image::gram::{Hashes, feature, may_hold, place};
    let bytes = compiled(
        "policies:\n  - name: p\n    rules:\n      - {action: deny, when: {operands: [/etc/shadow, ~/.ssh/**]}}\n      - {action: deny, when: {flags: -x}}\n",
    );
    let image = Image::open(&bytes).unwrap();
    assert_eq!(image.header.features & feature(place::PATH), feature(place::PATH));
    assert_eq!(image.header.features & feature(place::TEXT), 0);
    let rules = |bucket: evaluator::image::format::BucketRecord| -> Vec<(u32, u32)> {
        let entries = (0..bucket.count).map(|n| image.entry(bucket.first + n).unwrap());
        entries.map(|entry| (entry.rule, entry.key)).collect()
    };
    let always: Vec<u32> = rules(image.any_program().unwrap()).iter().map(|it| it.0).collect();
    assert_eq!(always, [1], "what has no piece is looked at for every command");
    assert_eq!(rules(image.every_piece().unwrap()), [(0, 0)]);
    for path in ["/etc/shadow", "/home/x/.SSH/id"] {
        let mut hashes = Hashes::new(place::PATH, path.as_bytes());
        let hit = hashes.any(|hash| {
            may_hold(image.filter().unwrap(), hash)
                && rules(image.piece(hash).unwrap()).contains(&(0, hash))
        });
        assert!(hit, "{path}");
    }
}

#[test]
fn whom_a_rule_asks_reads_back() {
    let bytes = compiled(
        "policies:
  - name: late
    priority: 200
    rules:
      - {action: deny, webhook: {url: 'https://not-asked/'}}
      - {action: webhook, webhook: {url: 'https://b/', timeout: 90s, fail_open: true}}
  - name: early
    rules: [{action: webhook, webhook: {url: 'https://a/'}}]
",
    );
    let image = Image::open(&bytes).unwrap();
    let asked = |rule| {
        let found = image.webhook(rule)?;
        let url = image.text(found.url, found.url_len).unwrap();
        Some((String::from_utf8(url.to_vec()).unwrap(), found.timeout_ms, found.flags))
    };
    // In the order of evaluation.
    assert_eq!(asked(0), Some(("https://a/".to_owned(), 5_000, 0)));
    assert_eq!((asked(1), asked(3)), (None, None));
    assert_eq!(asked(2), Some(("https://b/".to_owned(), 30_000, 1)));
}
