//! What reaches a database client, and whether it is SQL that a rule sees: as an argument, as
//! input, from a file, in containers and on other machines.

mod support;

use evaluator::Action;
use support::verdict::{compiled, judged};
use support::world::OneText;

const POLICY: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [{action: deny, \
    when: {program: [psql, mysql, mariadb, sqlite3, duckdb, cockroach], sql: [drop-table]}}]}]";

/// A world with one file of statements.
const ONE_FILE: OneText =
    OneText { path: "/work/sql/down.sql", text: "create table a (b int);\nDROP TABLE a;\n" };

/// `(why, text, whether it drops a table)`.
#[rustfmt::skip]
const CASES: &[(&str, &str, bool)] = &[
    ("-c", "psql -c 'DROP TABLE a'", true),
    ("-c attached, in a cluster, twice", "psql '-cDROP TABLE a'; psql -qc 'select 1'", true),
    ("--command=", "psql --command='DROP TABLE a'", true),
    ("--command apart", "psql -d x --command 'drop\ttable if exists a'", true),
    ("-e", "mysql -u root db -e 'DROP TABLE a'", true),
    ("-e attached", "mysql '-eDROP TABLE a' db", true),
    ("--execute=", "mariadb --execute='DROP/**/TABLE a'", true),
    ("an operand", "sqlite3 x.db 'select 1; DROP TABLE a;'", true),
    ("a here-document", "psql <<'E'\nDROP TABLE a;\nE", true),
    ("a here-string", "psql <<< 'DROP TABLE a'", true),
    ("a pipe", "printf 'DROP TABLE %s;' a | mysql db", true),
    ("a variable", "q='DROP TABLE a'; psql -c \"$q\"", true),
    ("-f FILE that was written", "echo 'DROP TABLE a' > x.sql; psql -f x.sql", true),
    ("--file=FILE that was written", "cat > x.sql <<E\nDROP TABLE a;\nE\ncockroach sql --file=x.sql", true),
    ("-f FILE on the disk", "psql -d x -f sql/down.sql", true),
    ("-f attached", "cd sql && psql -fdown.sql", true),
    ("a file as input", "echo 'DROP TABLE a' > x.sql; psql < x.sql", true),
    ("cat FILE", "echo 'DROP TABLE a' > x.sql; cat x.sql | psql", true),
    ("\\i", "psql -c '\\i sql/down.sql'", true),
    ("source", "mysql db -e 'source sql/down.sql'", true),
    (".read", "sqlite3 x.db '.read sql/down.sql'", true),
    ("-init", "duckdb -init sql/down.sql x.db", true),
    ("an include in a here-document", "psql <<E\n\\i sql/down.sql\nE", true),
    ("docker exec -i", "docker exec -i db psql -U x <<'E'\nDROP TABLE a;\nE", true),
    ("docker exec with an argument", "docker exec db sh -c 'psql -c \"DROP TABLE a\"'", true),
    ("docker compose", "docker compose exec -T db psql -c 'DROP TABLE a'", true),
    ("kubectl exec", "kubectl exec -i pod -- mysql <<< 'DROP TABLE a'", true),
    ("ssh", "ssh h \"mysql -e 'DROP TABLE a'\"", true),
    ("ssh with input", "echo 'DROP TABLE a' | ssh h mysql db", true),
    ("sudo and su", "sudo -u postgres psql -c 'select 1'; su postgres -c \"psql -c 'DROP TABLE a'\"", true),
    ("a program", "python3 -c 'import subprocess; subprocess.run([\"psql\", \"-c\", \"DROP TABLE a\"])'", true),
    ("a loop", "for t in a b; do psql -c \"DROP TABLE $t\"; done", true),
    ("text in a string", "psql -c \"select 'DROP TABLE a'\"", false),
    ("a comment", "mysql -e 'select 1 -- DROP TABLE a'", false),
    ("a file that is only written", "echo 'DROP TABLE a' > x.sql", false),
    ("a file of other statements", "echo 'select 1' > x.sql; psql -f x.sql", false),
    ("a file that is not there", "psql -f sql/up.sql", false),
    ("a search", "grep -r 'DROP TABLE' .; git commit -m 'DROP TABLE a'", false),
    ("a column", "psql -c 'alter table a drop column b'", false),
    ("text that goes elsewhere", "echo 'DROP TABLE a' | cat; psql -c 'select 1'", false),
];

#[test]
fn statements_are_seen_wherever_they_come_from() {
    let image = compiled(POLICY.as_bytes());
    let mut wrong = Vec::new();
    for (why, text, drops) in CASES {
        let (action, _) = judged(&image, text, "/work", &ONE_FILE);
        if (action == Action::Deny) != *drops {
            wrong.push(format!("{why}: {action:?}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
