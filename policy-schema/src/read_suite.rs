//! Reads test suites: files with test cases for a policy that lies elsewhere.

use crate::diagnostic::{Diagnostic, Source};
use crate::document::TestCase;
use crate::keys;
use crate::read_policy::{head, string, test_case, version};
use crate::reader::Reader;
use crate::yaml::{self, Kind};

/// Test cases and the policy that they are for.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// A file, relative to the suite's own, or the name of a shipped profile.
    pub policy: String,
    /// The cases.
    pub tests: Vec<TestCase>,
}

/// Reads `source` if it is a suite, which has a `policy` where a policy file has `policies`, with
/// everything that is wrong with it. `None` for anything else.
#[must_use]
pub fn read_suite(source: &Source<'_>) -> Option<(Suite, Vec<Diagnostic>)> {
    let node = yaml::parse(source).ok()?;
    let Kind::Map(entries) = &node.kind else {
        return None;
    };
    if !entries.iter().any(|(key, _)| key.value == "policy") {
        return None;
    }
    let mut reader = Reader::new(*source);
    let mut suite = Suite::default();
    if let Some(fields) = reader.fields(&node, &keys::SUITE) {
        version(&mut reader, &fields);
        suite.policy = string(&mut reader, &fields, "policy");
        if suite.policy.is_empty() {
            let help = "write the path of a policy file, or the name of a profile";
            reader.error(&head(&node), "a test suite without the policy that it is for", help);
        }
        for node in fields.get("tests").map_or(&[][..], |tests| reader.list(tests, "`tests`")) {
            suite.tests.extend(test_case(&mut reader, node));
        }
    }
    Some((suite, reader.found))
}
