//! `rampart policy schema`: the language for editors.

use crate::failure::Failure;
use crate::output::Output;
use policy_schema::keys::{DOCUMENT, SUITE};
use policy_schema::schema::schema;

/// Prints the JSON Schema of policy files, for editors and other programs that write them
///
/// Draft 2020-12. What it refuses, the compiler refuses; the compiler refuses more. An editor with the
/// YAML language server takes it from a first line `# yaml-language-server: $schema=FILE`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The schema of test suites instead
    #[arg(long)]
    suite: bool,
}

/// Runs `policy schema`.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let root = if arguments.suite { &SUITE } else { &DOCUMENT };
    let text = serde_json::to_string_pretty(&schema(root));
    let text = text.map_err(|error| Failure::other(format!("cannot write the schema: {error}")))?;
    let mut output = Output::new();
    output.line(&text)?;
    output.flush()
}
