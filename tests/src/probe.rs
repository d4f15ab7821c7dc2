//! Small C programs that do one thing, built when a test needs them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a probe is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibC {
    /// The system's C library, dynamically.
    Glibc,
    /// The same, statically.
    GlibcStatic,
    /// musl, dynamically.
    Musl,
    /// musl, statically.
    MuslStatic,
    /// The system's C library for programs of 32 bits, on x86-64.
    I386,
}

impl LibC {
    /// The compiler, and what it is given.
    const fn compiler(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Glibc => ("cc", &["-ldl", "-lpthread"]),
            Self::GlibcStatic => ("cc", &["-static", "-DSTATIC"]),
            Self::Musl => ("musl-gcc", &[]),
            Self::MuslStatic => ("musl-gcc", &["-static", "-DSTATIC"]),
            // The kernel's headers are the same; Debian has them below the other machine's name.
            Self::I386 => ("cc", &["-m32", "-idirafter", "/usr/include/x86_64-linux-gnu", "-ldl"]),
        }
    }

    /// Whether the compiler is installed, with what it needs.
    fn is_there(self) -> bool {
        let (compiler, flags) = self.compiler();
        let Some(compiler) = find(compiler) else {
            return false;
        };
        if self != Self::I386 {
            return true;
        }
        // Prints a path if it has the file, else the bare name.
        let file =
            Command::new(compiler).args(flags.first()).arg("-print-file-name=crt1.o").output();
        cfg!(target_arch = "x86_64") && file.is_ok_and(|file| file.stdout.starts_with(b"/"))
    }
}

/// The program `name` on `PATH`, the system's directories first: a version manager's stand-in is
/// a shell script that starts many things of its own. Last come the programs that
/// `.ci/programs.sh` built. `None` if it is not installed.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    ["/usr/bin", "/bin"]
        .into_iter()
        .map(PathBuf::from)
        .chain(env::split_paths(&path))
        .chain([crate::target().join("programs")])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Builds `tests/probes/<name>.c` as `output`. `false` if the compiler is not installed.
///
/// # Panics
/// If it does not compile.
pub fn probe(name: &str, libc: LibC, output: &Path) -> bool {
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("probes").join(name).with_extension("c");
    let (compiler, flags) = libc.compiler();
    libc.is_there() && {
        cc(compiler, &source, output, flags);
        true
    }
}

/// Compiles one C file.
///
/// # Panics
/// If the compiler fails.
pub fn cc(compiler: &str, source: &Path, output: &Path, flags: &[&str]) {
    let done = Command::new(compiler)
        .args(["-O1", "-w", "-o"])
        .arg(output)
        .arg(source)
        .args(flags)
        .env_remove("LD_PRELOAD")
        .output();
    match done {
        Ok(done) if done.status.success() => {}
        Ok(done) => panic!("{}: {}", source.display(), String::from_utf8_lossy(&done.stderr)),
        Err(error) => panic!("{compiler}: {error}; run `.ci/install.sh`"),
    }
}
