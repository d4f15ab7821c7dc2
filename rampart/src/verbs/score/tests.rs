use super::*;
use crate::policy::{Layer, Origin};
use policy_schema::{Layer as Level, Options, Source};
use std::borrow::Cow;
use std::io::Write;

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: p
    match: {tool: [exec]}
    rules:
      - {name: never, action: deny, when: {program: [mkfs]}}
      - {name: maybe, action: ask, when: {program: [shutdown]}}
"#;

fn layers() -> Layers {
    let source = Source { name: "p.yaml", text: POLICY.as_bytes() };
    let options = Options { layer: Level::User, ..Options::default() };
    let bytes = policy_schema::compile(&[source], &options).unwrap();
    Layers {
        all: vec![Layer { origin: Origin::Profile("p".into()), bytes: Cow::Owned(bytes) }],
        recipe: None,
    }
}

fn scored(rows: &str) -> Scored {
    let mut file = tempfile::NamedTempFile::with_suffix(".jsonl").unwrap();
    file.write_all(rows.as_bytes()).unwrap();
    let corpora = corpus::read_all(&[file.path().to_owned()]).unwrap();
    score(&corpora[0], &layers()).unwrap()
}

#[test]
fn rows_are_counted_by_what_became_of_them() {
    let count = Count::default();
    let cases = [
        (
            r#"{"argv":["mkfs","x"],"kind":"attack"}"#,
            Count { attacks: 1, caught: 1, stopped_alone: 1, ..count },
            None,
        ),
        (
            r#"{"argv":["shutdown"],"kind":"attack"}"#,
            Count { attacks: 1, caught: 1, stopped_alone: 1, ..count },
            None,
        ),
        (
            r#"{"argv":["shutdown"],"kind":"attack","expect":"deny","why":"w","id":"i"}"#,
            Count { attacks: 1, caught: 1, stopped_alone: 1, weaker: 1, ..count },
            Some("only asked i [p/maybe]: shutdown"),
        ),
        (
            r#"{"argv":["ls","a\u001b[2Jb"],"kind":"attack","src":"s"}"#,
            Count { attacks: 1, ..count },
            Some("missed s: ls 'a\\x1b[2Jb'"),
        ),
        (r#"{"argv":["ls"],"kind":"benign"}"#, Count { benign: 1, ..count }, None),
        (
            r#"{"argv":["mkfs"],"kind":"benign"}"#,
            Count { benign: 1, benign_denied: 1, ..count },
            Some("benign denied line 1 [p/never]: mkfs"),
        ),
        (
            r#"{"argv":["shutdown"],"kind":"benign"}"#,
            Count { benign: 1, benign_asked: 1, ..count },
            Some("benign asked line 1 [p/maybe]: shutdown"),
        ),
    ];
    for (row, wanted, miss) in cases {
        let scored = scored(row);
        assert_eq!(scored.groups[0].count, wanted, "{row}");
        assert_eq!(scored.misses.first().map(String::as_str), miss, "{row}");
    }
}

#[test]
fn rows_that_need_a_pack_stand_apart_and_count_in_the_second_total() {
    let scored = scored(concat!(
        r#"{"argv":["mkfs"],"kind":"attack"}"#,
        "\n",
        r#"{"argv":["git"],"kind":"attack","pack":"git","why":"w"}"#,
        "\n\n",
        r#"{"argv":["ls"],"kind":"benign"}"#,
        "\n",
        r#"{"argv":["ls"]}"#,
        "\n",
    ));
    let packs: Vec<_> = scored.groups.iter().map(|group| group.needs_pack).collect();
    assert_eq!(packs, [false, true]);
    assert_eq!(scored.groups[0].skipped, 1);
    let totals = totals(&scored.groups);
    let seen: Vec<_> =
        totals.iter().map(|total| (total.count.attacks, total.count.caught)).collect();
    assert_eq!(seen, [(1, 1), (2, 1)]);
    assert_eq!(totals[1].count.benign, 1);
}

#[test]
fn the_table_says_nothing_about_nothing() {
    let group = Group {
        corpus: "x".into(),
        needs_pack: true,
        skipped: 0,
        count: Count { attacks: 3, caught: 2, stopped_alone: 1, ..Count::default() },
    };
    let table = table(&[group]);
    let line = table.lines().nth(1).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    let wanted = ["x", "+packs", "3", "2", "66.7", "%", "1", "33.3", "%", "0", "-", "-"];
    assert_eq!(words, wanted);
    let widths: Vec<_> = table.lines().map(str::len).collect();
    assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
}
