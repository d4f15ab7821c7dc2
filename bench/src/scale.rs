//! How costs grow: with the number of rules, the length of commands, processes at a time, and clients
//! of the evaluator. A table each: a cost that grows faster than what it grows with is a bug, however
//! small it is today.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use evaluator::Image;
use policy_schema::OwnedScratch;

use crate::Setup;
use crate::report::{Report, quantile};
use crate::socket;
use crate::verdict::{generated, open, time};

/// What fills one table.
type Fill = fn(&Setup, &mut Report) -> Result<(), String>;

/// Prints a table for each of them.
///
/// # Errors
/// If something does not start, or an answer is missing.
pub fn print(setup: &Setup) -> Result<(), String> {
    let tables: [(&str, Fill); 4] =
        [("rules", rules), ("length", lengths), ("processes", processes), ("clients", clients)];
    for (name, fill) in tables {
        let mut report = Report::default();
        fill(setup, &mut report)?;
        println!("{name}");
        report.print();
        println!();
    }
    Ok(())
}

/// A command line of every day.
const LINE: &[u8] =
    b"git -C sub log --oneline -n 20 -- src/main.rs | grep -v fix && ls -la target; ";

/// The verdict on a typical line by 10 to 10,000 rules, and the image's size.
fn rules(_: &Setup, report: &mut Report) -> Result<(), String> {
    let when = "{program: [tool{}], operands: ['/data/{}/**']}";
    let mut scratch = OwnedScratch::default();
    for count in [10, 100, 1000, 10_000] {
        let image = generated(count, when)?;
        let opened: Image<'_> = open(&image)?;
        let mut times: Vec<f64> = (0..200)
            .map(|_| time(std::slice::from_ref(&opened), LINE, count, &mut scratch) / 1e3)
            .collect();
        report.absolute(&format!("{count} rules: verdict"), quantile(&mut times, 0.5), "µs", None);
        let size = image.len() as f64 / 1024.0;
        report.absolute(&format!("{count} rules: image"), size, "KiB", None);
    }
    Ok(())
}

/// The verdict by the standard policy on 10 bytes to 128 KiB: a line of every day over and over, and
/// one command with so many operands.
fn lengths(_: &Setup, report: &mut Report) -> Result<(), String> {
    let standard: Image<'_> = open(policies::STANDARD)?;
    let images = std::slice::from_ref(&standard);
    let mut scratch = OwnedScratch::default();
    for size in [10, 100, 1024, 8192, 32 << 10, 128 << 10] {
        let lines: Vec<u8> = LINE.iter().copied().cycle().take(size).collect();
        let mut files = b"git add".to_vec();
        for number in 0.. {
            if files.len() >= size {
                break;
            }
            files.extend_from_slice(format!(" src/file{number}.rs").as_bytes());
        }
        for (what, text) in [("lines", &lines), ("operands", &files)] {
            let mut times: Vec<f64> =
                (0..5).map(|_| time(images, text, 1000, &mut scratch) / 1e3).collect();
            let name = format!("{} bytes of {what}", text.len());
            report.absolute(&name, quantile(&mut times, 0.5), "µs", None);
        }
    }
    Ok(())
}

/// 512 starts of `/bin/true`, so many at a time, under the library and bare, in turns.
fn processes(setup: &Setup, report: &mut Report) -> Result<(), String> {
    const STARTS: usize = 512;
    for width in [1, 2, 8, 32, 128, 512] {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for round in 0..6 {
            for (library, times) in [(None, &mut bare), (Some(&setup.library), &mut ours)] {
                let took = crowd(library.map(std::path::PathBuf::as_path), setup, (width, STARTS))?;
                // The first round warms up.
                if round > 0 {
                    times.push(took);
                }
            }
        }
        let name = format!("{STARTS} × /bin/true, {width} at a time");
        report.ratio(&name, quantile(&mut ours, 0.5), quantile(&mut bare, 0.5), "ms", None);
    }
    Ok(())
}

/// Milliseconds until `count` processes of one tree, of which `width` run at a time, have ended.
fn crowd(
    library: Option<&Path>,
    setup: &Setup,
    (width, count): (usize, usize),
) -> Result<f64, String> {
    let script = "w=$1; while [ $w -gt 0 ]; do \
                  (n=$2; while [ $n -gt 0 ]; do /bin/true; n=$((n-1)); done) & w=$((w-1)); done; wait";
    let mut command = Command::new("/bin/dash");
    command.args(["-c", script, "dash", &width.to_string(), &(count / width).to_string()]);
    command.env_remove("LD_PRELOAD").stdin(Stdio::null());
    if let Some(library) = library {
        command.env("LD_PRELOAD", library).env("RAMPART_AUDIT_DIR", setup.work.join("crowd"));
    }
    let started = Instant::now();
    match command.status() {
        Ok(status) if status.success() => Ok(started.elapsed().as_secs_f64() * 1e3),
        Ok(status) => Err(format!("a crowd of processes: {status}")),
        Err(error) => Err(format!("/bin/dash: {error}")),
    }
}

/// Verdicts over the evaluator's socket by 1 to 2,000 clients at a time, a connection for each.
fn clients(setup: &Setup, report: &mut Report) -> Result<(), String> {
    const CALLS: usize = 8000;
    let daemon = socket::start(&setup.library.with_file_name("rampart"), &setup.work)?;
    let call = socket::call();
    for width in [1, 4, 16, 64, 256, 1000, 2000] {
        let started = Instant::now();
        let clients: Vec<_> = (0..width)
            .map(|_| {
                let (path, call) = (daemon.socket.clone(), call.clone());
                let rounds = CALLS.div_ceil(width);
                let run = move || -> Result<Vec<f64>, String> {
                    (0..rounds).map(|_| socket::once(&path, &call)).collect()
                };
                thread::Builder::new().stack_size(64 << 10).spawn(run)
            })
            .collect();
        let mut times = Vec::new();
        for client in clients {
            let client = client.map_err(|error| format!("a client: {error}"))?;
            times.extend(client.join().map_err(|_| "a client died".to_owned())??);
        }
        let rate = times.len() as f64 / started.elapsed().as_secs_f64();
        let name = format!("{width} clients");
        report.absolute(&format!("{name}: p50"), quantile(&mut times, 0.5), "µs", None);
        report.absolute(&format!("{name}: p99"), quantile(&mut times, 0.99), "µs", None);
        report.absolute(&format!("{name}: calls a second"), rate, "/s", None);
    }
    Ok(())
}
