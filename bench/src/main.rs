//! `make bench`: the budgets, each as a ratio against a bare run of the same minute.
//!
//! The machine is shared and drifts, so nothing is compared with a number from another day: the
//! variants take turns, one sample each, and medians of the same run are divided.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod cost;
mod floor;
mod fresh;
mod hook;
mod hostile;
mod inputs;
mod mcp;
mod memory;
mod operations;
mod order;
mod pages;
mod peers;
mod record;
mod report;
mod scale;
mod socket;
mod spawn;
mod supervised;
mod verdict;
mod verify;

use report::Report;

/// What every measurement gets.
pub struct Setup {
    /// librampart.so.
    pub library: PathBuf,
    /// An empty library, for the price of preloading at all.
    pub empty: PathBuf,
    /// The standard policy with `record: notable`, compiled.
    pub notable: PathBuf,
    /// A directory that is removed afterwards.
    pub work: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["worker", rest @ ..] => return spawn::work(rest),
        ["floor", rest @ ..] => return floor::run(rest),
        ["echo", path] => return socket::echo(Path::new(path)),
        ["call", path] => return socket::caller(Path::new(path)),
        ["mcp-server"] => return mcp::server(),
        ["mcp", library] => mcp_only(Path::new(library)),
        ["hook", library] => hook_only(Path::new(library)),
        ["verdict"] => verdicts_only(),
        ["verify", library] => verify_only(Path::new(library)),
        ["cost", paths @ ..] => cost::print(paths, hostile::SIZE),
        ["first", library] => first_only(Path::new(library)),
        ["starts"] => return order::start_many(),
        ["order", library] => order_only(Path::new(library)),
        ["opens"] => return operations::opens(),
        ["operations", library] => operations_only(Path::new(library)),
        ["socket", library] => socket_only(Path::new(library)),
        ["spawn", library] => spawn_only(Path::new(library)),
        ["scale", library] => scale_only(Path::new(library)),
        ["peers", library] => peers_only(Path::new(library)),
        ["supervised", library] => supervised_only(Path::new(library)),
        [library] => run(Path::new(library)),
        _ => {
            eprintln!("usage: bench path/to/librampart.so   (or: make bench)");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

/// `bench verdict`: no processes, only verdicts, with a longer list of costly inputs.
fn verdicts_only() -> Result<(), String> {
    let mut report = Report::default();
    verdict::measure(&mut report)?;
    hostile::measure(&mut report, 40)?;
    report.print();
    Ok(())
}

/// `bench first LIBRARY`: the first verdict of a process alone.
fn first_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    fresh::measure(library, work.path(), &mut report)?;
    pages::measure(work.path(), &mut report)?;
    report.print();
    Ok(())
}

/// `bench socket LIBRARY`: the evaluator's socket alone.
fn socket_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    let program = library.with_file_name("rampart");
    socket::measure(&program, work.path(), &mut report)?;
    record::measure(&program, work.path(), &mut report)?;
    report.print();
    Ok(())
}

/// `bench order LIBRARY`: no measurement, but what `rampart/order.ld` is made from.
fn order_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    order::print(library, work.path())
}

/// `bench verify LIBRARY`: the answers of `rampart verify serve` alone.
fn verify_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    verify::measure(&library.with_file_name("rampart"), work.path(), &mut report)?;
    report.print();
    Ok(())
}

/// `bench mcp LIBRARY`: the MCP proxy alone.
fn mcp_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    mcp::measure(&library.with_file_name("rampart"), work.path(), &mut report)?;
    report.print();
    Ok(())
}

/// `bench hook LIBRARY`: starts of the command alone.
fn hook_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    hook::measure(&library.with_file_name("rampart"), work.path(), &mut report)?;
    report.print();
    Ok(())
}

/// `bench operations LIBRARY`: rules on running programs alone.
fn operations_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    operations::measure(&setup(library, work.path())?, &mut report)?;
    report.print();
    Ok(())
}

/// `bench supervised LIBRARY`: the supervisor alone.
fn supervised_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    supervised::measure(&setup(library, work.path())?, &mut report)?;
    report.print();
    Ok(())
}

/// `bench spawn LIBRARY`: starts of programs alone.
fn spawn_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    spawn::measure(&setup(library, work.path())?, &mut report)?;
    report.print();
    Ok(())
}

/// `bench scale LIBRARY`: how costs grow.
fn scale_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    scale::print(&setup(library, work.path())?)
}

/// `bench peers LIBRARY`: what others cost.
fn peers_only(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let mut report = Report::default();
    peers::measure(&setup(library, work.path())?, &mut report)?;
    report.print();
    Ok(())
}

fn setup(library: &Path, work: &Path) -> Result<Setup, String> {
    let library = library
        .canonicalize()
        .map_err(|error| format!("{}: {error}; run `make build` first", library.display()))?;
    Ok(Setup {
        library,
        empty: empty_library(work)?,
        notable: notable_image(work)?,
        work: work.to_path_buf(),
    })
}

fn run(library: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let setup = setup(library, work.path())?;
    let mut report = Report::default();
    spawn::measure(&setup, &mut report)?;
    supervised::measure(&setup, &mut report)?;
    operations::measure(&setup, &mut report)?;
    memory::measure(&setup, &mut report)?;
    verdict::measure(&mut report)?;
    fresh::measure(&setup.library, &setup.work, &mut report)?;
    pages::measure(&setup.work, &mut report)?;
    let program = setup.library.with_file_name("rampart");
    socket::measure(&program, &setup.work, &mut report)?;
    record::measure(&program, &setup.work, &mut report)?;
    mcp::measure(&program, &setup.work, &mut report)?;
    hook::measure(&program, &setup.work, &mut report)?;
    verify::measure(&program, &setup.work, &mut report)?;
    hostile::measure(&mut report, 5)?;
    report.print();
    Ok(())
}

fn empty_library(work: &Path) -> Result<PathBuf, String> {
    let path = work.join("empty.so");
    let status = std::process::Command::new("cc")
        .args(["-shared", "-nostdlib", "-x", "c", "/dev/null", "-o"])
        .arg(&path)
        .status()
        .map_err(|error| format!("cc: {error}"))?;
    if status.success() { Ok(path) } else { Err(format!("cc: {status}")) }
}

fn notable_image(work: &Path) -> Result<PathBuf, String> {
    let standard = policies::SOURCES.iter().find(|(name, _)| *name == "standard");
    let (_, yaml) = standard.ok_or("no standard profile")?;
    let yaml = format!("record: notable\n{yaml}");
    let source = policy_schema::Source { name: "standard.yaml", text: yaml.as_bytes() };
    let options = policy_schema::Options { run_examples: false, ..Default::default() };
    let image = policy_schema::compile(&[source], &options)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<String>())?;
    let path = work.join("notable.img");
    std::fs::write(&path, image).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
