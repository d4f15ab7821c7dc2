use super::*;
use evaluator::effects::Kind;
use evaluator::world::NoWorld;

fn found(language: Language, text: &[u8]) -> Vec<Found> {
    let mut reader = Reader::new(b"/home/dev", Some(&NoWorld));
    reader.script(language, b"/w/a".to_vec(), text.to_vec(), Some(b"/w"));
    reader.found
}

fn kinds(language: Language, text: &str) -> Vec<&'static str> {
    let mut all: Vec<_> =
        found(language, text.as_bytes()).iter().map(|one| one.kind.name()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Nested as deep as anybody likes it is told that not all was read, on the stack of a thread.
#[test]
fn what_is_too_deep_is_not_known() {
    let calls = |depth: usize| {
        // Functions that call the one before, each in an expression as deep as is read.
        let mut text = "def f0(x): return x\n".to_owned();
        for at in 1..20 {
            let (open, close) = ("(".repeat(60), ")".repeat(60));
            text.push_str(&format!(
                "def f{at}(x): return {open}f{}({open}x{close}){close}\n",
                at - 1
            ));
        }
        format!("{text}{}f19(1){}\n", "str(".repeat(depth), ")".repeat(depth))
    };
    for text in [
        "[".repeat(100_000),
        format!("x = {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("x = {}1{}", "f(".repeat(5_000), ")".repeat(5_000)),
        (0..2_000).map(|at| format!("{}if x:\n", " ".repeat(at))).collect(),
        "x = 1".to_owned() + &" + 1".repeat(20_000),
        calls(100),
    ] {
        for language in [Language::Python, Language::JavaScript] {
            let found = found(language, text.as_bytes());
            assert!(found.iter().any(|one| one.kind == Kind::Unknown), "{language:?} {text:.60}");
        }
    }
}

/// Whatever is cut or changed in them, cases are read to their end.
#[test]
fn mutilated_code_is_read_to_its_end() {
    let cases = [
        include_str!("../../tests/verify/cases/attack_python.txt"),
        include_str!("../../tests/verify/cases/attack_javascript.txt"),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (most.max(1) as u64)).unwrap()
    };
    for text in cases.iter().flat_map(|text| text.split("=== ")).filter(|text| !text.is_empty()) {
        for _ in 0..4 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..3 {
                let (at, with) = (random(bytes.len()), b"(){}[]'\"`\\\0\n.,*"[random(15)]);
                bytes[at] = with;
            }
            bytes.truncate(random(bytes.len()) + 1);
            for language in [Language::Python, Language::JavaScript] {
                let _ = found(language, &bytes);
            }
        }
    }
}

#[test]
fn work_is_bounded_where_lists_multiply() {
    let list = format!("[{}]", (0..60).map(|at| at.to_string()).collect::<Vec<_>>().join(","));
    let text = format!(
        "for a in {list}:\n for b in {list}:\n  for c in {list}:\n   for d in {list}:\n    print(a, b, c, d)\n"
    );
    assert_eq!(kinds(Language::Python, &text), ["unknown"]);
}

#[test]
fn values_are_followed() {
    let cases: [(Language, &str, &[&str]); 14] = [
        (Language::Python, "import os as o\nf = o.remove\nf('x')", &["deletes"]),
        (
            Language::Python,
            "p = ['rm', '-r']\np += ['x']\nimport subprocess\nsubprocess.call(p)",
            &["deletes"],
        ),
        (Language::Python, "import os\nos.system('%s -r %s' % ('rm', 'x'))", &["deletes"]),
        (Language::Python, "import os\nos.system('mr'[::-1] + ' x')", &["deletes"]),
        (Language::Python, "import os\nos.system(chr(114) + chr(0x6d) + ' x')", &["deletes"]),
        (
            Language::Python,
            "import os\nclass A:\n def go(self, p): os.remove(p)\nA().go('x')",
            &["deletes"],
        ),
        (Language::Python, "def remove(x): pass\nremove('/etc/passwd')", &[]),
        (
            Language::Python,
            "import threading, os\nthreading.Thread(target=os.remove, args=('x',)).start()",
            &["deletes"],
        ),
        (Language::JavaScript, "const {unlinkSync: u} = require('fs'); u('x')", &["deletes"]),
        (Language::JavaScript, "import('fs').then((fs) => fs.unlinkSync('x'))", &["deletes"]),
        (
            Language::JavaScript,
            "globalThis['ev' + 'al'](atob('cmVxdWlyZSgnZnMnKS5ybVN5bmMoJ3gnKQ=='))",
            &["deletes"],
        ),
        (Language::JavaScript, "['x'].forEach(require('fs').unlinkSync)", &["deletes"]),
        (
            Language::JavaScript,
            "const o = {run() { require('fs').rmSync('x') }}; o.run()",
            &["deletes"],
        ),
        (Language::JavaScript, "let items = []; items.delete('/etc'); new Map().delete('x')", &[]),
    ];
    for (language, text, expected) in cases {
        assert_eq!(kinds(language, text), expected, "{text}");
    }
}
