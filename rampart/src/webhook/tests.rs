use super::*;
use crate::asked::Asked;
use crate::launch::program::Facts;
use evaluator::decide;
use evaluator::world::NoWorld;
use policy_schema::{Layer, Options, OwnedScratch, Source, compile};

fn image(text: &str, layer: Layer) -> Vec<u8> {
    let options = Options { layer, run_examples: false };
    compile(&[Source { name: "p", text: text.as_bytes() }], &options).unwrap()
}

fn asked_by(layers: &[&[u8]], program: &str) -> Option<Address> {
    let asked = Asked {
        tool: b"exec".to_vec(),
        file: program.as_bytes().to_vec(),
        argv: vec![program.as_bytes().to_vec()],
        ..Asked::default()
    };
    let images: Vec<Image<'_>> = layers.iter().map(|bytes| Image::open(bytes).unwrap()).collect();
    asked.with_request(&Facts::default(), |request| {
        let mut scratch = OwnedScratch::for_request(request, 4096);
        let mut scratch = scratch.borrow();
        Address::of(&images, &decide(&images, request, &NoWorld, &mut scratch))
    })
}

#[test]
fn the_service_of_the_rule_that_decides_is_asked() {
    let base = image(
        "default_action: allow
policies:
  - name: p
    rules:
      - {name: w, action: watch, when: {program: a}}
      - {name: a, action: webhook, when: {program: [a, b]}, webhook: {url: 'https://a/', timeout: 2s}}
  - name: q
    rules:
      - {name: b, action: webhook, when: {program: [b, c]}, webhook: {url: 'https://b/', fail_open: true}}
      - {name: d, action: deny, when: {program: d}}
      - {name: e, action: ask, when: {program: e}}
",
        Layer::User,
    );
    let more = image(
        "policies: [{name: r, rules: [{action: webhook, when: {program: [d, e]}, webhook: {url: 'http://r/'}}]}]",
        Layer::System,
    );
    let of = |program| asked_by(&[&base, &more], program).map(|found| found.url);
    for (program, url) in [
        ("a", None),
        ("b", Some("https://a/")),
        ("c", Some("https://b/")),
        ("d", None),
        ("e", Some("http://r/")),
        ("f", None),
    ] {
        // What is watched first in its policy is not asked about by it.
        assert_eq!(of(program).as_deref(), url, "{program}");
    }
    let found = asked_by(&[&base], "c").unwrap();
    assert_eq!((found.limit, found.fail_open), (Duration::from_secs(5), true));
}

#[test]
fn a_project_names_nobody() {
    let text = "default_action: allow
policies: [{name: p, rules: [{action: webhook, webhook: {url: 'https://evil/', fail_open: true}}]}]";
    let mut bytes = image(text, Layer::User);
    assert!(asked_by(&[&bytes], "a").is_some());
    // The compiler refuses this in a project's file; an image may still say that it is one.
    let at = bytes.len();
    let level = evaluator::image::format::Header::SIZE - 4;
    assert_eq!((bytes[level], at > level), (2, true));
    bytes[level] = level::PROJECT;
    assert_eq!(asked_by(&[&bytes], "a"), None);
}

#[test]
fn what_no_answer_comes_to() {
    let text = || "x".to_owned();
    let cases = [
        (Answer::Yes(text()), false, End::Permitted, SERVICE),
        (Answer::No(text()), true, End::Denied, SERVICE),
        (Answer::Ask(text()), true, End::Asked, SERVICE),
        (Answer::None(text()), false, End::Denied, FAILED),
        (Answer::None(text()), true, End::Permitted, FAIL_OPEN),
        (Answer::Misconfigured(text()), true, End::Denied, FAILED),
    ];
    for (answer, fail_open, end, by) in cases {
        let settled = answer.clone().settle(fail_open);
        assert_eq!((settled.end, settled.by), (end, by), "{answer:?} {fail_open}");
    }
}
