//! What stands behind `?` in a request: names that the route knows, each at most once.

use super::Problem;
use super::routes::decoded;
use std::collections::BTreeMap;

/// The parameters of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<&'static str, String>);

impl Query {
    /// Reads `text`, in which nothing but `known` may stand.
    ///
    /// # Errors
    /// If something else does, or one of them twice.
    pub fn read(text: &str, known: &[&'static str]) -> Result<Self, Problem> {
        let mut all = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |part: &str| decoded(&part.replace('+', " "));
            let (name, value) = (plain(name)?, plain(value)?);
            let Some(known) = known.iter().find(|one| **one == name) else {
                let shown = crate::bytes::visible(name.as_bytes());
                let why =
                    format!("there is no parameter `{shown}`; there are {}", known.join(", "));
                return Err(Problem::field(&shown, why));
            };
            if all.insert(*known, value).is_some() {
                return Err(Problem::field(known, format!("`{known}` stands there twice")));
            }
        }
        Ok(Self(all))
    }

    /// A text; empty if it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A number up to `most`; `usual` if it is absent.
    ///
    /// # Errors
    /// If it is none.
    pub fn number(&self, name: &str, (usual, most): (usize, usize)) -> Result<usize, Problem> {
        let Some(text) = self.0.get(name) else {
            return Ok(usual);
        };
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_plain && *number <= most);
        number.ok_or_else(|| {
            Problem::field(name, format!("`{name}` must be a number, at most {most}"))
        })
    }

    /// A day, as seconds since the epoch at its start; `None` if it is absent.
    ///
    /// # Errors
    /// If it is none.
    pub fn day(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        let found = policy_schema::time::timestamp(text).filter(|_| text.len() == 10);
        let why = || Problem::field(name, format!("`{name}` must be a day such as 2026-11-23"));
        found.map(Some).ok_or_else(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        let known = ["date", "limit", "tool"];
        let query = Query::read("date=2026-11-23&limit=7&tool=a%26b+c&", &known).unwrap();
        assert_eq!(query.text("tool"), "a&b c");
        assert_eq!(query.number("limit", (1, 500)), Ok(7));
        assert_eq!(query.number("offset", (1, 500)), Ok(1));
        assert_eq!(query.day("date").unwrap(), policy_schema::time::timestamp("2026-11-23"));
        let field = |text: &str| {
            let read = Query::read(text, &known);
            let read = read.and_then(|query| query.number("limit", (1, 500)).map(|_| query));
            read.and_then(|query| query.day("date")).unwrap_err().field.unwrap()
        };
        for (text, wrong) in [
            ("other=1", "other"),
            ("tool=a&tool=b", "tool"),
            ("limit=501", "limit"),
            ("limit=%2B1", "limit"),
            ("limit=", "limit"),
            ("date=2026-11-23T00:00:00Z", "date"),
            ("date=2026-02-30", "date"),
            ("tool=%zz", "path"),
        ] {
            assert_eq!(field(text), wrong, "{text}");
        }
    }
}
