//! What SQL text does, as far as its keywords tell. A database client's argument is a program in
//! another language; `DROP/**/TABLE` and `drop  table` are the same statement, and the words
//! inside a string literal are none.
//!
//! This is no parser: one pass over the tokens, linear in the text, no memory.

/// A set of things that statements do.
pub mod effect {
    /// `DROP TABLE` (also `FOREIGN TABLE`, `MATERIALIZED VIEW`).
    pub const DROP_TABLE: u32 = 1;
    /// `DROP DATABASE`, `DROP SCHEMA`, `DROP OWNED`.
    pub const DROP_DATABASE: u32 = 2;
    /// `TRUNCATE`.
    pub const TRUNCATE: u32 = 4;
    /// `DELETE FROM` without `WHERE`, or `WHERE` with a constant.
    pub const DELETE_ALL: u32 = 8;
    /// `UPDATE … SET` without `WHERE`.
    pub const UPDATE_ALL: u32 = 16;

    /// Name in policies, for each effect.
    pub const NAMES: [(&str, u32); 5] = [
        ("drop-table", DROP_TABLE),
        ("drop-database", DROP_DATABASE),
        ("truncate", TRUNCATE),
        ("delete-all", DELETE_ALL),
        ("update-all", UPDATE_ALL),
    ];
}

/// The effects ([`effect`]) of the statements in `text`.
#[must_use]
pub fn effects(text: &[u8]) -> u32 {
    let mut tokens = Tokens { rest: text, strings_run: false };
    let mut statement = Statement::default();
    let mut found = 0;
    while let Some(token) = tokens.next() {
        if let Token::End = token {
            found |= statement.finish();
            statement = Statement::default();
            tokens.strings_run = false;
            continue;
        }
        if let Token::Word(word) = token {
            // What these run is text in a string.
            tokens.strings_run |= is(word, b"execute") || is(word, b"prepare") || is(word, b"exec");
        }
        found |= statement.token(token);
    }
    found | statement.finish()
}

enum Token<'t> {
    /// A bare word.
    Word(&'t [u8]),
    /// A quoted name, a literal, a number: something that is no keyword.
    Value,
    /// `;`
    End,
}

struct Tokens<'t> {
    rest: &'t [u8],
    strings_run: bool,
}

impl<'t> Tokens<'t> {
    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            let rest = self.rest;
            match rest {
                [] => return None,
                [b'-', b'-', ..] | [b'#', ..] => self.skip_past(b"\n"),
                // MySQL runs what stands in such a comment.
                [b'/', b'*', b'!', ..] => self.skip(3),
                [b'/', b'*', ..] => {
                    self.skip(2);
                    self.skip_past(b"*/");
                }
                [b';', ..] => {
                    self.skip(1);
                    return Some(Token::End);
                }
                [b'\'', ..] if self.strings_run => self.skip(1),
                [quote @ (b'\'' | b'"' | b'`'), ..] => {
                    self.skip(1);
                    self.string(*quote);
                    return Some(Token::Value);
                }
                [byte, ..] if is_word(*byte) => {
                    let len = rest.iter().position(|byte| !is_word(*byte));
                    let (word, tail) = rest.split_at_checked(len.unwrap_or(rest.len()))?;
                    self.rest = tail;
                    if word.iter().all(u8::is_ascii_digit) {
                        return Some(Token::Value);
                    }
                    return Some(Token::Word(word));
                }
                _ => self.skip(1),
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or(&[]);
    }

    fn skip_past(&mut self, end: &[u8]) {
        let at = self.rest.windows(end.len()).position(|window| window == end);
        self.skip(at.map_or(usize::MAX, |at| at.saturating_add(end.len())));
    }

    /// Skips to behind the closing `quote`; a doubled quote and a backslash do not close.
    fn string(&mut self, quote: u8) {
        loop {
            match self.rest {
                [] => return,
                [b'\\', _, ..] => self.skip(2),
                [first, second, ..] if *first == quote && *second == quote => self.skip(2),
                [first, ..] if *first == quote => return self.skip(1),
                _ => self.skip(1),
            }
        }
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is(word: &[u8], keyword: &[u8]) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

/// What the tokens of one statement have shown so far.
#[derive(Default)]
struct Statement {
    after_drop: bool,
    after_delete: bool,
    deletes: bool,
    updates: bool,
    sets: bool,
    where_names: bool,
    in_where: bool,
    started: bool,
}

impl Statement {
    fn token(&mut self, token: Token<'_>) -> u32 {
        let Token::Word(word) = token else {
            self.after_drop = false;
            self.after_delete = false;
            return 0;
        };
        let first = !self.started;
        self.started = true;
        if self.in_where && !is(word, b"true") && !is(word, b"or") && !is(word, b"limit") {
            self.where_names = true;
        }
        if self.after_drop {
            for skipped in [&b"temporary"[..], b"foreign", b"materialized"] {
                if is(word, skipped) {
                    return 0;
                }
            }
            self.after_drop = false;
            return match word {
                _ if is(word, b"table") || is(word, b"view") => effect::DROP_TABLE,
                _ if is(word, b"database") || is(word, b"schema") || is(word, b"owned") => {
                    effect::DROP_DATABASE
                }
                _ => 0,
            };
        }
        self.after_drop = is(word, b"drop");
        self.deletes |= self.after_delete && is(word, b"from");
        self.after_delete = is(word, b"delete");
        self.updates |= first && is(word, b"update");
        self.sets |= is(word, b"set");
        self.in_where |= is(word, b"where");
        if first && is(word, b"truncate") { effect::TRUNCATE } else { 0 }
    }

    fn finish(&self) -> u32 {
        let all = !self.where_names;
        let mut found = 0;
        if self.deletes && all {
            found |= effect::DELETE_ALL;
        }
        if self.updates && self.sets && all {
            found |= effect::UPDATE_ALL;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::effect::{DELETE_ALL, DROP_DATABASE, DROP_TABLE, TRUNCATE, UPDATE_ALL};
    use super::*;

    #[test]
    fn statements() {
        for (text, expected) in [
            ("", 0),
            ("DROP TABLE users", DROP_TABLE),
            ("drop\n  table if exists users;", DROP_TABLE),
            ("DROP/**/TABLE users", DROP_TABLE),
            ("/*!50000 DROP TABLE users */", DROP_TABLE),
            ("select 1; Drop Table users", DROP_TABLE),
            ("DROP MATERIALIZED VIEW v", DROP_TABLE),
            ("drop database prod", DROP_DATABASE),
            ("DROP SCHEMA public CASCADE", DROP_DATABASE),
            ("do $$ begin drop schema x; end $$", DROP_DATABASE),
            ("execute 'drop table x'", DROP_TABLE),
            ("execute 'drop table x'; select 'drop table y'", DROP_TABLE),
            ("select 'drop table x'", 0),
            ("select 'it''s; drop table x'", 0),
            ("select \"drop table x\"", 0),
            ("-- drop table x\nselect 1", 0),
            ("# drop table x", 0),
            ("/* drop table x */ select 1", 0),
            ("alter table t drop column c", 0),
            ("drop index i", 0),
            ("create table drop_table (x int)", 0),
            ("truncate t", TRUNCATE),
            ("TRUNCATE TABLE t", TRUNCATE),
            ("select truncate(1.5, 1)", 0),
            ("delete from t", DELETE_ALL),
            ("delete from t where id = 1", 0),
            ("delete from t where 1=1", DELETE_ALL),
            ("delete from t where true", DELETE_ALL),
            ("with x as (select 1) delete from t", DELETE_ALL),
            ("create table t (a int references u on delete cascade)", 0),
            ("update t set a = 1", UPDATE_ALL),
            ("update t set a = 1 where b = 2", 0),
            ("insert into t values (1) on conflict do update set a = 1", 0),
            ("drop", 0),
            ("drop 'table' x", 0),
        ] {
            assert_eq!(effects(text.as_bytes()), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end(text in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = effects(&text);
        }

        #[test]
        fn a_later_statement_takes_nothing_back(text in "[a-z ;'-]{0,40}") {
            let both = std::format!("drop table x;{text}");
            proptest::prop_assert!(effects(both.as_bytes()) & DROP_TABLE != 0);
        }
    }
}
