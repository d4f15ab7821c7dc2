use super::*;
use crate::{Options, Source, compile};
use evaluator::Image;

fn image(policies: &str) -> Vec<u8> {
    let text = format!("version: \"1\"\ndefault_action: allow\npolicies:\n{policies}");
    let source = Source { name: "p.yaml", text: text.as_bytes() };
    compile(&[source], &Options::default()).unwrap()
}

fn policy(scope: &str, rule: &str) -> Vec<u8> {
    image(&format!("  - name: p\n    match: {{{scope}}}\n    rules:\n      - {{{rule}}}\n"))
}

#[test]
fn only_rules_on_programs_open_the_gate() {
    let bytes = policy("tool: [read]", "action: deny, when: {path_matches: [/etc/shadow]}");
    let image = Image::open(&bytes).unwrap();
    assert_eq!(image.header.features & evaluator::image::format::feature::OPERATIONS, 0);
    assert!(!image.gate().unwrap().is_about(u32::MAX));
}

#[test]
fn a_window_is_for_the_kinds_of_call_that_need_it() {
    const READ: u32 = operation::READ;
    const WRITE: u32 = operation::WRITE;
    const DELETE: u32 = operation::DELETE;
    let one = |tools: &str, path: &str| {
        let when = format!("{{action: deny, when: {{path_matches: [{path}]}}}}");
        let scope = format!("{{tool: [{tools}], by: program}}");
        format!("  - name: \"{tools}\"\n    match: {scope}\n    rules:\n      - {when}\n")
    };
    let policies = one("read", "/etc/shadow")
        + &one("write, delete", "/srv/zqx/**")
        + &one("delete", "/etc/shadow")
        + &one("connect", "/srv/jwkq");
    let bytes = image(&policies);
    let gate = Image::open(&bytes).unwrap().gate().unwrap();
    for (path, kinds) in [
        ("/etc/shadow", READ | DELETE),
        ("/srv/zqx/a", WRITE | DELETE),
        ("/srv/jwkq", 0),
        ("/srv/zqx/shadow", READ | WRITE | DELETE),
        ("/usr/bin/env", 0),
    ] {
        assert_eq!(gate.may_match(path.as_bytes()), kinds, "{path}");
    }
}

#[test]
fn a_gate_is_as_wide_as_its_rules() {
    const READ: u32 = operation::READ;
    const DELETE: u32 = operation::DELETE;
    const CONNECT: u32 = operation::CONNECT;
    // The scope, the rule, what it is about, what is always judged.
    for (scope, rule, about, always) in [
        ("tool: [read], by: program", "action: deny, when: {path_matches: [/etc/shadow]}", READ, 0),
        ("tool: [read], by: any", "action: deny, when: {path_matches: [~/.ssh/**]}", READ, 0),
        ("tool: [delete], by: program", "action: deny", DELETE, DELETE),
        ("tool: [read], by: program", "action: allow", 0, 0),
        ("tool: [read], by: program", "action: deny, when: {domain_matches: [x.test]}", 0, 0),
        (
            "tool: [read, connect], by: program",
            "action: deny, when: {domain_matches: [x.test]}",
            CONNECT,
            CONNECT,
        ),
        (
            "tool: [read], by: program",
            "action: deny, when: {path_matches: [/etc/shadow], not: {program: [su]}}",
            READ,
            0,
        ),
        (
            "tool: [read], by: program",
            "action: deny, when: {not: {path_matches: [/etc/shadow]}}",
            READ,
            READ,
        ),
        (
            "tool: [read], by: program",
            "action: deny, when: {path_matches: [/etc/shadow, \"/**\"]}",
            READ,
            READ,
        ),
    ] {
        let bytes = policy(scope, rule);
        let gate = Image::open(&bytes).unwrap().gate().unwrap();
        for (bit, tool) in operation::TOOLS {
            assert_eq!(gate.is_about(bit), about & bit != 0, "{scope}: {rule}: {tool}");
            assert_eq!(gate.is_open(bit), always & bit != 0, "{scope}: {rule}: {tool}");
        }
        if about == READ && always == 0 {
            let path: &[u8] = if rule.contains("ssh") { b"/root/.ssh/a" } else { b"/etc/shadow" };
            assert_eq!(gate.may_match(path), READ, "{rule}");
            assert_eq!(gate.may_match(b"/usr/lib/python3/dist-packages/x.py"), 0, "{rule}");
        }
    }
}
