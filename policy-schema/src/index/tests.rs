use super::*;

fn matches(node: u8, class: u8, texts: &[&str]) -> Condition {
    let pattern = |text: &&str| Pattern { class, fold_case: false, text: (*text).to_owned() };
    Condition::Matches { node, flags: 0, patterns: texts.iter().map(pattern).collect() }
}

#[test]
fn needed_programs() {
    let program = |names: &[&str]| matches(node::PROGRAM, pattern::LITERAL, names);
    let glob = |texts: &[&str]| matches(node::COMMAND_GLOB, pattern::GLOB, texts);
    let some_flag = || matches(node::FLAG, pattern::LITERAL, &["-r"]);
    let not = |part| Condition::Not(Box::new(part));
    for (condition, expected) in [
        (program(&["rm", "dd"]), Some("dd rm")),
        (matches(node::PROGRAM, pattern::PATH_GLOB, &["python*"]), None),
        (glob(&["rm -rf *", "dd if=*"]), Some("dd rm")),
        (glob(&["/usr/bin/Git push **"]), Some("git")),
        (glob(&["shutdown"]), Some("shutdown")),
        (glob(&["rm*"]), None),
        (glob(&["*rm -rf"]), None),
        (glob(&["curl ** | bash"]), None),
        (glob(&["echo ok; rm *"]), None),
        (glob(&["FOO=1 rm *"]), None),
        (glob(&[":(){ :|:& };:*"]), None),
        (glob(&["'rm' *"]), None),
        (glob(&["r[m] *"]), None),
        (glob(&["time rm *"]), None),
        (glob(&[" rm *"]), None),
        (glob(&["bin/ *"]), None),
        (some_flag(), None),
        (Condition::All(vec![some_flag(), program(&["rm"])]), Some("rm")),
        (Condition::All(vec![program(&["rm", "dd"]), glob(&["rm *"])]), Some("rm")),
        (Condition::Any(vec![program(&["rm"]), glob(&["dd *"])]), Some("dd rm")),
        (Condition::Any(vec![program(&["rm"]), some_flag()]), None),
        (not(program(&["rm"])), None),
        (Condition::All(vec![not(program(&["rm"])), program(&["dd"])]), Some("dd")),
        (Condition::Always, None),
    ] {
        let names = programs(&condition).map(|names| names.into_iter().collect::<Vec<_>>());
        assert_eq!(names.map(|names| names.join(" ")).as_deref(), expected, "{condition:?}");
    }
}

#[test]
fn every_rule_is_found_where_it_is_filed() {
    let mut index = Index::default();
    let names: Vec<String> = (0..100).map(|n| format!("program{n}")).collect();
    for (number, name) in (0_u32..).zip(&names) {
        index.add(&Key::Program(name.clone()), number, number + 1000);
    }
    index.add(&Key::Any, 100, 7);
    let Tables { buckets, entries, .. } = index.tables();
    assert!((buckets.len() - 1).is_power_of_two());
    let rules = |bucket: BucketRecord| -> Vec<(u32, u32)> {
        let first = bucket.first as usize;
        let found = &entries[first..first + bucket.count as usize];
        found.iter().map(|entry| (entry.rule, entry.node)).collect()
    };
    for (number, name) in (0_u32..).zip(&names) {
        let slot = program_hash(name.as_bytes()) as usize & (buckets.len() - 2);
        assert!(rules(buckets[slot]).contains(&(number, number + 1000)), "{name}");
    }
    assert_eq!(rules(buckets[buckets.len() - 1]), [(100, 7)]);
}

#[test]
fn conditions_are_taken_apart() {
    let program = |name: &str| matches(node::PROGRAM, pattern::LITERAL, &[name]);
    let flag = |name: &str| matches(node::FLAG, pattern::LITERAL, &[name]);
    let (any, all) = (Condition::Any, Condition::All);
    let not = |part| Condition::Not(Box::new(part));
    for (condition, expected) in [
        (flag("-r"), vec![flag("-r")]),
        (any(vec![program("a"), flag("-r")]), vec![program("a"), flag("-r")]),
        (
            all(vec![any(vec![program("a"), flag("-r")]), not(flag("-n"))]),
            vec![all(vec![program("a"), not(flag("-n"))]), all(vec![flag("-r"), not(flag("-n"))])],
        ),
        // Sure to need a program as a whole: nothing is gained.
        (
            all(vec![program("a"), any(vec![flag("-r"), flag("-f")])]),
            vec![all(vec![program("a"), any(vec![flag("-r"), flag("-f")])])],
        ),
        (
            all(vec![any(vec![flag("-r"), flag("-f")]), flag("-x")]),
            vec![all(vec![any(vec![flag("-r"), flag("-f")]), flag("-x")])],
        ),
        (not(any(vec![program("a"), flag("-r")])), vec![not(any(vec![program("a"), flag("-r")]))]),
    ] {
        assert_eq!(alternatives(&condition), expected, "{condition:?}");
    }
    let many = all(vec![
        any((0..70).map(|n| program(&n.to_string())).chain([flag("-r")]).collect()),
        flag("-x"),
    ]);
    assert_eq!(alternatives(&many), std::slice::from_ref(&many), "past the limit it stays whole");
}

#[test]
fn alternatives_are_filed_by_program() {
    let program = |names: &[&str]| matches(node::PROGRAM, pattern::LITERAL, names);
    let flag = matches(node::FLAG, pattern::LITERAL, &["-r"]);
    let places = placement(&[program(&["a", "b"]), program(&["b"]), flag], &Frequencies::default());
    let name = |name: &str| Key::Program(name.to_owned());
    assert_eq!(
        places.into_iter().collect::<Vec<_>>(),
        [(vec![0], vec![name("a")]), (vec![0, 1], vec![name("b")]), (vec![2], vec![Key::Any]),]
    );
}
