//! `rampart audit export`: events in the form that another system reads, on standard output.

use crate::audit::event::Event;
use crate::audit::format::{cef, otlp, syslog};
use crate::audit::select::{Selection, each_event};
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;

/// How many events go into one request of OTLP.
const BATCH: usize = 500;

/// Writes the events of the log in the form that another system reads
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// json: as they stand in the log; cef: Common Event Format; syslog: RFC 5424 with the event as
    /// JSON; syslog-cef: the same with CEF; otlp: requests of OTLP/HTTP in JSON, one a line
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: Format,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Json,
    Cef,
    Syslog,
    SyslogCef,
    Otlp,
}

/// Runs the verb.
///
/// # Errors
/// If the log cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let filter = arguments.selection.filter()?;
    let files = audit::readable(&audit::places(&Directories::from_environment())?)?;
    let host = audit::host();
    let mut output = Output::new();
    let mut waiting: Vec<Event> = Vec::new();
    each_event(&files, &mut |line, event| {
        if !filter.takes(event) {
            return Ok(());
        }
        let written = match arguments.format {
            Format::Json => line.to_vec(),
            Format::Cef => cef::line(event).into_bytes(),
            Format::Syslog => syslog::message(event, &host, &String::from_utf8_lossy(line)),
            Format::SyslogCef => syslog::message(event, &host, &cef::line(event)),
            Format::Otlp => {
                waiting.push(event.clone());
                if waiting.len() < BATCH {
                    return Ok(());
                }
                let request = otlp::request(&waiting, &host).to_string();
                waiting.clear();
                request.into_bytes()
            }
        };
        output.write(&written)?;
        output.write(b"\n")
    })?;
    if !waiting.is_empty() {
        output.line(&otlp::request(&waiting, &host).to_string())?;
    }
    output.flush()
}
