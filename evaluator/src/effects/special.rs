//! Programs whose options or operands decide what they do.

use super::{Kind, One};
use crate::command::CommandFlags;
use crate::list::is_listed;
use crate::sql;

/// Tells what the program `name` does that no line of the table can say; whether it is known here.
pub fn tell(one: &mut One<'_, '_, '_>, name: &[u8]) -> bool {
    match name {
        b"curl" => curl(one),
        b"wget" => wget(one),
        b"scp" | b"rsync" | b"rclone" => copies(one),
        b"dd" => dd(one),
        b"crontab" => crontab(one),
        b"chmod" => chmod(one),
        b"aws" | b"gcloud" | b"az" => cloud(one),
        b"psql" | b"mysql" | b"mariadb" | b"sqlite3" | b"clickhouse-client" => database(one),
        b"git" => git(one),
        b"sh" | b"bash" | b"dash" | b"zsh" | b"ksh" => shell(one),
        _ if is_interpreter(name) => interpreter(one),
        _ => return false,
    }
    true
}

fn is_interpreter(name: &[u8]) -> bool {
    let versioned = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let digits = name.iter().rev().take_while(|byte| versioned(byte)).count();
    let stem = name.get(..name.len().saturating_sub(digits)).unwrap_or(name);
    const NAMES: &[u8] = b"python pypy node nodejs deno bun ruby perl php lua tsx ts-node";
    is_listed(NAMES, stem)
}

/// The values of options: `-o VALUE`, `-oVALUE`, `--name VALUE`, `--name=VALUE`.
fn values<'t>(
    one: &One<'_, '_, 't>,
    options: &'static [u8],
) -> impl Iterator<Item = &'t [u8]> + use<'t> {
    let mut words = one.words();
    core::iter::from_fn(move || {
        loop {
            let word = words.next()?;
            for option in options.split(|byte| *byte == b' ') {
                if word == option {
                    return words.next();
                }
                let long = option.starts_with(b"--");
                match word.strip_prefix(option) {
                    Some(rest) if long && rest.first() == Some(&b'=') => return rest.get(1..),
                    Some(rest) if !long && !rest.is_empty() => return Some(rest),
                    _ => {}
                }
            }
        }
    })
}

/// Whether a word is an address, or a host with a path or a port.
fn is_address(word: &[u8]) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    word.windows(3).any(|part| part == b"://")
        || word.starts_with(b"localhost")
        || word.contains(&b'.') && word.iter().take_while(|byte| name(byte)).count() > 3
}

fn curl(one: &mut One<'_, '_, '_>) {
    const DATA: &[u8] = b"-d --data --data-raw --data-binary --data-urlencode --data-ascii -F --form -T --upload-file --json";
    const METHOD: &[u8] = b"-X --request";
    const OUT: &[u8] = b"-o --output";
    let reads = |method: &[u8]| matches!(method, b"GET" | b"HEAD" | b"OPTIONS");
    let sends =
        values(one, DATA).next().is_some() || values(one, METHOD).any(|method| !reads(method));
    let kind = if sends { Kind::Sends } else { Kind::Fetches };
    let mut any = false;
    for address in one.words().filter(|word| word.first() != Some(&b'-') && is_address(word)) {
        one.say(kind, address);
        any = true;
    }
    if !any {
        one.say(kind, b"");
    }
    for path in values(one, OUT) {
        one.writes(path);
    }
    if one.has(b"-O --remote-name --remote-name-all") {
        one.say(Kind::Writes, b"");
    }
}

fn wget(one: &mut One<'_, '_, '_>) {
    const DATA: &[u8] = b"--post-data --post-file --body-data --body-file --method";
    for path in values(one, b"-O --output-document") {
        one.writes(path);
    }
    if values(one, DATA).next().is_some() {
        for address in one.operands().filter(|word| is_address(word)) {
            one.say(Kind::Sends, address);
        }
    }
}

/// Programs that copy between machines: the side that is named with a host says which way.
fn copies(one: &mut One<'_, '_, '_>) {
    let remote = |path: &[u8]| {
        let colon = path.iter().position(|byte| *byte == b':');
        colon.is_some_and(|at| at > 0 && !path.get(..at).unwrap_or(&[]).contains(&b'/'))
            || path.starts_with(b"rsync://")
    };
    let Some(last) = one.operands().last() else {
        return;
    };
    if remote(last) {
        one.say(Kind::Sends, last);
        return;
    }
    for source in one.operands().filter(|path| remote(path)) {
        one.say(Kind::Fetches, source);
    }
    one.writes(last);
}

fn dd(one: &mut One<'_, '_, '_>) {
    for word in one.words() {
        if let Some(path) = word.strip_prefix(b"of=") {
            one.writes(path);
        }
    }
}

fn crontab(one: &mut One<'_, '_, '_>) {
    if !one.has(b"-l") {
        one.say(Kind::Persists, b"");
    }
}

/// A mode with the set-user-id or set-group-id bit.
fn chmod(one: &mut One<'_, '_, '_>) {
    let Some(mode) = one.operands().next() else {
        return;
    };
    let octal = mode.len() >= 4 && mode.iter().all(u8::is_ascii_digit);
    let special = mode
        .get(mode.len().saturating_sub(4))
        .is_some_and(|digit| matches!(digit, b'2' | b'4' | b'6'));
    if octal && special || mode.contains(&b's') && mode.contains(&b'+') {
        one.say(Kind::Escalates, b"");
    }
}

/// Clouds' own tools: the verb is one of the words, whatever the service.
fn cloud(one: &mut One<'_, '_, '_>) {
    const VERBS: &[u8] = b"delete create update put terminate stop start reboot run rm rb mb sync cp mv deploy set modify attach detach restore add remove publish";
    let is_verb = |word: &[u8]| {
        VERBS.split(|byte| *byte == b' ').any(|verb| {
            word.strip_prefix(verb).is_some_and(|rest| matches!(rest.first(), None | Some(b'-')))
        })
    };
    let found = one.operands().skip(1).take(4).find(|word| is_verb(word));
    if let Some(verb) = found {
        one.say(Kind::ChangesShared, verb);
        if matches!(verb, b"cp" | b"sync" | b"mv")
            && let Some(last) = one.operands().last().filter(|last| last.starts_with(b"s3://"))
        {
            one.say(Kind::Sends, last);
        }
    } else {
        one.say(Kind::Fetches, b"");
    }
}

fn database(one: &mut One<'_, '_, '_>) {
    let given = one.tree.bytes(one.command.stdin);
    let changes = sql::effects(given) != 0 || one.words().any(|word| sql::effects(word) != 0);
    if changes {
        one.say(Kind::ChangesShared, b"");
    }
}

/// Settings of git that name programs.
fn git(one: &mut One<'_, '_, '_>) {
    let mut operands = one.operands();
    let reads = one.has(b"--get --get-all --get-regexp --list -l --unset");
    if operands.next() != Some(b"config") || reads {
        return;
    }
    const KEYS: &[u8] = b"core.hookspath core.sshcommand core.fsmonitor core.pager core.editor";
    let runs = |word: &[u8]| {
        KEYS.split(|byte| *byte == b' ').any(|key| word.eq_ignore_ascii_case(key))
            || word.starts_with(b"alias.")
    };
    if operands.any(runs) {
        one.say(Kind::Persists, b"");
    }
}

/// An interpreter runs the code that it is given, which the tree has, or a file.
fn interpreter(one: &mut One<'_, '_, '_>) {
    const GIVEN: &[u8] = b"-c -e --eval -r -p --print -E";
    // `python3 -m pip install -r FILE` is pip's `-r`.
    if one.words().next() == Some(b"-m") && one.words().nth(1) == Some(b"pip") {
        if one.words().nth(2) == Some(b"install") {
            one.say(Kind::Installs, b"");
        }
        return;
    }
    let is_code = one.words().any(|word| {
        is_listed(GIVEN, word)
            || word.len() > 2 && word.starts_with(b"-c") && word.get(1) != Some(&b'-')
    });
    if is_code {
        return;
    }
    if let Some(module) = values(one, b"-m").next() {
        if !matches!(module, b"json.tool" | b"venv" | b"pdb" | b"timeit" | b"py_compile") {
            one.say(Kind::RunsScript, module);
        }
        return;
    }
    let script = one.operands().next();
    if let Some(script) =
        script.filter(|script| !matches!(*script, b"-" | b"run" | b"test" | b"install"))
    {
        one.say(Kind::RunsScript, script);
    }
}

/// A shell with a file that was not read.
fn shell(one: &mut One<'_, '_, '_>) {
    let is_read = one.command.flags.has(CommandFlags::WRAPPER.with(CommandFlags::UNKNOWN_CODE))
        || one
            .tree
            .commands
            .iter()
            .any(|child| child.parent as usize == one.index.saturating_add(1));
    if let Some(script) = one.operands().next().filter(|_| !is_read && !one.has(b"-c")) {
        one.say(Kind::RunsScript, script);
    }
}
