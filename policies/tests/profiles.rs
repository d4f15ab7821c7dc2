//! What the shipped profiles promise besides their own examples, which run when they are built.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use evaluator::image::format::Section;
use evaluator::request::NoParams;
use evaluator::world::NoWorld;
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::OwnedScratch;

const ENV: &[(&[u8], &[u8])] = &[(b"HOME", b"/home/user")];

fn answer(profile: &str, text: &str) -> Action {
    let image = Image::open(policies::profile(profile).unwrap()).unwrap();
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
    let mut scratch = OwnedScratch::for_request(&request, image.count(Section::Rules) as usize);
    let mut scratch = scratch.borrow();
    decide(&[image], &request, &NoWorld, &mut scratch).action
}

#[test]
fn profiles_answer_as_they_are_meant_to() {
    use Action::{Allow, Ask, Deny, Watch};
    #[rustfmt::skip]
    let cases = [
        ("make -j4", Allow, Allow, Allow, Watch),
        ("rm -rf /", Deny, Deny, Deny, Watch),
        ("cat ~/.ssh/id_rsa", Deny, Deny, Deny, Watch),
        ("sudo make install", Ask, Deny, Deny, Watch),
        ("crontab x", Ask, Deny, Deny, Watch),
        ("cp a b", Allow, Allow, Deny, Watch),
        ("git push", Allow, Allow, Deny, Watch),
        ("ls | wc -l", Allow, Allow, Allow, Watch),
        ("ls; cp a b", Allow, Allow, Deny, Watch),
        ("if then", Ask, Deny, Deny, Watch),
    ];
    for (text, standard, ci, paranoid, monitor) in cases {
        let expected =
            [("standard", standard), ("ci", ci), ("paranoid", paranoid), ("monitor", monitor)];
        for (profile, action) in expected {
            assert_eq!(answer(profile, text), action, "{profile}: {text}");
        }
    }
}

#[test]
fn images_are_whole_and_aligned() {
    assert_eq!(policies::PROFILES.len(), policies::SOURCES.len());
    for (name, bytes) in policies::PROFILES {
        assert!(Image::open(bytes).unwrap().is_intact(), "{name}");
        assert_eq!(bytes.as_ptr().align_offset(8), 0, "{name}");
        assert!(bytes.len() <= 512 * 1024, "{name}");
    }
    assert_eq!(policies::profile("standard").unwrap().as_ptr(), policies::STANDARD.as_ptr());
    assert!(policies::profile("none").is_none());
}

#[test]
fn ci_asks_nobody() {
    let image = Image::open(policies::profile("ci").unwrap()).unwrap();
    for index in 0..image.count(Section::Rules) {
        assert_ne!(image.rule(index).unwrap().action, Action::Ask as u8, "rule {index}");
    }
}

#[test]
fn every_rule_explains_itself() {
    let image = Image::open(policies::STANDARD).unwrap();
    for index in 0..image.count(Section::Rules) {
        let rule = image.rule(index).unwrap();
        let name =
            String::from_utf8_lossy(image.text(rule.name, rule.name_len).unwrap()).into_owned();
        let stops = Action::from_code(rule.action).unwrap().is_restrictive();
        assert!(rule.severity > 0, "{name} has a severity");
        assert_eq!(rule.message_len > 0, stops, "{name}: a message for whoever is stopped");
    }
}
