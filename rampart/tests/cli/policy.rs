//! `rampart policy`: compiling, and what is shipped.

use crate::support::{POLICY, User, ended, mode, words};
use std::fs;

fn field<'o>(stdout: &'o str, name: &str) -> &'o str {
    let line = stdout.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {stdout}"))[10..].trim()
}

#[test]
fn compiling_to_the_store() {
    let user = User::new();
    let found = user.rampart(&words("policy compile policy.yaml"));
    assert_eq!(found.status, 0, "{}", found.stderr);
    let path = user.path(field(&found.stdout, "image"));
    let digest = field(&found.stdout, "digest").strip_prefix("sha256:").unwrap();
    let store = user.path(".local/state/rampart/images");
    assert_eq!(path, store.join(format!("{digest}.v{}.img", evaluator::image::format::VERSION)));
    assert_eq!(field(&found.stdout, "contents"), "1 policies, 7 rules");
    let size = fs::metadata(&path).unwrap().len();
    assert_eq!(field(&found.stdout, "size"), format!("{size} bytes"));
    assert_eq!((mode(&store), mode(&path)), (0o700, 0o600));
    // The same policy is the same file; what somebody did to it is undone.
    let before = fs::read(&path).unwrap();
    fs::write(&path, "damaged").unwrap();
    let again = user.rampart(&words("policy compile policy.yaml"));
    assert_eq!(again.stdout, found.stdout);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(&store).unwrap().count(), 1);
}

#[test]
fn compiling_to_a_file() {
    let user = User::new();
    user.write("more.yaml", POLICY.replace("name: test", "name: more"));
    let found = user.rampart(&words("policy compile policy.yaml more.yaml -o out.img"));
    assert_eq!(found.status, 0, "{}", found.stderr);
    assert_eq!(field(&found.stdout, "image"), user.path("out.img").to_str().unwrap());
    assert_eq!(field(&found.stdout, "contents"), "2 policies, 14 rules");
    assert!(!user.path(".local").exists());
    for (line, status) in [("-- x-deny", 1), ("-- x-allow", 0)] {
        let found = user.rampart(&words(&format!("check --policy out.img {line}")));
        assert_eq!(found.status, status, "{line}: {}", found.stderr);
    }
    // A damaged image is an error, never a verdict.
    let mut bytes = fs::read(user.path("out.img")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(user.path("out.img"), &bytes).unwrap();
    let found = user.rampart(&words("check --policy out.img -- x-allow"));
    assert_eq!(found.status, 2, "{}", found.stdout);
    assert!(
        found.stderr.contains("out.img") && found.stderr.contains("corrupt"),
        "{}",
        found.stderr
    );
}

#[test]
fn what_does_not_compile() {
    let user = User::new();
    user.write(
        "bad.yaml",
        "version: \"1\"\npolicies:\n  - nam: a\n    rules:\n      - {acton: deny}\n",
    );
    user.write("binary.yaml", b"\xff\xfe");
    let cases = [
        ("policy compile", 2, "required"),
        ("policy compile none.yaml", 2, "no such file"),
        ("policy compile bad.yaml", 2, "bad.yaml:3:"),
        ("policy compile bad.yaml", 2, "bad.yaml:5:"),
        ("policy compile binary.yaml", 2, "binary.yaml"),
        ("policy compile policy.yaml policy.yaml", 2, "stands twice"),
        ("policy compile policy.yaml -o no/such/out.img", 1, "no/such/out.img"),
        ("policy compile policy.yaml --layer none", 2, "--layer"),
        ("policy show --profile none", 2, "standard"),
        ("policy", 2, "compile"),
        ("policy nonsense", 2, "nonsense"),
    ];
    for (line, status, part) in cases {
        let found = user.rampart(&words(line));
        assert_eq!(found.status, status, "{line}: {}", found.stderr);
        assert!(found.stderr.contains(part), "{line}: {}", found.stderr);
        assert_eq!(found.stdout, "", "{line}");
    }
}

#[test]
fn a_tree_cannot_replace_its_own_image() {
    let user = User::new();
    assert_eq!(user.rampart(&words("policy compile policy.yaml -o in-force.img")).status, 0);
    let inside = |output: &str| {
        let mut command = user.command(&["policy", "compile", "policy.yaml", "-o", output]);
        command
            .env("LD_PRELOAD", user.library())
            .env("RAMPART_TREE", "01J")
            .env("RAMPART_IMAGE", user.path("in-force.img"));
        ended(&command.output().unwrap())
    };
    fs::hard_link(user.path("in-force.img"), user.path("link.img")).unwrap();
    for (output, status) in [("in-force.img", 2), ("./link.img", 2), ("other.img", 0)] {
        let found = inside(output);
        assert_eq!(found.status, status, "{output}: {}", found.stderr);
        assert_eq!(found.stderr.contains("guarded tree"), status == 2, "{}", found.stderr);
    }
}

#[test]
fn without_a_home() {
    let user = User::new();
    let mut command = user.command(&words("policy compile policy.yaml"));
    let found = command.env_remove("HOME").output().unwrap();
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stderr).contains("set HOME"));
}

#[test]
fn the_shipped_policies_can_be_read_and_compiled() {
    let user = User::new();
    let list = user.rampart(&words("policy list"));
    assert_eq!(list.status, 0);
    assert!(list.stdout.lines().any(|line| line.starts_with("standard ")), "{}", list.stdout);
    for line in list.stdout.lines() {
        let mut fields = line.split_whitespace();
        let name = fields.next().unwrap();
        let kind = fields.next().unwrap().trim_end_matches(',');
        let shown = user.rampart(&["policy", "show", &format!("--{kind}"), name]);
        assert_eq!(shown.status, 0, "{name}: {}", shown.stderr);
        user.write("shown.yaml", &shown.stdout);
        let compiled = user.rampart(&words("policy compile shown.yaml"));
        assert_eq!(compiled.status, 0, "{name}: {}", compiled.stderr);
    }
}

/// The allows of a file that only `rampart allow` and approvals write beat an ask, never a deny.
#[test]
fn an_operators_allow() {
    let user = User::new();
    let rule = |program: &str, action: &str| {
        format!("{{name: {program}, action: {action}, when: {{program: [{program}]}}}}")
    };
    let policy = |name: &str, rules: &[String]| {
        format!("policies:\n  - {{name: {name}, rules: [{}]}}\n", rules.join(", "))
    };
    let strict = [rule("x-ask", "ask"), rule("x-deny", "deny"), rule("x-watch", "watch")];
    user.write("base.yaml", format!("default_action: deny\n{}", policy("base", &strict)));
    let allows = ["x-ask", "x-deny", "x-watch", "x-other"].map(|program| rule(program, "allow"));
    let commands = ["x-ask", "x-deny", "x-watch", "x-other", "x-ask; x-none", "x-none"];
    for (file, layer, expected) in [
        ("user-overrides.yaml", "user", ["allow", "deny", "allow", "allow", "ask", "deny"]),
        ("auto-allowed.yml", "system", ["allow", "deny", "allow", "allow", "ask", "deny"]),
        ("user-overrides.yaml", "project", ["ask", "deny", "watch", "deny", "ask", "deny"]),
        ("other-overrides.yaml", "user", ["ask", "deny", "watch", "allow", "ask", "deny"]),
    ] {
        user.write(file, policy("overrides", &allows));
        for (level, of, out) in [("user", "base.yaml", "a.img"), (layer, file, "b.img")] {
            let found = user.rampart(&["policy", "compile", "--layer", level, "-o", out, of]);
            assert_eq!(found.status, 0, "{}", found.stderr);
        }
        let images = format!("{}:{}", user.path("a.img").display(), user.path("b.img").display());
        for (command, expected) in commands.iter().zip(expected) {
            let found = user
                .command(&["check", "--shell", command])
                .env("RAMPART_IMAGE", &images)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&found.stdout);
            assert!(text.starts_with(&format!("{expected}:")), "{file} {layer} {command}: {text}");
        }
    }
}

#[test]
fn packs_add_rules() {
    let user = User::new();
    let check = |arguments: &[&str]| user.rampart(&[&["check"], arguments].concat());
    let call = ["--", "git", "tag", "-d", "v1"];
    assert_eq!(check(&call).status, 0);
    for packs in [&["--pack", "git"][..], &["--pack", "all"], &["--pack", "cloud", "--pack", "git"]]
    {
        let found = check(&[packs, &call].concat());
        assert_eq!(found.status, 3, "{packs:?}: {}", found.stdout);
        assert!(found.stdout.contains("profile standard < packs "), "{}", found.stdout);
    }
    assert_eq!(check(&[&["--pack", "cloud"], &call[..]].concat()).status, 0);
    // With nobody to ask, what a pack asks about is denied.
    assert_eq!(check(&[&["--profile", "ci", "--pack", "git"], &call[..]].concat()).status, 1);
    let found = check(&[&["--pack", "gti"], &call[..]].concat());
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("there is no pack `gti`"), "{}", found.stderr);
    // A file takes them in as well; a project's for restrictions only.
    for (file, packs, status) in [
        (".config/rampart/policy.d/own.yaml", "[git]", 3),
        (".config/rampart/policy.d/own.yaml", "all", 3),
        (".config/rampart/policy.d/own.yaml", "[cloud]", 0),
        (".rampart/policy.yaml", "[git]", 3),
        (".rampart/policy.yaml", "[gti]", 2),
    ] {
        let path = user.write(file, format!("packs: {packs}\n"));
        let found = check(&call);
        assert_eq!(found.status, status, "{file} {packs}: {}{}", found.stdout, found.stderr);
        fs::remove_file(path).unwrap();
    }
    user.write("team.yaml", "packs: [git]\ndefault_action: allow\n");
    assert_eq!(check(&[&["--policy", "team.yaml"], &call[..]].concat()).status, 3);
}
