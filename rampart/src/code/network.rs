//! What calls send and receive: requests, connections, and queries of databases.

use super::calls::{at, first, option};
use super::names;
use super::table::Does;
use super::value::{FETCHED, Value, What};
use super::walk::{Given, Walker};
use evaluator::effects::{FileUse, Kind};

impl<'t> Walker<'_, '_, 't> {
    /// Methods of connections: what is sent over them, and where.
    pub(super) fn talks(&mut self, name: &str, given: &[Given<'t>]) -> bool {
        let over = [
            "socket",
            "net",
            "http",
            "https",
            "tls",
            "dgram",
            "smtplib",
            "ssl",
            "WebSocket",
            "ftplib",
            "asyncio",
            "nodemailer",
        ];
        if !over.contains(&names::root(name)) || !name.contains("()") {
            return false;
        }
        match names::last(name) {
            "connect" | "connect_ex" => {
                let to = self.host(given);
                self.say(Kind::Sends, to, Self::is_secret(given));
            }
            "send" | "sendall" | "sendto" | "write" | "end" | "sendmail" | "send_message"
            | "sendMail" | "storbinary" => {
                if Self::is_secret(given) {
                    self.say(Kind::Sends, &[], true);
                }
            }
            "pipe" if given.iter().any(|one| is_process(one.value)) => {
                self.say(Kind::RunsFetchedCode, &[], false);
            }
            _ => return false,
        }
        true
    }

    /// Whom a connection is made to.
    pub(super) fn host(&self, given: &[Given<'t>]) -> &'t [u8] {
        let is_host = |text: &Value<'t>| {
            text.known()
                .is_some_and(|text| !text.is_empty() && !text.iter().all(u8::is_ascii_digit))
        };
        let in_one = |one: &Given<'t>| match one.value.what {
            What::List(all) => all.iter().copied().find(is_host),
            What::Map(all) => all.iter().map(|(_, value)| *value).find(is_host),
            _ => Some(one.value).filter(is_host),
        };
        given.iter().find_map(in_one).map(|text| text.bytes()).unwrap_or_default()
    }

    pub(super) fn query(&mut self, name: &str, given: &[Given<'t>]) {
        let Some(text) = at(given, 0, &["sql", "query", "text"]).map(|text| text.bytes()) else {
            return;
        };
        let word = text.trim_ascii_start().split(|byte| !byte.is_ascii_alphabetic()).next();
        let word = word.unwrap_or_default().to_ascii_lowercase();
        let verbs: [&[u8]; 12] = [
            b"insert",
            b"update",
            b"delete",
            b"drop",
            b"create",
            b"alter",
            b"truncate",
            b"replace",
            b"grant",
            b"revoke",
            b"merge",
            b"copy",
        ];
        if verbs.contains(&word.as_slice()) || evaluator::sql::effects(text) != 0 {
            match names::root(name) {
                "sqlite3" | "better-sqlite3" => self.say(Kind::Writes, &[], false),
                _ => self.say(Kind::ChangesShared, &[], false),
            }
        }
    }

    pub(super) fn request(&mut self, name: &str, does: Does, given: &[Given<'t>]) -> Value<'t> {
        let address = match first(given).what {
            // An address in an object of options.
            What::Map(_) => option(given, "url").unwrap_or_default(),
            _ => first(given),
        };
        let reads = |method: Value<'_>| {
            let method = method.known_text().unwrap_or("post").to_ascii_lowercase();
            matches!(method.as_str(), "get" | "head" | "options")
        };
        let sends = match (does, option(given, "method")) {
            (Does::Sends, _) => true,
            (_, Some(method)) => !reads(method),
            (Does::Requests, None)
                if names::last(name) == "request"
                    && names::root(name) != "http"
                    && names::root(name) != "https" =>
            {
                !reads(first(given))
            }
            // `Request(url, data=…)` sends when it is opened, and is what is opened.
            (Does::Requests, None) | (Does::Fetches, None) => {
                option(given, "data").is_some()
                    || option(given, "body").is_some()
                    || name == "urllib.request.urlopen" && at(given, 1, &[]).is_some()
            }
            _ => false,
        };
        // What was made ready before says itself.
        let is_ready =
            address.named().is_some_and(|name| name.starts_with("urllib.request.Request"));
        if names::root(name) == "pandas" && !address.bytes().windows(3).any(|part| part == b"://") {
            return Value::tainted(self.read(address));
        }
        let subject = address.known().unwrap_or_default();
        let leaks = Self::is_secret(given);
        if !is_ready {
            self.say(if sends { Kind::Sends } else { Kind::Fetches }, subject, leaks);
        }
        if does == Does::Downloads
            && let Some(to) = at(given, 1, &["filename"])
        {
            self.on_file(FileUse::Writes, to);
            self.fetched.extend(self.absolute(to));
        }
        self.result(name).with(FETCHED)
    }
}

/// A method that is given SQL.
pub(super) fn is_query(name: &str) -> bool {
    matches!(
        names::last(name),
        "execute"
            | "executemany"
            | "executescript"
            | "query"
            | "raw"
            | "$executeRaw"
            | "$executeRawUnsafe"
    )
}

/// Whether a value is a process that was started, or one of its streams.
fn is_process(value: Value<'_>) -> bool {
    value.named().is_some_and(|name| matches!(names::root(name), "child_process" | "subprocess"))
}
