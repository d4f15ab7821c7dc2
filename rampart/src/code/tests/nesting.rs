//! Text that is made to be deep, or to be tried again and again.

use super::*;

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
        "x = 1".to_owned() + &" * 1".repeat(20_000),
        calls(100),
    ] {
        for language in [Language::Python, Language::JavaScript] {
            let found = found(language, text.as_bytes());
            assert!(found.iter().any(|one| one.kind == Kind::Unknown), "{language:?} {text:.60}");
        }
    }
}

/// A text is as long as it is; what is added up is read to its end.
#[test]
fn what_is_long_is_not_deep() {
    let python = "import os\np = ''".to_owned() + &" + ''".repeat(20_000) + " + 'x'\nos.remove(p)";
    assert_eq!(kinds(Language::Python, &python), ["deletes"]);
    let script = "p = ''".to_owned() + &" + ''".repeat(20_000) + " + 'x'\nrequire('fs').rmSync(p)";
    assert_eq!(kinds(Language::JavaScript, &script), ["deletes"]);
}

/// What parsers go down with, and what they try again and again: 300 KB of it ends no process, and is not
/// known. `(a=`, `a<` and `a?(b):c=>d?` take Oxc as many seconds as they are thousands, and a flood of
/// brackets takes both parsers as much memory as there is.
#[test]
fn floods_are_read_to_no_end_and_end_nothing() {
    let python = [
        "[",
        "(",
        "{",
        "not ",
        "- ",
        "~",
        "await ",
        "lambda:",
        "lambda x:",
        "x if x else ",
        "a**",
        "f(",
        "f\"{",
        "(yield ",
        "a[",
        "{a:",
        "(x:=",
        "async ",
        "a.b",
        "a.b(",
        "[]if\"\"else",
        "if x:\n ",
        "not\\\n",
        "@",
        "class A(",
        "*",
        "else:",
        "a<",
        "match x:\n case(",
        "f'{f\"{",
    ];
    let script = [
        "[",
        "(",
        "{",
        "!",
        "!!!!",
        "- ",
        "a=>",
        "a?b:",
        "x=",
        "`${",
        "new ",
        "if(a)",
        "a**",
        "class extends ",
        "()=>{",
        "function f(){",
        "{a:",
        "<a>",
        "<a b={",
        "a:",
        "f(",
        "typeof ",
        "typeof\u{a0}",
        "do ",
        "async a=>",
        "for(;;)",
        "try{",
        "a=([",
        "({a=",
        "(a=",
        "a<",
        "a<b|",
        "a?(b):c=>d?",
        "a?async(b):c=>d?",
        "else ",
        "a||b&&c|d^e&f==g<h<<i+j*k**",
        "let x:keyof ",
        "let x:[",
        "x as ",
        "@a ",
        "import(",
        "a?.[",
        "let x:A extends B?C:",
        "let x:()=>",
        "label:",
        "while(a)",
        "export default ",
        "enum A{a=",
        "a.b",
    ];
    let each = |language, name: &str, unit: &str, before: &str| {
        let text = before.to_owned() + &unit.repeat(300_000 / unit.len());
        let found = named(language, name, text.as_bytes());
        assert!(found.iter().any(|one| one.kind == Kind::Unknown), "{name}: {unit}");
    };
    for unit in python {
        each(Language::Python, "a.py", unit, "");
        each(Language::Python, "a.py", unit, "import os; os.remove('x'); x = ");
    }
    for unit in script {
        for name in ["a.js", "a.ts", "a.tsx"] {
            each(Language::JavaScript, name, unit, "");
        }
    }
    // Brackets in no order.
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"([{}])"[(state >> 24) as usize % 6]
    };
    let text: Vec<u8> = (0..300_000).map(|_| random()).collect();
    for (language, name) in [(Language::Python, "a.py"), (Language::JavaScript, "a.ts")] {
        assert!(named(language, name, &text).iter().any(|one| one.kind == Kind::Unknown));
    }
}

/// Values take memory until all is read: past a limit, what follows is not known.
#[test]
fn memory_has_an_end() {
    let long = format!("import os\ns = '{}'\n", "a".repeat(60_000));
    let read = |lines: usize| {
        let text = format!("{long}{}os.remove('x')\n", "t = s + 'b'\n".repeat(lines));
        kinds(Language::Python, &text)
    };
    assert_eq!(read(100), ["deletes"]);
    assert!(read(20_000).contains(&"unknown"));
}
