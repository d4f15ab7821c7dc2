use super::*;
use evaluator::effects::Kind;
use evaluator::world::NoWorld;

mod nesting;

fn found(language: Language, text: &[u8]) -> Vec<Found> {
    named(language, "a", text)
}

/// What the text of a file of this name does.
fn named(language: Language, name: &str, text: &[u8]) -> Vec<Found> {
    let mut reader = Reader::new(b"/home/dev", Some(&NoWorld));
    reader.script(language, [b"/w/", name.as_bytes()].concat(), text.to_vec(), Some(b"/w"));
    reader.found
}

fn kinds(language: Language, text: &str) -> Vec<&'static str> {
    kinds_of(language, "a", text)
}

fn kinds_of(language: Language, name: &str, text: &str) -> Vec<&'static str> {
    let found = named(language, name, text.as_bytes());
    let mut all: Vec<_> = found.iter().map(|one| one.kind.name()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whatever bytes there are: no parser ends the process, and no error is an answer without "unknown".
#[test]
fn arbitrary_bytes_are_read_to_their_end() {
    let words: [&[u8]; 40] = [
        b"import ",
        b"def f(",
        b"class A",
        b"lambda ",
        b"f'{",
        b"`${",
        b"=>",
        b"async ",
        b"await ",
        b"<a>",
        b"</a>",
        b"if ",
        b"else ",
        b":",
        b"\n",
        b"\n  ",
        b"(",
        b")",
        b"[",
        b"]",
        b"{",
        b"}",
        b"'",
        b"\"",
        b"\\",
        b"\0",
        b"\xff",
        b"\xc2\xa0",
        b"\xef\xbb\xbf",
        b"/",
        b"/*",
        b"*/",
        b"#!",
        b"<!--",
        b"@",
        b"\\u{",
        b"\\N{",
        b"0x",
        b"1e",
        b"match x:\n case",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (most as u64)).unwrap()
    };
    for round in 0..1_500 {
        let mut text = Vec::new();
        for _ in 0..random(24) {
            match round % 3 {
                0 => text.push(u8::try_from(random(256)).unwrap()),
                _ => text.extend_from_slice(words[random(words.len())]),
            }
        }
        for (language, name) in [
            (Language::Python, "a.py"),
            (Language::JavaScript, "a.js"),
            (Language::JavaScript, "a.ts"),
        ] {
            let _ = named(language, name, &text);
        }
    }
}

#[test]
fn what_is_no_code_is_said_so() {
    for (language, name, text) in [
        (Language::Python, "a.py", &b"x = ("[..]),
        (Language::Python, "a.py", b"print 'x'"),
        (Language::Python, "a.py", b"x = '\xff'"),
        (Language::Python, "a.py", b"#!/usr/bin/python3\n# -*- coding: utf-7 -*-\nx = 1"),
        (Language::Python, "a.py", b"# vim: set fileencoding=raw_unicode_escape :\nx = 1"),
        (Language::JavaScript, "a.js", b"x = ("),
        (Language::JavaScript, "a.js", b"let x = '\xff'"),
        (Language::JavaScript, "a.ts", b"let x: = 1"),
        (Language::JavaScript, "a.ts", b"const x = <div />"),
    ] {
        let found = named(language, name, text);
        assert!(
            found.iter().any(|one| one.kind == Kind::Unknown),
            "{}",
            String::from_utf8_lossy(text)
        );
    }
    for (language, name, text) in [
        (Language::Python, "a.py", "# coding: utf-8\nx = 1"),
        (Language::Python, "a.py", "\u{feff}x = 1"),
        (
            Language::Python,
            "a.py",
            "async def f():\n async with a as b: pass\n return [x async for x in b]",
        ),
        (
            Language::Python,
            "a.py",
            "match x:\n case [1, *rest] if rest: pass\n case {'a': A(b=c) as d, **e}: pass",
        ),
        (
            Language::Python,
            "a.py",
            "type X[T] = list[T]\ndef f[T](a, /, b: T = 1, *c, d, **e) -> T: return f'{a!r:>{b}}'",
        ),
        (Language::JavaScript, "a.js", "#!/usr/bin/env node\n'use strict'; return"),
        (Language::JavaScript, "a.js", "await x; let y = <a b={1}>{...c}</a>"),
        (Language::JavaScript, "a.js", "var public = 1; with (a) b; x = 010"),
        (
            Language::JavaScript,
            "a.js",
            "class A { #b = 1; static { this.c = #b in a } get d() { return a?.b!.c }}",
        ),
        (
            Language::JavaScript,
            "a.ts",
            "await f<A>(<B>c!); export = d; declare module 'e' { let f: number }",
        ),
        (Language::JavaScript, "a.cts", "import a = require('b'); export = a"),
    ] {
        assert_eq!(kinds_of(language, name, text), Vec::<&str>::new(), "{text}");
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
    let cases: [(Language, &str, &[&str]); 23] = [
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
        (Language::Python, "import os\ndef f(x=os.remove('y')): pass", &["deletes"]),
        (Language::Python, "import os\nclass A(os.remove('y')): pass", &["deletes"]),
        (Language::Python, "import os\na = b = 'x'\nos.remove(b)", &["deletes"]),
        (Language::Python, "import os\nwith open('a') as (f, g): os.remove('x')", &["deletes"]),
        (Language::Python, "import os\nos.remove('\\x78' f'{1}' r\"y\")", &["deletes"]),
        (
            Language::JavaScript,
            "const A = class { static { require('fs').rmSync('x') } }",
            &["deletes"],
        ),
        (
            Language::JavaScript,
            "const o = {go: () => require('fs')}; o?.go?.().rmSync('x')",
            &["deletes"],
        ),
        (Language::JavaScript, "require('fs').rmSync('x' as string)", &["deletes"]),
        (
            Language::JavaScript,
            "let a; [, {b: a = 1}] = [0, {b: 'x'}]; require('fs').rmSync(a)",
            &["deletes"],
        ),
        (Language::JavaScript, "let items = []; items.delete('/etc'); new Map().delete('x')", &[]),
    ];
    for (language, text, expected) in cases {
        assert_eq!(kinds(language, text), expected, "{text}");
    }
}
