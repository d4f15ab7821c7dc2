//! The command line: which verb, and its exit status.

use crate::failure::{self, Failure};
use crate::output;
use crate::verbs::{
    allow, audit_export, audit_forward, audit_prune, audit_replay, audit_search, audit_stats,
    audit_tail, audit_verify, check, doctor, hook, init, inject, install, lab, manual, mcp,
    policy_compile, policy_lint, policy_reload, policy_schema, policy_show, policy_test, report,
    rules, run, score,
};
use crate::verbs::{
    approvals, pause, ps, report_fp, serve, setup, status, stub, token, uninstall, verify_score,
    verify_serve, wrap,
};
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// A seatbelt for AI agents: every command that an agent's process tree starts is checked against
/// a policy before it runs
#[derive(Parser, Debug)]
#[command(name = "rampart", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Run(run::Arguments),
    Wrap(wrap::Arguments),
    Serve(serve::Arguments),
    Pending(approvals::Pending),
    Approve(approvals::Approve),
    Deny(approvals::Deny),
    Why(approvals::Why),
    Status(status::Arguments),
    /// Tokens for the HTTP API
    #[command(subcommand, arg_required_else_help = true)]
    Token(TokenVerb),
    Check(check::Arguments),
    /// Says what a call would run and do, and what the policy says about it, without running it; exit
    /// status 0 whatever that is
    Explain(check::Arguments),
    Hook(hook::Arguments),
    Mcp(mcp::Arguments),
    Setup(setup::Arguments),
    Protect(setup::Protect),
    Score(score::Arguments),
    Rules(rules::Arguments),
    Allow(allow::Allow),
    Block(allow::Block),
    Init(init::Arguments),
    /// Compiles, checks and shows policies
    #[command(subcommand, arg_required_else_help = true)]
    Policy(PolicyVerb),
    /// Reads the audit log
    #[command(subcommand, arg_required_else_help = true)]
    Audit(AuditVerb),
    Report(report::Arguments),
    ReportFp(report_fp::Arguments),
    Pause(pause::Arguments),
    Ps(ps::Arguments),
    Doctor(doctor::Arguments),
    Lab(lab::Arguments),
    Install(install::Arguments),
    Inject(inject::Arguments),
    /// Says whether a command that no rule settles fits, by what it would do
    #[command(subcommand, arg_required_else_help = true)]
    Verify(VerifyVerb),
    Completions(manual::Completions),
    #[command(hide = true)]
    Manual(manual::Manual),
    Uninstall(uninstall::Arguments),
}

#[derive(Subcommand, Debug)]
enum PolicyVerb {
    Compile(policy_compile::Arguments),
    Lint(policy_lint::Arguments),
    Test(policy_test::Arguments),
    /// Explains what the policy says about a call, as `check --explain`; exit status 0 whatever that is
    Explain(check::Arguments),
    Reload(policy_reload::Arguments),
    Schema(policy_schema::Arguments),
    Show(policy_show::Arguments),
    /// Names the shipped policies
    List,
}

#[derive(Subcommand, Debug)]
enum TokenVerb {
    Create(token::Create),
    List(token::List),
    Revoke(token::Revoke),
}

#[derive(Subcommand, Debug)]
enum VerifyVerb {
    Serve(verify_serve::Arguments),
    Score(verify_score::Arguments),
}

#[derive(Subcommand, Debug)]
enum AuditVerb {
    Tail(audit_tail::Arguments),
    Search(audit_search::Arguments),
    Stats(audit_stats::Arguments),
    Replay(audit_replay::Arguments),
    Export(audit_export::Arguments),
    Forward(audit_forward::Arguments),
    Prune(audit_prune::Arguments),
    Verify(audit_verify::Verify),
    Seal(audit_verify::Seal),
    Anchor(audit_verify::Anchor),
}

/// Prints the help that was asked for, or what is wrong with the words. The exit status: help that nobody
/// can have read is a failure.
fn explained(said: &clap::Error) -> ExitCode {
    let printed = said.print().and_then(|()| io::stdout().flush());
    match (u8::try_from(said.exit_code()).unwrap_or(failure::status::USAGE), printed) {
        (0, Err(error)) => output::failed(&error).report(),
        (status, _) => ExitCode::from(status),
    }
}

/// The command line, if its verb is one that is called often and nothing is wrong with the rest: describing
/// all other verbs to the parser takes longer than what those do.
fn frequent(words: &[OsString]) -> Option<CommandLine> {
    fn of<A: clap::Args>(words: &[OsString]) -> Option<A> {
        let line = A::augment_args(clap::Command::new("rampart")).no_binary_name(true);
        A::from_arg_matches(&line.try_get_matches_from(words).ok()?).ok()
    }
    let (verb, rest) = words.split_first()?;
    let verb = match verb.to_str()? {
        "check" => Verb::Check(of(rest)?),
        "hook" => Verb::Hook(of(rest)?),
        "mcp" => Verb::Mcp(of(rest)?),
        "run" => Verb::Run(of(rest)?),
        "wrap" => Verb::Wrap(of(rest)?),
        _ => return None,
    };
    Some(CommandLine { verb })
}

/// Reads the command line and runs its verb. Wrong usage ends here with exit status 2.
pub fn run() -> ExitCode {
    if let Some(name) = wrap::called_as() {
        return wrap::shell(name).map_or_else(|failure| failure.report(), ExitCode::from);
    }
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some((verb, rest)) = words.split_first()
        && verb == stub::VERB
    {
        // What follows is another program's: nothing of it is an option of ours.
        return stub::run(rest.to_vec()).report();
    }
    if let Some((verb, rest)) = words.split_first()
        && verb == doctor::attack::calls::VERB
    {
        return doctor::attack::calls::run(rest.to_vec());
    }
    let done = |()| 0;
    // An agent waits for its hook at every step.
    if let Some(arguments) = hook::plain(&words) {
        return hook::run(&arguments)
            .map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS);
    }
    let verb = match frequent(&words).map_or_else(CommandLine::try_parse, Ok) {
        Ok(line) => line.verb,
        Err(said) => return explained(&said),
    };
    let result: Result<u8, Failure> = match verb {
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Wrap(arguments) => wrap::run(arguments),
        Verb::Serve(arguments) => serve::run(&arguments),
        Verb::Mcp(arguments) => mcp::run(&arguments),
        Verb::Pending(arguments) => arguments.run().map(done),
        Verb::Approve(arguments) => arguments.run().map(done),
        Verb::Deny(arguments) => arguments.run().map(done),
        Verb::Why(arguments) => arguments.run().map(done),
        Verb::Status(arguments) => status::run(&arguments).map(done),
        Verb::Token(TokenVerb::Create(arguments)) => arguments.run().map(done),
        Verb::Token(TokenVerb::List(arguments)) => arguments.run().map(done),
        Verb::Token(TokenVerb::Revoke(arguments)) => arguments.run().map(done),
        Verb::Check(arguments) => check::run(&arguments),
        Verb::Explain(arguments) => check::explain(arguments).map(done),
        Verb::Setup(arguments) => arguments.run().map(done),
        Verb::Protect(arguments) => arguments.run().map(done),
        Verb::Hook(arguments) => hook::run(&arguments).map(done),
        Verb::Score(arguments) => score::run(&arguments).map(done),
        Verb::Policy(PolicyVerb::Compile(arguments)) => policy_compile::run(&arguments).map(done),
        Verb::Policy(PolicyVerb::Lint(arguments)) => policy_lint::run(&arguments),
        Verb::Policy(PolicyVerb::Test(arguments)) => policy_test::run(&arguments),
        Verb::Policy(PolicyVerb::Explain(arguments)) => check::explain(arguments).map(done),
        Verb::Allow(arguments) => allow::allow(&arguments).map(done),
        Verb::Block(arguments) => allow::block(&arguments).map(done),
        Verb::Init(arguments) => init::run(&arguments).map(done),
        Verb::Rules(arguments) => rules::run(&arguments).map(done),
        Verb::Policy(PolicyVerb::Reload(arguments)) => policy_reload::run(&arguments),
        Verb::Policy(PolicyVerb::Schema(arguments)) => policy_schema::run(&arguments).map(done),
        Verb::Policy(PolicyVerb::Show(arguments)) => policy_show::run(&arguments).map(done),
        Verb::Policy(PolicyVerb::List) => policy_show::list().map(done),
        Verb::Audit(AuditVerb::Tail(arguments)) => audit_tail::run(&arguments).map(done),
        Verb::Audit(AuditVerb::Search(arguments)) => audit_search::run(&arguments),
        Verb::Audit(AuditVerb::Stats(arguments)) => audit_stats::run(&arguments).map(done),
        Verb::Audit(AuditVerb::Replay(arguments)) => audit_replay::run(&arguments),
        Verb::Audit(AuditVerb::Export(arguments)) => audit_export::run(&arguments).map(done),
        Verb::Audit(AuditVerb::Forward(arguments)) => audit_forward::run(&arguments),
        Verb::Audit(AuditVerb::Prune(arguments)) => audit_prune::run(&arguments).map(done),
        Verb::Audit(AuditVerb::Verify(arguments)) => audit_verify::run(&arguments),
        Verb::Audit(AuditVerb::Seal(arguments)) => audit_verify::seal(&arguments).map(done),
        Verb::Audit(AuditVerb::Anchor(arguments)) => {
            audit_verify::print_anchor(&arguments).map(done)
        }
        Verb::Report(arguments) => report::run(&arguments).map(done),
        Verb::ReportFp(arguments) => report_fp::run(&arguments).map(done),
        Verb::Pause(arguments) => pause::run(&arguments).map(done),
        Verb::Ps(arguments) => ps::run(&arguments).map(done),
        Verb::Doctor(arguments) => doctor::run(&arguments),
        Verb::Lab(arguments) => arguments.run(),
        Verb::Install(arguments) => install::run(&arguments).map(done),
        Verb::Inject(arguments) => inject::run(&arguments).map(done),
        Verb::Verify(VerifyVerb::Serve(arguments)) => arguments.run().map(done),
        Verb::Verify(VerifyVerb::Score(arguments)) => arguments.run().map(done),
        Verb::Completions(arguments) => arguments.run(CommandLine::command()).map(done),
        Verb::Manual(arguments) => arguments.run(CommandLine::command()).map(done),
        Verb::Uninstall(arguments) => uninstall::run(&arguments).map(done),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
