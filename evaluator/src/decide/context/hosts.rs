//! The machine that a command acts on: a database's, the one that `ssh` goes to, or this one.

use crate::command::{Command, Via};
use crate::path::file_name;
use crate::world::Answer;

use super::super::condition::{At, Judge};
use super::super::found::Fault;
use super::{Path, Seen};

/// Options of `ssh` that take a value (ssh(1)).
const SSH: &[u8] = b" -B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -W -w ";

/// Options of `scp`, `sftp` and `rsync` that take a value.
const COPY: &[u8] = b" -c -D -F -i -J -l -o -P -S -X -e --rsh --rsync-path --exclude --include --filter --files-from ";

/// Options of `mosh` that take a value.
const MOSH: &[u8] = b" -p --port --ssh --server --client --predict --family ";

/// Options of PostgreSQL clients that take a value, apart from those of the host.
const POSTGRES: &[u8] = b" -d --dbname -U --username -p --port -c --command -f --file -v --set -o --output -t --table -n --schema -F -R -T -L -P -j --jobs -D -E -Z -S -N ";

impl<'j> Judge<'j, '_> {
    /// The machine: where `ssh` and its like go to; for what runs there, that; else this one.
    pub(super) fn machine(&mut self, at: At<'j>, name: &[u8], seen: &mut Seen<'_, '_>) {
        if self.remote(at.1, name, seen) {
            return;
        }
        let mut step = Some(at.1);
        while let Some(command) = step {
            let above = self.tree.parent(command);
            if let Some(carrier) = above
                && command.via == Via::Remote
            {
                let program =
                    self.tree.program(carrier).map_or(&b""[..], |(_, text)| file_name(text));
                if !self.remote(carrier, program, seen) {
                    seen.unknown();
                }
                return;
            }
            step = above;
        }
        seen.answer(self.world.host(self.line));
    }

    /// The hosts that the arguments of `ssh`, `scp` … name; whether it is such a program.
    fn remote(&self, command: &Command, name: &[u8], seen: &mut Seen<'_, '_>) -> bool {
        let options = match name {
            b"ssh" | b"autossh" | b"slogin" => SSH,
            b"mosh" => MOSH,
            b"scp" | b"sftp" | b"rsync" => COPY,
            _ => return false,
        };
        let copies = options == COPY;
        let mut found = false;
        for word in self.operands(command, 1, options) {
            let Some(text) = self.known(word) else {
                seen.unknown();
                found = true;
                if copies { continue } else { break }
            };
            let host = if copies && !is_address(text) {
                // `host:path`; a slash before the colon makes it a path. `sftp host` has no colon.
                let colon = text.iter().position(|byte| matches!(byte, b':' | b'/'));
                match colon {
                    Some(at) if text.get(at) == Some(&b':') => text.get(..at),
                    None if name == b"sftp" => Some(text),
                    _ => continue,
                }
            } else {
                Some(text)
            };
            seen.value(host_of(host.unwrap_or(text)));
            found = true;
            if !copies {
                break;
            }
        }
        // Only files of this machine: nothing goes anywhere.
        found || !copies
    }

    /// The host that a database client connects to.
    pub(super) fn database_host(
        &mut self,
        at: At<'j>,
        name: &[u8],
        seen: &mut Seen<'_, '_>,
    ) -> Result<(), Fault> {
        let (_, command) = at;
        if name.starts_with(b"mongo") {
            return self.mongo(at, seen);
        }
        if name.ends_with(b"-cli") {
            let url = self.option(command, b"-u");
            let given = if url == Answer::Absent { self.option(command, b"-h") } else { url };
            match given {
                Answer::Value(text) => seen.value(host_of(text)),
                Answer::Absent => seen.value(b"localhost"),
                Answer::Unavailable => seen.unknown(),
            }
            return Ok(());
        }
        match self.option(command, b"-h --host") {
            Answer::Absent => {}
            given => {
                seen.answer(given);
                return Ok(());
            }
        }
        let is_mysql = name.starts_with(b"my") || name.starts_with(b"mariadb");
        if is_mysql { self.mysql(at, seen) } else { self.postgres(at, seen) }
    }

    fn postgres(&mut self, at: At<'j>, seen: &mut Seen<'_, '_>) -> Result<(), Fault> {
        let mut found = false;
        let named = match self.option(at.1, b"-d --dbname") {
            Answer::Absent => None,
            Answer::Value(text) => Some(text),
            Answer::Unavailable => {
                seen.unknown();
                return Ok(());
            }
        };
        let words = self.operands(at.1, 1, POSTGRES);
        for text in named.into_iter().map(Some).chain(words.map(|word| self.known(word))) {
            let Some(text) = text else {
                seen.unknown();
                found = true;
                continue;
            };
            if is_address(text) {
                found |= hosts(text, seen);
            } else {
                for pair in text.split(|byte| *byte == b' ') {
                    for key in [&b"host="[..], b"hostaddr="] {
                        if let Some(host) = pair.strip_prefix(key) {
                            seen.value(host);
                            found = true;
                        }
                    }
                }
            }
        }
        if found {
            return Ok(());
        }
        match self.first_variable(at, b"PGHOST PGHOSTADDR")? {
            Answer::Absent => match self.first_variable(at, b"PGSERVICE")? {
                Answer::Absent => seen.value(b"localhost"),
                _ => seen.unknown(),
            },
            given => seen.answer(given),
        }
        Ok(())
    }

    fn mysql(&mut self, at: At<'j>, seen: &mut Seen<'_, '_>) -> Result<(), Fault> {
        let mut found = false;
        for word in self.operands(at.1, 1, b" -u -p -P -D -e -S ") {
            match self.known(word) {
                Some(text) if is_address(text) => found |= hosts(text, seen),
                Some(_) => {}
                None => seen.unknown(),
            }
        }
        let given = self.first_variable(at, b"MYSQL_HOST")?;
        if found || given != Answer::Absent {
            seen.answer(given);
            return Ok(());
        }
        let mut path = Path::new();
        if !self.configuration(at, b"", b".my.cnf", &mut path)? {
            seen.unknown();
            return Ok(());
        }
        let read = self.settings(path.get(), &mut |section, key, value| {
            let applies = section == b"client" || section == b"mysql";
            if applies && key == b"host" {
                seen.value(value);
                found = true;
            }
            false
        })?;
        match read {
            Answer::Unavailable => seen.unknown(),
            _ if !found => seen.value(b"localhost"),
            _ => {}
        }
        Ok(())
    }

    fn mongo(&mut self, at: At<'j>, seen: &mut Seen<'_, '_>) -> Result<(), Fault> {
        let given = match self.option(at.1, b"--uri") {
            Answer::Absent => self.option(at.1, b"-h --host"),
            given => given,
        };
        let mut found = given != Answer::Absent;
        match given {
            Answer::Value(text) => {
                hosts(text, seen);
            }
            Answer::Absent => {}
            Answer::Unavailable => seen.unknown(),
        }
        for word in self.operands(
            at.1,
            1,
            b" -u -p -d -c --port --username --password --eval --db --collection --out ",
        ) {
            match self.known(word) {
                Some(text) if is_address(text) => found |= hosts(text, seen),
                Some(_) => {}
                None => seen.unknown(),
            }
        }
        if !found {
            seen.value(b"localhost");
        }
        Ok(())
    }
}

/// Whether `text` is a URL.
fn is_address(text: &[u8]) -> bool {
    text.windows(3).any(|window| window == b"://")
}

/// Gives every host of a URL with several (`mongodb://a:1,b:2/db`), or of a list; whether there
/// is one.
fn hosts(text: &[u8], seen: &mut Seen<'_, '_>) -> bool {
    let rest = match text.windows(3).position(|window| window == b"://") {
        Some(at) => text.get(at.saturating_add(3)..).unwrap_or(&[]),
        None => text.rsplit(|byte| *byte == b'/').next().unwrap_or(text),
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let authority = rest.get(..end.unwrap_or(rest.len())).unwrap_or(&[]);
    let user = authority.iter().rposition(|byte| *byte == b'@');
    let list = user.and_then(|at| authority.get(at.saturating_add(1)..)).unwrap_or(authority);
    let mut found = false;
    for host in list.split(|byte| *byte == b',').map(without_port) {
        let host = if host.is_empty() { b"localhost" } else { host };
        seen.value(host);
        found = true;
    }
    found
}

/// The host in `user@host:port`, `scheme://user@host:port/…` or `host`.
fn host_of(text: &[u8]) -> &[u8] {
    let rest = match text.windows(3).position(|window| window == b"://") {
        Some(at) => text.get(at.saturating_add(3)..).unwrap_or(&[]),
        None => text,
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let authority = rest.get(..end.unwrap_or(rest.len())).unwrap_or(&[]);
    let user = authority.iter().rposition(|byte| *byte == b'@');
    without_port(user.and_then(|at| authority.get(at.saturating_add(1)..)).unwrap_or(authority))
}

/// `host` of `host:port` and of `[host]:port`.
fn without_port(text: &[u8]) -> &[u8] {
    if let Some(rest) = text.strip_prefix(b"[") {
        let end = rest.iter().position(|byte| *byte == b']').unwrap_or(rest.len());
        return rest.get(..end).unwrap_or(rest);
    }
    // An IPv6 address without brackets has more than one colon.
    let mut colons = text.iter().enumerate().filter(|(_, byte)| **byte == b':');
    match (colons.next(), colons.next()) {
        (Some((at, _)), None) => text.get(..at).unwrap_or(text),
        _ => text,
    }
}
