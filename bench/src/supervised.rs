//! What the supervisor of `rampart run --enforce kernel` adds to the library: the same workers, below
//! `rampart run` without it and with it.

use std::path::Path;
use std::process::Command;

use crate::Setup;
use crate::report::{Report, quantile};
use crate::spawn::{Variant, interleaved};

/// Starts the file it is given as often as it is told, one after the other; as small and as static
/// as a program can be where that is what is to be measured.
const STARTER: &str = "#include <stdlib.h>\n#include <unistd.h>\n#include <sys/wait.h>\n\
    extern char **environ;\n\
    int main(int argc, char **argv) {\n\
    if (argc < 3) return 0;\n\
    for (int at = atoi(argv[1]); at > 0; at--) {\n\
    int status; char *with[] = {argv[2], 0}; pid_t child = vfork();\n\
    if (!child) { execve(argv[2], with, environ); _exit(1); }\n\
    if (waitpid(child, &status, 0) != child || status) return 1; }\n\
    return 0; }\n";

/// Measures starts below the supervisor.
pub fn measure(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let starter = starter(&setup.work)?;
    let starter = starter.display().to_string();
    let starts = Starts::of(setup, &["/bin/true"])?;
    let [library, kernel] = ["library", "kernel"].map(|name| starts.time(name));
    let what = "posix_spawn /bin/true, --enforce kernel";
    report.ratio(&format!("{what}, against the library alone"), kernel, library, "µs", None);
    let added = starts.added("kernel", "library");
    report.absolute(&format!("{what}: added"), added, "µs", Some(40.0));
    let least = starts.added("floor", "bare");
    report.absolute("  of that, a supervisor that does nothing adds", least, "µs", None);
    // A rule could be about where that leads: its directory is looked up.
    let added = Starts::of(setup, &["/bin/true", "some/file"])?.added("kernel", "library");
    report.absolute("posix_spawn /bin/true some/file: added", added, "µs", Some(40.0));
    let storm = |program: &str| format!("{starter} 300 {program} & {starter} 300 {program}; wait");
    let installed = installed(Path::new(&starter));
    let installed =
        installed.as_ref().map(|root| root.path().join("starter").display().to_string());
    let programs = [
        ("/bin/true", Some("/bin/true")),
        ("a tiny static program", installed.as_deref()),
        ("one that others than root can change", Some(&*starter)),
    ];
    for (what, program) in programs {
        let Some(program) = program else { continue };
        let figures = interleaved(variants(setup)?, &["/bin/dash", "-c", &storm(program)], 8)?;
        let time = |name: &str| time_of(&figures, name);
        let [bare, floor, library, kernel] = ["bare", "floor", "library", "kernel"].map(time);
        let what = format!("fork storm, 2 × 300 × {what}, --enforce kernel");
        report.ratio(&what, kernel, bare, "µs", Some(1.25));
        report.ratio("  the library alone", library, bare, "µs", None);
        report.ratio("  a supervisor that does nothing", floor, bare, "µs", None);
    }
    Ok(())
}

/// Figures of several sets of workers: where the scheduler puts a set makes some tens of microseconds, for as long as
/// it lives.
struct Starts(Vec<Vec<(String, f64)>>);

impl Starts {
    const SETS: usize = 7;

    fn of(setup: &Setup, command: &[&str]) -> Result<Self, String> {
        (0..Self::SETS)
            .map(|_| interleaved(variants(setup)?, command, 120))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// How long a start takes under a variant, in microseconds.
    fn time(&self, name: &str) -> f64 {
        let mut all: Vec<f64> = self.0.iter().map(|set| time_of(set, name)).collect();
        quantile(&mut all, 0.5)
    }

    /// How much longer it takes than under another one of the same set, in microseconds.
    fn added(&self, name: &str, to: &str) -> f64 {
        let difference = |set: &Vec<_>| time_of(set, name) - time_of(set, to);
        let mut all: Vec<f64> = self.0.iter().map(difference).collect();
        quantile(&mut all, 0.5)
    }
}

fn time_of(figures: &[(String, f64)], name: &str) -> f64 {
    figures.iter().find(|(found, _)| found == name).map_or(f64::NAN, |(_, time)| *time)
}

fn variants(setup: &Setup) -> Result<Vec<Variant>, String> {
    let program = setup.library.with_file_name("rampart").display().to_string();
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let under = |name, enforce: &str| Variant {
        name,
        prefix: [&program, "run", "--profile", "standard", "--enforce", enforce, "--"]
            .map(str::to_owned)
            .to_vec(),
        env: vec![("XDG_STATE_HOME", setup.work.join(name).display().to_string())],
    };
    let floor = vec![own.display().to_string(), "floor".to_owned()];
    Ok(vec![
        Variant { name: "bare", prefix: Vec::new(), env: Vec::new() },
        Variant { name: "floor", prefix: floor, env: Vec::new() },
        under("library", "interposer"),
        under("kernel", "kernel"),
    ])
}

/// A copy of `program` where only root can change it, as most programs are; `None` for others than root.
fn installed(program: &Path) -> Option<tempfile::TempDir> {
    let root = tempfile::Builder::new().prefix("bench-of-rampart-").tempdir_in("/var/lib").ok()?;
    std::fs::copy(program, root.path().join("starter")).ok()?;
    Some(root)
}

/// Built where others than root could change it, so that it is held behind its execve(2): the slower way.
fn starter(work: &Path) -> Result<std::path::PathBuf, String> {
    let path = work.join("starter");
    let source = work.join("starter.c");
    std::fs::write(&source, STARTER).map_err(|error| format!("{}: {error}", source.display()))?;
    let status = Command::new("cc").args(["-O1", "-static", "-o"]).arg(&path).arg(&source).status();
    match status {
        Ok(status) if status.success() => Ok(path),
        other => Err(format!("cc: {other:?}")),
    }
}
