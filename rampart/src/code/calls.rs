//! What a call does, by the table of calls and its arguments.

use super::files::cleaned;
use super::names;
use super::network::is_query;
use super::table::{self, Does};
use super::value::{FETCHED, Value, What};
use super::walk::{Given, Walker};
use super::{fold, reader};
use evaluator::effects::{FileUse, Kind};

/// The argument of this number, or the one of such a name.
pub fn at<'t>(given: &[Given<'t>], number: usize, names: &[&str]) -> Option<Value<'t>> {
    let named = given.iter().find(|one| one.name.is_some_and(|name| names.contains(&name)));
    let unnamed = || given.iter().filter(|one| one.name.is_none()).nth(number);
    named.or_else(unnamed).map(|one| one.value)
}

/// Names of arguments that are files, addresses, commands.
const FIRST: [&str; 14] = [
    "path",
    "file",
    "filename",
    "src",
    "name",
    "url",
    "args",
    "cmd",
    "command",
    "fname",
    "dotenv_path",
    "target",
    "filepath_or_buffer",
    "path_or_buf",
];

pub fn first<'t>(given: &[Given<'t>]) -> Value<'t> {
    at(given, 0, &FIRST).unwrap_or_default()
}

/// The member `name` of the options among the arguments: Python's by name, JavaScript's in an object.
pub fn option<'t>(given: &[Given<'t>], name: &str) -> Option<Value<'t>> {
    let named = given.iter().find(|one| one.name == Some(name));
    let in_map = |one: &Given<'t>| match one.value.what {
        What::Map(all) => {
            all.iter().rev().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| *value)
        }
        _ => None,
    };
    named.map(|one| one.value).or_else(|| given.iter().find_map(in_map))
}

impl<'t> Walker<'_, '_, 't> {
    /// Calls `callee`, as a method of `object` if there is one; what it gives.
    pub fn call(
        &mut self,
        callee: Value<'t>,
        object: Option<(Value<'t>, &'t str)>,
        given: &[Given<'t>],
    ) -> Value<'t> {
        if let What::Function(function) = callee.what {
            return self.enter(function, given);
        }
        let given_back = match (callee.named(), object) {
            (Some(name), _) => self.known(name, callee.taint, given),
            (None, Some((object, name))) => self.method_of(object, name, given),
            (None, None) => Value::tainted(callee.taint | Self::taint_of(given)),
        };
        self.call_back(given_back, object, given)
    }

    /// Functions that are given to a function that is not the code's own are called by it.
    fn call_back(
        &mut self,
        result: Value<'t>,
        object: Option<(Value<'t>, &'t str)>,
        given: &[Given<'t>],
    ) -> Value<'t> {
        let taint = result.whole_taint() | object.map_or(0, |(object, _)| object.whole_taint());
        let mut last = None;
        for one in given {
            let is_own = matches!(one.value.what, What::Function(_));
            let each = object.filter(|(_, name)| {
                matches!(
                    *name,
                    "forEach" | "map" | "filter" | "some" | "every" | "find" | "flatMap" | "reduce"
                )
            });
            match (each, object) {
                (Some((list, _)), _) if is_own || one.value.named().is_some() => {
                    last = Some(self.mapped(one.value, list));
                }
                (_, Some((promise, "then"))) if is_own => {
                    let value = promise;
                    last = Some(self.call(one.value, None, &[Given { name: None, value }]));
                }
                _ if is_own => {
                    let value = match result.what {
                        What::Name(name) => Value::name(name).with(taint),
                        _ => Value::tainted(taint),
                    };
                    self.call(one.value, None, &[Given { name: None, value }]);
                }
                _ => {}
            }
        }
        last.unwrap_or(result)
    }

    /// Calls `function` for each element of `over`.
    fn mapped(&mut self, function: Value<'t>, over: Value<'t>) -> Value<'t> {
        let arena = self.arena;
        let elements = self.elements(over).iter();
        let call =
            |value: &Value<'t>| self.call(function, None, &[Given { name: None, value: *value }]);
        Value::list(arena.all(elements.map(call)))
    }

    /// Calls what is not the code's own; what it gives.
    fn known(&mut self, name: &'t str, taint: u8, given: &[Given<'t>]) -> Value<'t> {
        let passed = Self::taint_of(given);
        let result = self.result(name).with(taint | passed);
        if self.talks(name, given) {
            return result;
        }
        match table::of(name) {
            Some(does) => self.does(name, does, given).unwrap_or(result),
            None if names::root(name) == "sqlite3" || is_query(name) => {
                self.query(name, given);
                result
            }
            None => result,
        }
    }

    /// What the call of something gives, where nothing more is known.
    pub(super) fn result(&self, name: &str) -> Value<'t> {
        Value::name(self.arena.joined([name, "()"]))
    }

    /// A method of a text, a path, a list, or something that is not known.
    fn method_of(&mut self, object: Value<'t>, name: &'t str, given: &[Given<'t>]) -> Value<'t> {
        let taint = object.whole_taint() | Self::taint_of(given);
        let is_path = matches!(object.what, What::Text(_))
            || matches!(object.what, What::Unknown)
                && matches!(name, "unlink" | "rmdir" | "write_text" | "write_bytes" | "read_text");
        if is_path && let Some(does) = table::of_path(name) {
            let path = Value::text(object.bytes()).with(object.taint);
            let path = Given { name: None, value: path };
            let all = self.arena.all(std::iter::once(path).chain(given.iter().copied()));
            return self.does(name, does, all).unwrap_or_else(|| Value::tainted(taint));
        }
        if matches!(name, "expanduser") {
            return self.expanded(object);
        }
        if is_query(name) && matches!(object.what, What::Unknown) {
            self.query(name, given);
        }
        if matches!(name, "to_csv" | "savefig" | "extractall")
            && matches!(object.what, What::Unknown)
        {
            return self.does(name, Does::Writes, given).unwrap_or_default();
        }
        fold::method(self.arena, object, name, given).unwrap_or_else(|| Value::tainted(taint))
    }

    /// `~` at the start of a path, made plain.
    pub(super) fn expanded(&self, path: Value<'t>) -> Value<'t> {
        match path.what {
            What::Text(text) if text.first() == Some(&b'~') => {
                let rest = text.get(1..).unwrap_or_default();
                let all = self.home.iter().chain(rest).copied();
                Value::text(self.arena.all(all)).with(path.taint)
            }
            _ => path,
        }
    }

    /// Tells what a call does; what it gives, where that is more than a name.
    fn does(&mut self, name: &'t str, does: Does, given: &[Given<'t>]) -> Option<Value<'t>> {
        match does {
            Does::Deletes => self.on_file(FileUse::Deletes, first(given)),
            Does::Writes => self.writes(name, given),
            Does::Moves => {
                self.on_file(FileUse::Writes, first(given));
                let to = at(given, 1, &["dst", "target"]);
                self.on_file(FileUse::Writes, to.unwrap_or_default());
            }
            Does::Copies => {
                self.on_file(FileUse::Reads, first(given));
                let to = at(given, 1, &["dst"]).unwrap_or_default();
                self.on_file(FileUse::Writes, to);
                return Some(to);
            }
            Does::Reads => return Some(self.reads(given)),
            Does::Opens => return Some(self.opens(name, given)),
            Does::Mode => self.mode(given),
            Does::Fetches | Does::Sends | Does::Requests | Does::Downloads => {
                return Some(self.request(name, does, given));
            }
            Does::Socket => return Some(self.result(name).with(FETCHED)),
            Does::Connects => {
                let to = self.host(given);
                self.say(Kind::Sends, to, Self::is_secret(given));
                return Some(self.result(name).with(FETCHED));
            }
            Does::Runs | Does::Words | Does::Argv => return Some(self.runs(name, does, given)),
            Does::Code => return Some(self.code(name, given)),
            Does::Loads if Self::is_fetched(given) => {
                self.say(Kind::RunsFetchedCode, &[], false);
            }
            Does::Is(kind) => {
                let on = first(given);
                let subject = on.known().unwrap_or_default();
                self.say(kind, subject, false);
            }
            Does::Duplicates if Self::is_fetched(given) => {
                self.say(Kind::RunsFetchedCode, &[], false);
            }
            Does::Enters => self.cwd = self.absolute(first(given)),
            _ => return self.gives(name, does, given),
        }
        None
    }

    /// Calls that only compute.
    fn gives(&mut self, name: &'t str, does: Does, given: &[Given<'t>]) -> Option<Value<'t>> {
        let taint = Self::taint_of(given);
        let unnamed = given.iter().filter(|one| one.name.is_none()).map(|one| one.value);
        let values = self.arena.all(unnamed);
        let one = first(given);
        Some(match does {
            // It gives the outermost package.
            Does::Module if name == "__import__" => {
                names::module(self.arena, names::root(one.known_text()?))
            }
            Does::Module => names::module(self.arena, one.known_text()?),
            Does::Attribute => {
                let name = at(given, 1, &[])?.known_text()?;
                self.member(one, name)
            }
            Does::Path if matches!(name, "path.resolve" | "os.path.abspath") => {
                let parts = std::iter::once(self.here()).chain(values.iter().copied());
                cleaned(self.arena, fold::path(self.arena, self.arena.all(parts)))
            }
            Does::Path => fold::path(self.arena, values),
            Does::Same => self.expanded(one).with(taint),
            Does::Decodes(kind) => {
                let named = at(given, 1, &["encoding"]).and_then(|value| value.known_text());
                let kind = if kind.is_empty() { named.unwrap_or_default() } else { kind };
                fold::decoded(self.arena, kind, one)
            }
            Does::Characters => fold::characters(self.arena, values),
            Does::Parent => fold::parent(one.bytes()).with(taint),
            Does::Home => Value::text(self.home),
            Does::Here => self.here(),
            Does::Temporary => match names::last(name) {
                "tmpdir" | "gettempdir" => Value::text(b"/tmp"),
                "mkstemp" => {
                    Value::list(self.arena.all([Value::default(), Value::text(b"/tmp/x\0")]))
                }
                _ => Value::text(b"/tmp/x\0"),
            },
            Does::Lists if names::last(name).contains("readdir") || name == "os.listdir" => {
                Value::list(self.arena.all([Value::text(b"*")]))
            }
            Does::Lists => Value::list(self.arena.all([one])),
            Does::Walks => {
                let (arena, star) = (self.arena, Value::text(b"*"));
                let each = match name {
                    "os.scandir" => fold::path(arena, &[one, star]),
                    _ => {
                        let star = Value::list(arena.all([star]));
                        Value::list(arena.all([one, star, star]))
                    }
                };
                Value::list(arena.all([each]))
            }
            Does::Maps => self.mapped(*values.first()?, *values.get(1)?),
            Does::Starts => {
                let function = option(given, "target").or_else(|| values.first().copied())?;
                let rest = option(given, "args").map(|args| args.elements());
                let rest = rest.or_else(|| values.get(1..)).unwrap_or_default();
                let given = rest.iter().map(|value| Given { name: None, value: *value });
                let given = self.arena.all(given);
                // What is the code's own is called by whoever is given it.
                match function.what {
                    What::Name(_) => self.call(function, None, given),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// Code of the same language.
    fn code(&mut self, name: &str, given: &[Given<'t>]) -> Value<'t> {
        let code = match name {
            "Function" => given.last().map(|one| one.value).unwrap_or_default(),
            _ => first(given),
        };
        if code.whole_taint() & FETCHED != 0 {
            self.say(Kind::RunsFetchedCode, &[], false);
            return Value::tainted(FETCHED);
        }
        match code.known() {
            Some(text) if self.reader.depth < reader::DEEPEST => {
                let program = self.language.parse(self.arena, text, b"");
                self.reader.depth += 1;
                self.program(&program);
                self.reader.depth -= 1;
            }
            _ => self.say(Kind::RunsUnknownCode, &[], false),
        }
        Value::default()
    }
}
