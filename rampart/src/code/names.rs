//! What things that are not the code's own are called: one name for each, however it is got at.

use super::arena::Arena;
use super::value::{SECRET, Value};

/// Modules that are another by another name.
const SAME: [(&str, &str); 6] = [
    ("fs/promises", "fs"),
    ("fs.promises", "fs"),
    ("graceful-fs", "fs"),
    ("fs-extra", "fs"),
    ("posixpath", "os.path"),
    ("posix", "os"),
];

/// The thing that a module of this name is, or a member of one.
pub fn module<'t>(arena: &'t Arena, name: &'t str) -> Value<'t> {
    let name = name.strip_prefix("node:").unwrap_or(name);
    for (other, known) in SAME {
        if let Some(rest) = name.strip_prefix(other)
            && (rest.is_empty() || rest.starts_with('.'))
        {
            return found(arena.joined([known, rest]));
        }
    }
    found(name)
}

fn found(name: &str) -> Value<'_> {
    match name {
        "os.environ" | "process.env" => Value::name(name).with(SECRET),
        "sys.executable" => Value::text(b"python3"),
        "process.execPath" => Value::text(b"node"),
        _ => Value::name(name),
    }
}

/// The member `name` of the thing called `of`. `home` is the user's own directory.
pub fn member<'t>(arena: &'t Arena, of: &'t str, name: &'t str, home: &'t [u8]) -> Value<'t> {
    let all = |of| matches!(of, "os.environ" | "process.env");
    match (of, name) {
        _ if all(of) && name == "HOME" => Value::text(home),
        _ if all(of) && matches!(name, "copy" | "items" | "values") => {
            Value::name(arena.joined([of, ".", name])).with(SECRET)
        }
        ("globalThis" | "global" | "window" | "builtins" | "__builtins__" | "globals()", _) => {
            module(arena, name)
        }
        (_, "__dict__" | "default") => Value::name(of),
        (_, "require") => Value::name("require"),
        _ => module(arena, arena.joined([of, ".", name])),
    }
}

/// The last part of a name.
pub fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The first part of a name: the module.
pub fn root(name: &str) -> &str {
    let end = name.find(['.', '(']).unwrap_or(name.len());
    name.get(..end).unwrap_or(name)
}
