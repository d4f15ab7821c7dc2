//! What calls do to files: where a path leads from where the code is, and what is read or written there.

use super::arena::Arena;
use super::calls::{first, option};
use super::value::{FETCHED, SECRET, Value, What};
use super::walk::{Given, Walker};
use super::{calls, fold, table};
use evaluator::command::UNKNOWN;
use evaluator::effects::{FileUse, Kind};

impl<'t> Walker<'_, '_, 't> {
    /// Tells what is done to a file.
    pub fn on_file(&mut self, what: FileUse, path: Value<'t>) {
        // Where it leads is seen from where the code is now, and judged from where it began.
        let moved = self.cwd != self.origin;
        let path = match self.absolute(path) {
            Some(path) if moved => path,
            None if moved => &[UNKNOWN],
            _ => self.expanded(path).bytes(),
        };
        self.reader.on_file(what, path, self.origin);
    }

    /// A path made absolute; `None` if it is not known.
    pub fn absolute(&self, path: Value<'t>) -> Option<&'t [u8]> {
        let path = self.expanded(path);
        let path = path.known()?;
        if path.first() == Some(&b'/') {
            return Some(path);
        }
        let here = Value::text(self.cwd?);
        let path = fold::path(self.arena, &[here, Value::text(path)]);
        cleaned(self.arena, path).known()
    }

    pub(super) fn writes(&mut self, name: &str, given: &[Given<'t>]) {
        let path = first(given);
        // `mkdir`, `write` and the like of something else entirely.
        let is_method = !name.contains('.') && !matches!(name, "mkdir");
        if !is_method || matches!(path.what, What::Text(_)) || table::of_path(name).is_some() {
            self.on_file(FileUse::Writes, path);
        }
        if Self::is_fetched(given)
            && let Some(path) = self.absolute(path)
        {
            self.fetched.push(path);
        }
    }

    pub(super) fn reads(&mut self, given: &[Given<'t>]) -> Value<'t> {
        let path = match option(given, "path") {
            Some(path) => path,
            None => first(given),
        };
        Value::tainted(self.read(path) | path.taint)
    }

    /// Tells that a file is read; where what is in it comes from.
    pub(super) fn read(&mut self, path: Value<'t>) -> u8 {
        let before = self.reader.found.len();
        self.on_file(FileUse::Reads, path);
        let is_secret = self.reader.found.len() > before;
        let path = self.absolute(path).unwrap_or_default();
        let is_fetched = self.fetched.contains(&path);
        (if is_secret { SECRET } else { 0 }) | if is_fetched { FETCHED } else { 0 }
    }

    pub(super) fn opens(&mut self, name: &str, given: &[Given<'t>]) -> Value<'t> {
        let path = first(given);
        let mode = calls::at(given, 1, &["mode"]).unwrap_or(Value::text(b"r"));
        let in_place = option(given, "inplace").is_some();
        let mode = mode.known_text().unwrap_or("r");
        let path = match path.what {
            What::List(all) => all.first().copied().unwrap_or_default(),
            _ => path,
        };
        let writes = mode.contains(['w', 'a', 'x', '+']) && !name.starts_with("fileinput");
        let taint = match writes || in_place {
            true => {
                self.on_file(FileUse::Writes, path);
                0
            }
            false => self.read(path),
        };
        self.result(name).with(taint)
    }

    pub(super) fn mode(&mut self, given: &[Given<'t>]) {
        self.on_file(FileUse::Writes, first(given));
        let Some(mode) = calls::at(given, 1, &["mode"]).and_then(|mode| mode.known_text()) else {
            return;
        };
        let octal = mode.strip_prefix("0o").or_else(|| mode.strip_prefix('0')).unwrap_or(mode);
        let is_special = octal.len() == 4 && octal.starts_with(['2', '4', '6']);
        if is_special {
            self.say(Kind::Escalates, &[], false);
        }
    }
}

/// A path without `.` and `..` in it.
pub(super) fn cleaned<'t>(arena: &'t Arena, path: Value<'t>) -> Value<'t> {
    let mut room = [0; 4096];
    match path.known().and_then(|text| evaluator::path::clean(b"/", text, &mut room)) {
        Some(clean) => Value::text(arena.copied(clean)).with(path.taint),
        None => path,
    }
}
