//! What a call does, by the table of calls and its arguments.

use super::files::cleaned;
use super::names;
use super::network::is_query;
use super::table::{self, Does};
use super::value::{FETCHED, Value, What};
use super::walk::{Given, Walker};
use super::{fold, reader};
use evaluator::command::UNKNOWN;
use evaluator::effects::{FileUse, Kind};

/// The argument of this number, or the one of such a name.
pub fn at<'g>(given: &'g [Given], number: usize, names: &[&str]) -> Option<&'g Value> {
    let named =
        given.iter().find(|one| one.name.as_deref().is_some_and(|name| names.contains(&name)));
    let unnamed = || given.iter().filter(|one| one.name.is_none()).nth(number);
    named.or_else(unnamed).map(|one| &one.value)
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

pub fn first(given: &[Given]) -> Value {
    at(given, 0, &FIRST).cloned().unwrap_or_default()
}

/// The member `name` of the options among the arguments: Python's by name, JavaScript's in an object.
pub fn option(given: &[Given], name: &str) -> Option<Value> {
    let named = given.iter().find(|one| one.name.as_deref() == Some(name));
    let in_map = |one: &Given| match &one.value.what {
        What::Map(all) => {
            all.iter().rev().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.clone())
        }
        _ => None,
    };
    named.map(|one| one.value.clone()).or_else(|| given.iter().find_map(in_map))
}

impl Walker<'_, '_> {
    /// Calls `callee`, as a method of `object` if there is one; what it gives.
    pub fn call(
        &mut self,
        callee: &Value,
        object: Option<(&Value, &str)>,
        given: &[Given],
    ) -> Value {
        if let What::Function(function) = &callee.what {
            let function = std::rc::Rc::clone(function);
            return self.enter(&function, given);
        }
        let given_back = match (callee.named(), object) {
            (Some(name), _) => {
                let name = name.to_owned();
                self.known(&name, callee.taint, given)
            }
            (None, Some((object, name))) => self.method_of(object, name, given),
            (None, None) => Value::tainted(callee.taint | Self::taint_of(given)),
        };
        self.call_back(&given_back, object, given)
    }

    /// Functions that are given to a function that is not the code's own are called by it.
    fn call_back(
        &mut self,
        result: &Value,
        object: Option<(&Value, &str)>,
        given: &[Given],
    ) -> Value {
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
                    let mut all = Vec::new();
                    for value in self.elements(list) {
                        all.push(self.call(&one.value, None, &[Given { name: None, value }]));
                    }
                    last = Some(Value::list(all));
                }
                (_, Some((promise, "then"))) if is_own => {
                    let value = promise.clone();
                    last = Some(self.call(&one.value, None, &[Given { name: None, value }]));
                }
                _ if is_own => {
                    let value = match &result.what {
                        What::Name(name) => Value::name(name.clone()).with(taint),
                        _ => Value::tainted(taint),
                    };
                    self.call(&one.value, None, &[Given { name: None, value }]);
                }
                _ => {}
            }
        }
        last.unwrap_or_else(|| result.clone())
    }

    /// Calls what is not the code's own; what it gives.
    fn known(&mut self, name: &str, taint: u8, given: &[Given]) -> Value {
        let passed = Self::taint_of(given);
        let result = Value::name(format!("{name}()")).with(taint | passed);
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

    /// A method of a text, a path, a list, or something that is not known.
    fn method_of(&mut self, object: &Value, name: &str, given: &[Given]) -> Value {
        let taint = object.whole_taint() | Self::taint_of(given);
        let is_path = matches!(object.what, What::Text(_))
            || matches!(object.what, What::Unknown)
                && matches!(name, "unlink" | "rmdir" | "write_text" | "write_bytes" | "read_text");
        if is_path && let Some(does) = table::of_path(name) {
            let mut all =
                vec![Given { name: None, value: Value::text(object.bytes()).with(object.taint) }];
            all.extend(
                given.iter().map(|one| Given { name: one.name.clone(), value: one.value.clone() }),
            );
            return self.does(name, does, &all).unwrap_or_else(|| Value::tainted(taint));
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
        fold::method(object, name, given).unwrap_or_else(|| Value::tainted(taint))
    }

    /// `~` at the start of a path, made plain.
    pub(super) fn expanded(&self, path: &Value) -> Value {
        match &path.what {
            What::Text(text) if text.first() == Some(&b'~') => {
                let rest = text.get(1..).unwrap_or_default();
                Value::text([&self.reader.home, rest].concat()).with(path.taint)
            }
            _ => path.clone(),
        }
    }

    /// Tells what a call does; what it gives, where that is more than a name.
    fn does(&mut self, name: &str, does: Does, given: &[Given]) -> Option<Value> {
        match does {
            Does::Deletes => self.on_file(FileUse::Deletes, &first(given)),
            Does::Writes => self.writes(name, given),
            Does::Moves => {
                self.on_file(FileUse::Writes, &first(given));
                let to = at(given, 1, &["dst", "target"]).cloned();
                self.on_file(FileUse::Writes, &to.unwrap_or_default());
            }
            Does::Copies => {
                self.on_file(FileUse::Reads, &first(given));
                let to = at(given, 1, &["dst"]).cloned().unwrap_or_default();
                self.on_file(FileUse::Writes, &to);
                return Some(to);
            }
            Does::Reads => return Some(self.reads(given)),
            Does::Opens => return Some(self.opens(name, given)),
            Does::Mode => self.mode(given),
            Does::Fetches | Does::Sends | Does::Requests | Does::Downloads => {
                return Some(self.request(name, does, given));
            }
            Does::Socket => return Some(Value::name(format!("{name}()")).with(FETCHED)),
            Does::Connects => {
                let to = self.host(given);
                self.say(Kind::Sends, to, Self::is_secret(given));
                return Some(Value::name(format!("{name}()")).with(FETCHED));
            }
            Does::Runs | Does::Words | Does::Argv => return Some(self.runs(name, does, given)),
            Does::Code => return Some(self.code(name, given)),
            Does::Loads if Self::is_fetched(given) => {
                self.say(Kind::RunsFetchedCode, Vec::new(), false);
            }
            Does::Is(kind) => {
                let on = first(given);
                let subject = on.known().map(<[u8]>::to_vec).unwrap_or_default();
                self.say(kind, subject, false);
            }
            Does::Duplicates if Self::is_fetched(given) => {
                self.say(Kind::RunsFetchedCode, Vec::new(), false);
            }
            Does::Enters => self.cwd = self.absolute(&first(given)),
            _ => return self.gives(name, does, given),
        }
        None
    }

    /// Calls that only compute.
    fn gives(&mut self, name: &str, does: Does, given: &[Given]) -> Option<Value> {
        let taint = Self::taint_of(given);
        let values: Vec<Value> =
            given.iter().filter(|one| one.name.is_none()).map(|one| one.value.clone()).collect();
        let one = first(given);
        Some(match does {
            // It gives the outermost package.
            Does::Module if name == "__import__" => names::module(names::root(one.known_text()?)),
            Does::Module => names::module(one.known_text()?),
            Does::Attribute => {
                let name = at(given, 1, &[])?.known_text()?.to_owned();
                self.member(&one, &name)
            }
            Does::Path if matches!(name, "path.resolve" | "os.path.abspath") => {
                let here = Value::text(self.cwd.clone().unwrap_or_else(|| vec![UNKNOWN]));
                cleaned(&fold::path(&[&[here], values.as_slice()].concat()))
            }
            Does::Path => fold::path(&values),
            Does::Same => self.expanded(&one).with(taint),
            Does::Decodes(kind) => {
                let named = at(given, 1, &["encoding"]).and_then(Value::known_text);
                let kind = if kind.is_empty() { named.unwrap_or_default() } else { kind };
                fold::decoded(kind, &one)
            }
            Does::Characters => fold::characters(&values),
            Does::Parent => fold::parent(&one.bytes()).with(taint),
            Does::Home => Value::text(self.reader.home.clone()),
            Does::Here => Value::text(self.cwd.clone().unwrap_or_else(|| vec![UNKNOWN])),
            Does::Temporary => match names::last(name) {
                "tmpdir" | "gettempdir" => Value::text("/tmp"),
                "mkstemp" => Value::list(vec![Value::default(), Value::text(b"/tmp/x\0".to_vec())]),
                _ => Value::text(b"/tmp/x\0".to_vec()),
            },
            Does::Lists if names::last(name).contains("readdir") || name == "os.listdir" => {
                Value::list(vec![Value::text("*")])
            }
            Does::Lists => Value::list(vec![one]),
            Does::Walks => {
                let star = Value::list(vec![Value::text("*")]);
                match name {
                    "os.scandir" => Value::list(vec![fold::path(&[one, Value::text("*")])]),
                    _ => Value::list(vec![Value::list(vec![one, star.clone(), star])]),
                }
            }
            Does::Maps => {
                let function = values.first()?.clone();
                let over = values.get(1)?.clone();
                let each = self.elements(&over).into_iter();
                let called: Vec<Value> = each
                    .map(|value| self.call(&function, None, &[Given { name: None, value }]))
                    .collect();
                Value::list(called)
            }
            Does::Starts => {
                let function = option(given, "target").or_else(|| values.first().cloned())?;
                let rest = option(given, "args").map(|args| args.elements().to_vec());
                let rest = rest.unwrap_or_else(|| values.get(1..).unwrap_or_default().to_vec());
                let given: Vec<Given> =
                    rest.into_iter().map(|value| Given { name: None, value }).collect();
                // What is the code's own is called by whoever is given it.
                match function.what {
                    What::Name(_) => self.call(&function, None, &given),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// Code of the same language.
    fn code(&mut self, name: &str, given: &[Given]) -> Value {
        let code = match name {
            "Function" => given.last().map(|one| one.value.clone()).unwrap_or_default(),
            _ => first(given),
        };
        if code.whole_taint() & FETCHED != 0 {
            self.say(Kind::RunsFetchedCode, Vec::new(), false);
            return Value::tainted(FETCHED);
        }
        match code.known() {
            Some(text) if self.reader.depth < reader::DEEPEST => {
                let program = self.language.parse(text, b"");
                self.reader.depth += 1;
                self.program(&program);
                self.reader.depth -= 1;
            }
            _ => self.say(Kind::RunsUnknownCode, Vec::new(), false),
        }
        Value::default()
    }
}
