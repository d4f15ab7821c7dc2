//! Paths and programs that are links.

use super::*;

#[test]
fn what_would_be_made_below_a_link_lies_where_that_leads() {
    let yaml = r#"
version: "1"
default_action: allow
policies:
  - name: p
    rules:
      - {name: etc, action: deny, when: {writes: ["/etc/**"]}}
      - {name: link, action: ask, when: {operands: ["/work/link/**"]}}
"#;
    table(
        yaml,
        &[
            ("cp a link/old", "deny p/etc"),
            ("cp a link/new", "deny p/etc"),
            ("cp a link/sub/new", "deny p/etc"),
            ("tee -a ./link/new", "deny p/etc"),
            ("cp a new", "allow default"),
            ("cp a other/new", "allow default"),
            ("cat link/new", "ask p/link"),
        ],
    );
    // A grant is for where it really would lie.
    let yaml = r#"
version: "1"
default_action: deny
policies: [{name: p, rules: [{name: work, action: allow, when: {program: [cp], operands: ["/work/**"]}}]}]
"#;
    table(yaml, &[("cp /a new", "allow p/work"), ("cp /a link/new", "deny default")]);
}

#[test]
fn a_restriction_looks_through_links() {
    let images = [image(
        "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [{action: deny, when: {program: [rm]}}]}]",
        Layer::User,
    )];
    let argv: &[&[u8]] = &[b"x"];
    let call = Call::Exec { file: b"/tmp/x", argv: &argv as &dyn Argv };
    let target = Target { resolved: Some(b"/usr/bin/rm"), ..Target::default() };
    assert_eq!(judge(&images, &request(call, &NoEnv)).0, Action::Allow);
    assert_eq!(judge(&images, &Request { target, ..request(call, &NoEnv) }).0, Action::Deny);
}
