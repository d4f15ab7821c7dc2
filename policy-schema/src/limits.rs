//! How large a pattern may be, so that matching stays cheap whatever it is matched against.

use evaluator::image::format::pattern;

use crate::document::At;
use crate::reader::Reader;

/// Longest pattern in bytes.
pub const PATTERN: usize = 8192;

/// Longest pattern with `**` in bytes.
pub const DOUBLE_STAR_PATTERN: usize = 256;

/// Most `**` in one pattern.
pub const DOUBLE_STARS: usize = 2;

/// Longest regular expression on a tool's output, in characters.
pub const REGEX: usize = 500;

/// Largest compiled regular expression in bytes.
const REGEX_PROGRAM: usize = 2 * 1024 * 1024;

/// Compiles a regular expression on a tool's output. Matching takes time linear in the output,
/// so nested quantifiers do no harm.
///
/// # Errors
/// What is wrong with it, or that it is too large once compiled.
pub fn regex(text: &str) -> Result<regex::bytes::Regex, String> {
    let built = regex::bytes::RegexBuilder::new(text).size_limit(REGEX_PROGRAM).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "is too large once compiled".to_owned(),
        other => {
            // The last line says what is wrong; those before it draw the pattern again.
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    })
}

/// Reports a pattern that is empty or past a limit; returns whether it is fine.
pub fn check(reader: &mut Reader<'_>, text: &At<String>, class: u8) -> bool {
    let len = text.value.len();
    if text.value.trim().is_empty() {
        reader.error(
            &text.range,
            "an empty pattern matches nothing",
            "remove it, or say what to match",
        );
        return false;
    }
    if len > PATTERN {
        let message = format!("a pattern of {len} bytes; the limit is {PATTERN}");
        reader.error(&text.range, message, "split it into several patterns");
        return false;
    }
    if matches!(class, pattern::LITERAL | pattern::SUBSTRING) {
        return true;
    }
    let stars = text.value.matches("**").count();
    if stars > DOUBLE_STARS {
        let message = format!("a pattern with {stars} `**`; the limit is {DOUBLE_STARS}");
        reader.error(&text.range, message, "split it into several patterns");
        return false;
    }
    if stars > 0 && len > DOUBLE_STAR_PATTERN {
        let message =
            format!("a pattern with `**` of {len} bytes; the limit is {DOUBLE_STAR_PATTERN}");
        reader.error(&text.range, message, "split it into several patterns");
        return false;
    }
    true
}
