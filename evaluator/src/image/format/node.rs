//! Kinds of condition node. The tests marked *command* look at one command of the tree at a time,
//! those marked *either* too, or at the request where it runs nothing; the others at the request.

/// Every child holds. Children are nodes `first .. first + count`; `number`: 1 if one of them is
/// [`PIPES_INTO`].
pub const ALL: u8 = 1;
/// Some child holds.
pub const ANY: u8 = 2;
/// The one child (`first`) does not hold.
pub const NOT: u8 = 3;
/// Holds always.
pub const ALWAYS: u8 = 4;
/// *command*: its text form matches a glob.
pub const COMMAND_GLOB: u8 = 5;
/// *command*: its text form contains a pattern.
pub const COMMAND_CONTAINS: u8 = 6;
/// *command*: the program's name (last path component, lower case) matches a pattern.
pub const PROGRAM: u8 = 7;
/// *command*: has a flag among the patterns, in any spelling: `-r` also in a cluster `-xr`,
/// `--name` also as `--name=value` and as an unambiguous prefix of three letters or more.
pub const FLAG: u8 = 8;
/// *command*: some operand (a word that is no flag) matches. `flags` bit 0: patterns are
/// paths, and the operand is resolved first.
pub const OPERAND: u8 = 9;
/// *command*: a redirection or a program that is known to write goes to a path that matches.
pub const WRITES: u8 = 10;
/// *command*: its output flows, possibly through others, into a program that matches.
pub const PIPES_INTO: u8 = 11;
/// *command*: `number` is a bit set (1 << `Via`); some step of its provenance is in it.
pub const INSIDE: u8 = 12;
/// The file to be executed is of a kind in `number` (`TargetKinds`).
pub const TARGET: u8 = 13;
/// *command*: a name assigned before or by the command matches; a pattern with `=` looks at
/// the whole `name=value`.
pub const ENV_ASSIGNS: u8 = 14;
/// The request's path matches.
pub const PATH: u8 = 15;
/// The request's URL matches.
pub const URL: u8 = 16;
/// The host of the request's URL matches.
pub const DOMAIN: u8 = 17;
/// The session label matches.
pub const SESSION: u8 = 18;
/// The agent's name matches.
pub const AGENT: u8 = 19;
/// The agent depth compares (`flags`: 1 ≥, 2 ≤, 3 =) with `number`.
pub const AGENT_DEPTH: u8 = 20;
/// A parameter matches: patterns alternate name (literal) and value (glob).
pub const PARAM: u8 = 21;
/// The call count of the tool in the window is at least `number`. Never known in process.
/// Patterns, all literal: the window in decimal seconds, then the tool if it is not the
/// call's own.
pub const CALL_COUNT: u8 = 22;
/// *command*: has a flag of `command::CommandFlags` in `number`.
pub const COMMAND_FACT: u8 = 23;
/// *command*: a redirection or a program that is known to read takes a path that matches.
pub const READS: u8 = 24;
/// *command*: the first operand equals a pattern (`push` in `git push`), options before it
/// skipped.
pub const SUBCOMMAND: u8 = 25;
/// *command*: SQL among its arguments or in what flows into it does something in `number`
/// (`sql::effect`).
pub const SQL: u8 = 26;
/// *command*: it has an effect in `number` (`effects::Kinds`).
pub const EFFECTS: u8 = 59;
/// What the tool put out matches a regular expression: patterns alternate its source and what it
/// needs (`policy_schema::needs`). Only `decide::response` knows.
pub const RESPONSE: u8 = 60;
/// *command*: some redirection that writes goes to a path that matches.
pub const REDIRECTS_TO: u8 = 27;
/// *either*: the working directory is a path that matches.
pub const CWD: u8 = 28;
/// *either*: a variable that it would see has a value that matches: patterns alternate name
/// (literal) and value.
pub const ENV: u8 = 29;
/// *either*: it would run as one of these users: patterns are names or decimal numbers.
pub const USER: u8 = 30;
/// The name of the program that asks matches.
pub const PARENT: u8 = 31;
/// *command*: the file that its program is, resolved, is a path that matches. `flags`: [`EXE_SURE`].
pub const EXE_PATH: u8 = 32;
/// Of [`EXE_PATH`]: a file that is not known matches nothing.
pub const EXE_SURE: u8 = 1;
/// *command*: the SHA-256 of that file is one of the patterns, 64 lower-case hexadecimal digits.
pub const EXE_SHA256: u8 = 33;
/// *command*: the tree has written the file that its program is, or the script or the input of an
/// interpreter ([`crate::World::written_by_tree`]).
pub const WRITTEN: u8 = 35;
/// The tree has come by all of `number` ([`super::taint`], [`crate::World::taint`]).
pub const TAINTED: u8 = 36;
/// *command*: what it would act on (`flags`: a code of [`super::context`]) matches.
pub const CONTEXT: u8 = 34;
