//! `rampart audit search`: the events that hold some text and more.

use crate::audit::select::{Selection, each_event};
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;

/// Shows every event of the log that is asked for, the latest last
///
/// Exit status 1 if there is none.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Text in the command, path or address, without regard to case; each of several must be there
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// Print the events as they stand in the log, one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// If the log cannot be read.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let filter = arguments.selection.filter()?;
    let texts: Vec<String> = arguments.texts.iter().map(|text| text.to_lowercase()).collect();
    let files = audit::readable(&audit::places(&Directories::from_environment())?)?;
    let mut output = Output::new();
    let mut found = 0_u64;
    each_event(&files, &mut |line, event| {
        let call = event.call().to_lowercase();
        if !filter.takes(event) || !texts.iter().all(|text| call.contains(text)) {
            return Ok(());
        }
        found += 1;
        if arguments.json {
            output.write(line)?;
            return output.write(b"\n");
        }
        output.line(&event.line())
    })?;
    output.flush()?;
    if found == 0 {
        complain!("rampart: no such event");
    }
    Ok(u8::from(found == 0))
}
