//! What the shipped profiles promise besides their own examples, which run when they are built.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use evaluator::image::format::Section;
use evaluator::request::NoParams;
use evaluator::world::NoWorld;
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::document::Condition;
use policy_schema::{OwnedScratch, Source};

const ENV: &[(&[u8], &[u8])] = &[(b"HOME", b"/home/user")];

fn answer(profile: &str, text: &str) -> Action {
    judge(&[policies::profile(profile).unwrap()], text)
}

fn judge(images: &[&[u8]], text: &str) -> Action {
    let images: Vec<Image<'_>> = images.iter().map(|bytes| Image::open(bytes).unwrap()).collect();
    let request = Request {
        tool: b"exec",
        call: Call::Shell(text.as_bytes()),
        cwd: Cwd::Known(b"/work/project"),
        env: &ENV,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    };
    let rules = images.iter().map(|image| image.count(Section::Rules) as usize).sum();
    let mut scratch = OwnedScratch::for_request(&request, rules);
    let mut scratch = scratch.borrow();
    decide(&images, &request, &NoWorld, &mut scratch).action
}

#[test]
fn profiles_answer_as_they_are_meant_to() {
    use Action::{Allow, Ask, Deny, Watch};
    #[rustfmt::skip]
    let cases = [
        ("make -j4", [Allow, Allow, Allow, Deny, Watch]),
        ("rm -rf /", [Deny, Deny, Deny, Deny, Watch]),
        ("cat ~/.ssh/id_rsa", [Deny, Deny, Deny, Deny, Watch]),
        ("sudo make install", [Ask, Deny, Deny, Deny, Watch]),
        ("crontab x", [Ask, Deny, Deny, Deny, Watch]),
        ("cp a b", [Allow, Allow, Deny, Deny, Watch]),
        ("git push", [Allow, Allow, Deny, Deny, Watch]),
        ("git reset --hard", [Ask, Deny, Deny, Deny, Watch]),
        ("terraform destroy", [Ask, Deny, Deny, Deny, Watch]),
        ("ls | wc -l", [Allow, Allow, Allow, Allow, Watch]),
        ("ls; cp a b", [Allow, Allow, Deny, Deny, Watch]),
        ("if then", [Ask, Deny, Deny, Deny, Watch]),
    ];
    for (text, expected) in cases {
        let names = ["standard", "ci", "paranoid", "research-agent", "monitor"];
        for (profile, action) in names.into_iter().zip(expected) {
            assert_eq!(answer(profile, text), action, "{profile}: {text}");
        }
        assert_eq!(answer("mcp-server", text), Deny, "mcp-server: {text}");
    }
}

#[test]
fn guard_asks_for_production_only() {
    use Action::{Allow, Ask};
    #[rustfmt::skip]
    let cases = [
        ("kubectl --context staging apply -f a.yaml", Allow),
        ("kubectl --context prod apply -f a.yaml", Ask),
        ("TF_WORKSPACE=dev AWS_PROFILE=dev GOOGLE_PROJECT=dev terraform apply", Allow),
        ("TF_WORKSPACE=prod terraform apply", Ask),
        ("psql -h db.staging.test -c 'select 1'", Allow),
        ("psql -h db.prod.test -c 'select 1'", Ask),
        ("git push origin feature/x", Allow),
        ("git push origin production", Ask),
    ];
    for (text, action) in cases {
        assert_eq!(answer("guard", text), action, "{text}");
    }
}

#[test]
fn packs_add_to_the_standard_profile() {
    use Action::{Allow, Ask, Deny};
    let cases = [
        ("git", "git push --force-with-lease"),
        ("cloud", "aws ec2 stop-instances --instance-ids i-1"),
        ("containers", "kubectl scale deploy/x --replicas=0"),
        ("databases", "redis-cli FLUSHALL"),
        ("packages", "npm publish"),
        ("secrets", "cat .env"),
        ("network", "ip link set eth0 down"),
    ];
    // `programs` is about no command: tests/tests/operations has it; `taint` about what was before.
    assert_eq!(cases.len() + 2, policies::PACKS.len());
    for (pack, text) in cases {
        let standard = policies::STANDARD;
        let with = |image| Some(judge(&[standard, image], text));
        assert!(judge(&[standard], text).permits(), "{text}");
        assert_eq!(policies::pack(pack).and_then(with), Some(Ask), "{pack}: {text}");
        assert_eq!(policies::strict_pack(pack).and_then(with), Some(Deny), "{pack}: {text}");
        for (_, other) in policies::PACKS {
            assert_eq!(judge(&[standard, other], "make -j4"), Allow, "{pack}");
        }
    }
}

#[test]
fn images_are_whole_and_aligned() {
    assert_eq!(policies::PROFILES.len(), policies::SOURCES.len());
    assert_eq!(policies::PACKS.len(), policies::STRICT_PACKS.len());
    let all = [policies::PROFILES, policies::PACKS, policies::STRICT_PACKS];
    for (name, bytes) in all.into_iter().flatten() {
        assert!(Image::open(bytes).unwrap().is_intact(), "{name}");
        assert_eq!(bytes.as_ptr().align_offset(8), 0, "{name}");
        assert!(bytes.len() <= 512 * 1024, "{name}");
    }
    assert_eq!(policies::profile("standard").unwrap().as_ptr(), policies::STANDARD.as_ptr());
    assert!(policies::profile("none").is_none());
}

#[test]
fn strict_policies_ask_nobody() {
    let profiles = policies::STRICT_PROFILES.iter().map(|name| policies::profile(name).unwrap());
    let packs = policies::STRICT_PACKS.iter().map(|(_, bytes)| *bytes);
    for bytes in profiles.chain(packs) {
        let image = Image::open(bytes).unwrap();
        for index in 0..image.count(Section::Rules) {
            assert_ne!(image.rule(index).unwrap().action, Action::Ask as u8, "rule {index}");
        }
    }
}

/// Every file in this directory and in `packs`: its name and its text.
fn files() -> Vec<(String, String)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in [here.to_owned(), here.join("packs")] {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 15, "profiles and packs");
    found
}

#[test]
fn every_rule_explains_itself() {
    for (file, text) in files() {
        let source = Source { name: &file, text: text.as_bytes() };
        let (document, found) = policy_schema::read_policy::read(&source);
        assert!(found.is_empty(), "{file}: {found:?}");
        for policy in &document.policies {
            assert!(!policy.description.is_empty(), "{file}: {}", policy.name.value);
            for rule in &policy.rules {
                let at = format!("{file}: {}/{}", policy.name.value, rule.name);
                let stops = rule.action.is_restrictive();
                let on_output =
                    rule.condition.any_part(&|part| matches!(part, Condition::Response { .. }));
                let examples = &rule.examples;
                let both = !examples.matching.is_empty() && !examples.not_matching.is_empty();
                assert!(rule.name.parse::<u32>().is_err(), "{at}: a name");
                assert!(rule.description.ends_with('.'), "{at}: one sentence why");
                assert_eq!(!rule.message.is_empty(), stops, "{at}: what to do instead");
                assert!(rule.severity > 0 || !stops, "{at}: a severity");
                assert!(both || on_output, "{at}: examples both ways");
            }
        }
    }
}

/// Lines of a policy that are no part of its examples.
fn lines_without_examples(text: &str) -> usize {
    let mut lines = 0;
    let mut examples: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if examples.is_some_and(|outer| indent > outer) {
            continue;
        }
        examples = line.trim_start().starts_with("examples:").then_some(indent);
        lines += usize::from(examples.is_none());
    }
    lines
}

#[test]
fn policies_stay_readable() {
    for (file, text) in files() {
        assert!(lines_without_examples(&text) <= 500, "{file} is too long to be read");
    }
}
