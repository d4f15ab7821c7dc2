//! `rampart policy lint`: what is wrong with policy files, and what is probably not meant.

use crate::failure::{Failure, reason, status};
use crate::output::Output;
use crate::policy;
use crate::verbs::policy_compile::Level;
use policy_schema::diagnostic::{Diagnostic, Level as Severity, Source};
use policy_schema::{Options, compile_with_warnings, lint, read_policy};
use serde::Serialize;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Shows what is wrong with policy files, and what is probably not meant
///
/// Each file is looked at by itself. Exit status: 0 if they can be used, 1 with --strict if there
/// are warnings, 2 if there are errors.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// YAML files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object, for editors and CI
    #[arg(long)]
    json: bool,
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
    /// The layer that they are for
    #[arg(long, value_enum, default_value_t = Level::User)]
    layer: Level,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'f> {
    files: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    diagnostics: Vec<Finding<'f>>,
}

/// One finding. Lines and columns count from 1, columns in characters; 0 is the whole file.
#[derive(Serialize)]
struct Finding<'f> {
    file: &'f str,
    line: usize,
    column: usize,
    end_column: usize,
    level: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    code: &'f str,
    message: &'f str,
    #[serde(skip_serializing_if = "str::is_empty")]
    help: &'f str,
    #[serde(skip_serializing_if = "str::is_empty")]
    excerpt: &'f str,
}

impl<'f> Finding<'f> {
    fn of(found: &'f Diagnostic) -> Self {
        Self {
            file: &found.file,
            line: found.line,
            column: found.column,
            end_column: if found.column == 0 { 0 } else { found.column + found.width },
            level: found.level.name(),
            code: found.code,
            message: &found.message,
            help: &found.help,
            excerpt: &found.excerpt,
        }
    }
}

/// Runs the verb and returns the exit status.
///
/// # Errors
/// Exit status 2 if a file cannot be read.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut found = Vec::new();
    for path in &arguments.files {
        found.append(&mut findings(path, arguments.layer.layer())?);
    }
    let count = |level| found.iter().filter(|found| found.level == level).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let notes = count(Severity::Note);
    let mut output = Output::new();
    if arguments.json {
        let diagnostics = found.iter().map(Finding::of).collect();
        let report = Report { files: arguments.files.len(), errors, warnings, notes, diagnostics };
        output.line(&policy::json(&report)?)?;
    } else {
        for found in &found {
            output.line(&found.to_string())?;
        }
        let plural = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let parts = [plural(errors, "error"), plural(warnings, "warning"), plural(notes, "note")];
        output.line(&format!("{}: {}", plural(arguments.files.len(), "file"), parts.join(", ")))?;
    }
    output.flush()?;
    Ok(match (errors, warnings) {
        (0, 0) => 0,
        (0, _) if !arguments.strict => 0,
        (0, _) => status::DENIED,
        _ => status::USAGE,
    })
}

/// Everything that is to be said about one file, in its order.
fn findings(path: &Path, layer: policy_schema::Layer) -> Result<Vec<Diagnostic>, Failure> {
    let (name, text) = read(path)?;
    let source = Source { name: &name, text: &text };
    let sources = [source];
    let mut found = match compile_with_warnings(&sources, &Options { layer, run_examples: true }) {
        Ok(compiled) => compiled.warnings,
        Err(found) => found,
    };
    // Rules whose examples fail can be looked at as well; what cannot be read cannot.
    let (document, errors) = read_policy::read(&source);
    if errors.iter().all(|found| found.level != Severity::Error) {
        found.extend(lint::lint(&sources, &[document], layer, policy::source::now()));
    }
    found.sort_by_key(|found| (found.line, found.column));
    found.dedup();
    Ok(found)
}

fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let is_stdin = path == Path::new("-");
    let read = if is_stdin {
        let mut text = Vec::new();
        let limit = policy_schema::MAX_SOURCE as u64 + 1;
        io::stdin().lock().take(limit).read_to_end(&mut text).map(|_| text)
    } else {
        policy::source::read(path)
    };
    let name = if is_stdin { "<stdin>".to_owned() } else { path.display().to_string() };
    match read {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Failure::usage(format!("cannot read `{name}`: {}", reason(&error)))),
    }
}
